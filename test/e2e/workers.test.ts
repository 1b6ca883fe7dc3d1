import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { doneActivities, giveBack, openActivities } from '../../scripts/bench/activity-owners';
import { onePartition, WorkerSite, type SiteWorker } from '../../scripts/bench/worker-site';
import { Processes } from '../../scripts/processes';
import { failureTypes } from '../../src/contract/failures';
import { taskQueues } from '../../src/contract/messages';
import { closePageCounter } from '../../src/pdf/page-count';
import { verifyBatch } from '../../src/verify';
import { startCli } from '../support/cli';

/** The API queue's rate, for all workers together. */
const requestsPerSecond = 20;
/** What the server lets pass at once after a pause, and what `worker` asks itself when it starts. */
const burst = requestsPerSecond + 4;
/** How often something is looked up, in ms. */
const lookMs = 200;

let processes: Processes;
let folder: string;
let site: WorkerSite;

beforeEach(async () => {
  processes = new Processes();
  folder = await mkdtemp(join(tmpdir(), 'workers-'));
  site = await WorkerSite.open({ processes, folder, dynamicConfig: onePartition, settings: { PLANGREP_REQUESTS_PER_SECOND: String(requestsPerSecond) } });
});

afterEach(async () => {
  processes.kill();
  await site?.close();
  await rm(folder, { recursive: true, force: true });
});

afterAll(() => closePageCounter());

/** Starts a worker, and gives its process id and how to kill it. */
async function startWorker(worker: SiteWorker = {}): Promise<{ pid: number; kill: () => Promise<unknown> }> {
  const { child } = await site.startWorker(worker);
  return {
    pid: child.process.pid!,
    kill: () => {
      child.process.kill('SIGKILL');
      return child.ended;
    },
  };
}

/** Starts a batch of one document a job, all in its window. */
const begin = (id: string, source: string, jobs: number) =>
  site.batches.start({ project: 'Quickstart', source: { folder: source }, limits: { maxFiles: 1 }, maxConcurrentJobs: jobs }, { id });

/** Waits for the end, then looks at all that must hold: every document once, in a job that was completed, and a whole archive. */
async function expectCompleted(id: string, documents: number): Promise<void> {
  expect(await site.batches.wait(id)).toMatchObject({ status: 'completed', counts: { processed: documents } });
  expect((await verifyBatch(site.store, id)).problems).toEqual([]);
  const jobs = [...site.simulator.state.jobs.values()];
  expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(['completed']));
  // A registration whose answer died with its worker is made again, and the first one comes to nothing.
  const sent = jobs.flatMap((job) => job.documents.flatMap(({ included, sha256 }) => (included ? [sha256] : [])));
  expect([jobs.length, sent.length, new Set(sent).size]).toEqual([documents, documents, documents]);
}

async function until(look: () => Promise<boolean>): Promise<void> {
  for (const limit = AbortSignal.timeout(200_000); !(await look()); await pause(lookMs)) limit.throwIfAborted();
}

/** Who took the activities of each queue to their end. */
async function pidsByQueue(id: string, jobs: number): Promise<Record<string, number[]>> {
  const done = await doneActivities(site, id, jobs);
  return Object.fromEntries(Object.values(taskQueues).map((queue) => [queue, [...new Set(done.filter((activity) => activity.queue === queue).map(({ pid }) => pid))]]));
}

test('two workers share a batch within one rate, and one of them may be killed while it uploads', async () => {
  const jobs = 20;
  const [whole, sender] = await Promise.all([startWorker(), startWorker({ args: ['--only', 'transfer'] })]);
  // What the batch waits for is the storage.
  site.simulator.state.faults.add({ kind: 'request', operation: 'putObject', delayMs: 1_000, times: 0 });
  await begin('shared', await site.documents('shared', jobs), jobs);
  const uploaders = async () => (await doneActivities(site, 'shared', jobs)).flatMap(({ name, pid }) => (name === 'uploadDocuments' ? [pid] : []));
  await until(async () => (await uploaders()).includes(sender.pid));
  // From now on uploads stand still, so that the kill comes in the middle of some.
  site.simulator.state.faults.clear();
  site.simulator.state.faults.add({ kind: 'request', operation: 'putObject', stallBytes: 0, times: 0 });
  const before = site.log.requests.length;
  // One that began earlier may end while it is looked at.
  const standsStill = (workflowId: string) => site.log.requests.slice(before).some(({ operation, job }) => operation === 'putObject' && job === workflowId);
  await until(async () =>
    (await openActivities(site, 'shared', jobs)).some(({ name, workflowId, pid, started }) => name === 'uploadDocuments' && pid === sender.pid && started && standsStill(workflowId)),
  );
  await sender.kill();
  site.simulator.state.faults.clear();
  // Temporal would find out by itself, but only when heartbeats have been missing for a minute.
  let given = 0;
  await until(async () => {
    given += await giveBack(site, 'shared', jobs, sender.pid);
    return (await site.batches.status('shared')).closedAt !== null;
  });
  expect(given).toBeGreaterThan(0);
  await expectCompleted('shared', jobs);
  expect(new Set(await uploaders())).toEqual(new Set([whole.pid, sender.pid]));

  const times = site.log.requests.flatMap(({ kind, atMs }) => (kind === 'api' ? [atMs] : []));
  const spanSeconds = (Math.max(...times) - Math.min(...times)) / 1000;
  expect(times.length).toBeLessThanOrEqual(requestsPerSecond * spanSeconds + burst);
});

test('--only splits the roles, and run names the queue that nobody serves', async () => {
  const source = await site.documents('roles', 3);
  const [api, archive] = await Promise.all([startWorker({ args: ['--only', 'api'] }), startWorker({ args: ['--only', 'archive'] })]);
  const run = startCli(['run', source, '--id', 'roles', '--max-files', '1'], site.env as Record<string, string>);
  await run.seen(/No worker polls plangrep-transfer\. Start one with the same environment: plangrep-batch worker/);
  expect(await site.batches.status('roles')).toMatchObject({ status: 'planning', documentsDone: 0 });
  const transfer = await startWorker({ args: ['--only', 'transfer'] });
  expect((await run.ended).code).toBe(0);
  await expectCompleted('roles', 3);
  expect(await pidsByQueue('roles', 3)).toEqual({
    [taskQueues.batch]: [api.pid],
    [taskQueues.api]: [api.pid],
    [taskQueues.transfer]: [transfer.pid],
    [taskQueues.archive]: [archive.pid],
  });
});

test("a worker without the source's mount says so, and the batch is done by one that has it", async () => {
  // A link that leads each process into its own working folder stands for a mount that only some hosts have.
  const [mounted, bare] = [join(folder, 'mounted'), join(folder, 'bare')];
  await Promise.all([mkdir(mounted), mkdir(bare), symlink('/proc/self/cwd', join(folder, 'mnt'))]);
  await rename(await site.documents('sheets', 1), join(mounted, 'sheets'));
  const source = join(folder, 'mnt/sheets');
  await startWorker({ cwd: bare });
  await begin('mount', source, 1);
  const planning = async () => (await openActivities(site, 'mount', 0))[0]?.failure ?? null;
  await until(async () => (await planning()) !== null);
  expect(await planning()).toEqual({ type: failureTypes.sourceUnavailable, message: `The source ${source} cannot be read on worker host ${hostname()}: it does not exist` });
  const { pid } = await startWorker({ cwd: mounted });
  await expectCompleted('mount', 1);
  const readers = (await doneActivities(site, 'mount', 1)).filter(({ name }) => ['planBatch', 'uploadDocuments'].includes(name));
  expect(readers.map((reader) => reader.pid)).toEqual([pid, pid]);
});
