import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { cancel, pause, resume } from '../../src/cli/operate';
import { retry } from '../../src/cli/retry';
import { list, status, watch } from '../../src/cli/status';
import { BatchClient, BatchClosedError, BatchNotFinishedError, BatchNotFoundError, type BatchInputOptions } from '../../src/client';
import { batchInputSchema } from '../../src/contract/batch';
import { batchKeys } from '../../src/contract/keys';
import { batchWorkflowId, jobWorkflowId, taskQueues } from '../../src/contract/messages';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { errorOf, runCli } from '../support/cli';
import { listening } from '../support/cli-output';
import { blockSignal, endSignal, silentLabel } from '../support/fake-batch-workflow';

const input: BatchInputOptions = { project: 'Quickstart', source: { folder: '/data' }, labels: { owner: 'ann' }, createProject: true, allowEmpty: true, maxConcurrentJobs: 2 };
const ownId = (): string => `op_${randomUUID()}`;

let env: TestWorkflowEnvironment;
let simulator: Simulator;
let batches: BatchClient;
let folder: string;
let given: Record<string, string>;
const archived = new Set<string>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  env = await startLocalTemporal();
  simulator = await startSimulator({});
  folder = await mkdtemp(join(tmpdir(), 'cli-operating-'));
  batches = new BatchClient({ client: env.client, isArchived: async (id) => archived.has(id) });
  given = { TEMPORAL_ADDRESS: env.address, TEMPORAL_CONFIG_FILE: join(folder, 'none.toml'), PLANGREP_BASE_URL: simulator.apiUrl, PLANGREP_API_KEY: simulator.apiKey, PLANGREP_PROJECT: '', PLANGREP_ARCHIVE: '' };
  Object.assign(process.env, given);
});
afterAll(async () => {
  await Promise.all([env.teardown(), simulator.close()]);
  await rm(folder, { recursive: true, force: true });
});

const handle = (batchId: string) => env.client.workflow.getHandle(batchWorkflowId(batchId));
async function started(more: object = {}): Promise<string> {
  const id = ownId();
  await batches.start({ ...input, ...more }, { id });
  return id;
}
async function ended(how: 'complete' | 'errors' | 'fail'): Promise<string> {
  const id = await started();
  await handle(id).signal(endSignal, how);
  await handle(id).result().catch(() => {});
  archived.add(id);
  return id;
}
/** Visibility follows the truth with a delay of about a second. */
async function eventually(look: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) if (await look()) return;
  throw new Error('It never came to pass');
}

describe('without a worker', () => {
  it('pause and resume say so at once and send nothing', async () => {
    const id = await started();
    for (const order of [batches.pause(id), batches.resume(id)]) await expect(order).rejects.toMatchObject({ name: 'NoWorkerError', sent: false });
    expect((await handle(id).fetchHistory()).events).toHaveLength(2);
    const said = await runCli(['pause', id, '--json'], given);
    expect(said.code).toBe(4);
    expect(errorOf(said)).toMatchObject({ code: 'no_worker', fix: expect.stringContaining('plangrep-batch worker') as string });
  });

  it('cancel is taken all the same, and says who will act on it', async () => {
    const id = await started();
    const said = listening();
    expect(await cancel(id, {}, said.output)).toBe(0);
    expect(said.stderr()).toContain('Not every task queue has a worker');
    expect(said.stdout()).toContain(`Follow it: plangrep-batch watch ${id}`);
  });

  it('input reads what a client with a codec wrote', async () => {
    const flip = (payloads: Payload[]) => Promise.resolve(payloads.map(({ metadata, data }) => ({ ...metadata && { metadata }, data: data!.map((byte) => byte ^ 1) })));
    const secret = new BatchClient({ client: new Client({ connection: env.connection, dataConverter: { payloadCodecs: [{ encode: flip, decode: flip }] } }) });
    const id = ownId();
    await secret.start(input, { id });
    expect(await secret.input(id)).toEqual(batchInputSchema.parse(input));
    await expect(batches.input(id)).rejects.toThrow();
  });

  it('knows no batch that never was', async () => {
    for (const order of ['pause', 'resume', 'cancel', 'retry', 'input'] as const) await expect(batches[order](ownId())).rejects.toBeInstanceOf(BatchNotFoundError);
  });
});

describe('with a worker', () => {
  let worker: Worker;
  let running: Promise<void>;
  beforeAll(async () => {
    worker = await Worker.create({ connection: env.nativeConnection, taskQueue: taskQueues.batch, workflowsPath: require.resolve('../support/fake-batch-workflow') });
    running = worker.run();
  });
  afterAll(async () => {
    worker.shutdown();
    await running;
  });

  it('pauses and resumes, as often as it is told to', async () => {
    const id = await started();
    for (const _time of [1, 2]) expect(await batches.pause(id)).toEqual({ status: 'paused', message: 'it pauses' });
    expect(await batches.status(id)).toMatchObject({ status: 'paused', gate: { reason: 'paused', nextProbeAt: null }, warning: null, retryOf: null });
    const text = listening();
    expect(await status(id, text.output)).toBe(0);
    expect(text.stdout()).toMatch(new RegExp(`waits +no new job starts since .*: it was paused\n +what to do +plangrep-batch resume ${id}\n`));
    for (const _time of [1, 2]) expect(await batches.resume(id)).toEqual({ status: 'running', message: 'it goes on' });
    expect(await batches.status(id)).toMatchObject({ status: 'running', gate: null });
  });

  it('answers in words and as JSON', async () => {
    const id = await started();
    const [text, json] = [listening(), listening(true)];
    expect(await pause(id, text.output)).toBe(0);
    expect(text.stdout()).toBe(`Batch ${id} (paused): it pauses\nLet it go on: plangrep-batch resume ${id}\n`);
    expect(await resume(id, json.output)).toBe(0);
    expect(json.lines()).toEqual([{ batchId: id, status: 'running', message: 'it goes on' }]);
  });

  it('refuses to steer a closed batch, and says how it ended', async () => {
    const id = await ended('errors');
    for (const order of [batches.pause(id), batches.resume(id)]) await expect(order).rejects.toMatchObject({ name: 'BatchClosedError', status: 'completed_with_errors' });
    await expect(batches.pause(await ended('fail'))).rejects.toBeInstanceOf(BatchClosedError);
  });

  /** A batch that waits for credits, and those who look at it. */
  test('a closed gate is told once, as is its opening; the list finds it', async () => {
    const id = await started();
    await handle(id).signal(blockSignal, { reason: 'insufficient_credits', nextProbeAt: '2026-01-01T00:05:00Z' });
    await eventually(async () => (await batches.list({ status: 'blocked_credits' })).some(({ batchId }) => batchId === id));
    const listed = listening(true);
    expect(await list({ status: 'blocked_credits' }, listed.output)).toBe(0);
    expect(listed.lines()[0]).toMatchObject({ batches: [{ batchId: id, status: 'blocked_credits' }] });
    const [people, program] = [listening(), listening(true)];
    const watching = [watch(id, people.output), watch(id, program.output)];
    await Promise.all([people, program].map(({ seen }) => seen(/has no credits left/)));
    await people.seen(/^blocked_credits: 3 of 10/m);
    await batches.resume(id);
    await Promise.all([people, program].map(({ seen }) => seen(/starts jobs again/)));
    await handle(id).signal(endSignal, 'complete');
    expect(await Promise.all(watching)).toEqual([0, 0]);
    for (const { stderr } of [people, program]) expect(stderr().match(/has no credits left/g)).toHaveLength(1);
    expect(people.stderr()).toContain(`Add credits at Plangrep. It tries again by itself at 2026-01-01T00:05:00Z; at once: plangrep-batch resume ${id}`);
    expect(program.lines().map(({ type, status: at }) => `${String(type)} ${String(at)}`)).toEqual(['progress blocked_credits', 'progress running', 'progress completed', 'summary completed']);
  });

  describe('cancel', () => {
    it('ends a running batch, whose summary its memo keeps', async () => {
      const id = await started();
      const said = listening(true);
      expect(await cancel(id, { wait: true }, said.output)).toBe(0);
      expect(said.lines().at(-1)).toMatchObject({ type: 'summary', status: 'cancelled', counts: { processed: 9, cancelled: 1 }, archive: '/archive', error: null });
      expect(await batches.wait(id)).toMatchObject({ status: 'cancelled', documentsDone: 10 });
      expect(await batches.cancel(id)).toEqual({ batchId: id, cancelled: 'nothing', jobs: 0, status: 'cancelled', message: `Batch ${id} is closed already (cancelled), and none of its jobs is running: there is nothing to cancel.` });
    });

    it('shows what Temporal knows of a batch that left no summary', async () => {
      const id = await started({ labels: { [silentLabel]: 'yes' } });
      expect(await batches.cancel(id)).toMatchObject({ cancelled: 'batch' });
      expect(await batches.wait(id)).toMatchObject({ status: 'cancelled', counts: {}, archive: null, error: null });
    });

    it('has nothing to do for one that finished', async () => {
      expect(await batches.cancel(await ended('complete'))).toMatchObject({ cancelled: 'nothing', status: 'completed' });
    });

    async function startJobs(batchId: string, count: number): Promise<void> {
      const start = (_: unknown, job: number) => env.client.workflow.start('jobWorkflow', { workflowId: jobWorkflowId(batchId, job + 1), taskQueue: taskQueues.batch });
      await Promise.all(Array.from({ length: count }, start));
      await eventually(async () => (await env.client.workflow.count(`WorkflowId STARTS_WITH '${batchWorkflowId(batchId)}/job/' AND ExecutionStatus = 'Running'`)).count === count);
    }
    const jobStatus = async (batchId: string, job: number) => (await env.client.workflow.getHandle(jobWorkflowId(batchId, job)).describe()).status.name;

    it('ends the jobs that a terminated batch left behind, and no others', async () => {
      const id = await started();
      const neighbour = id.replace('_', '-'); // `_` is any character to some databases
      await Promise.all([startJobs(id, 25), startJobs(neighbour, 1), startJobs(`${id}x`, 1)]);
      await handle(id).terminate('by hand');
      expect(await batches.cancel(id)).toMatchObject({ cancelled: 'jobs', jobs: 25, status: 'failed', message: expect.stringContaining('(terminated). 25 jobs') as string });
      await expect(env.client.workflow.getHandle(jobWorkflowId(id, 25)).result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      expect([await jobStatus(neighbour, 1), await jobStatus(`${id}x`, 1)]).toEqual(['RUNNING', 'RUNNING']);
      await eventually(async () => (await batches.cancel(id)).cancelled === 'nothing');
      // Temporal never knew this batch, or has forgotten it.
      expect(await batches.cancel(neighbour)).toMatchObject({ cancelled: 'jobs', jobs: 1, status: null });
      await eventually(() => batches.cancel(neighbour).then(() => false, (error: unknown) => error instanceof BatchNotFoundError));
    });
  });

  describe('retry', () => {
    it('starts the old input over what the old batch did not process', async () => {
      const old = await ended('errors');
      const { batchId } = await batches.retry(old, { retryPartialDocuments: true, labels: { owner: 'bob' } });
      expect(await batches.input(batchId)).toEqual(batchInputSchema.parse({ project: 'Quickstart', maxConcurrentJobs: 2, source: { retryOf: old }, labels: { owner: 'bob' }, retryPartialDocuments: true }));
      expect(await batches.status(batchId)).toMatchObject({ retryOf: old });
      expect(await (await handle(batchId).describe()).staticSummary()).toBe(`what ${old} did not process → Quickstart`);
    });

    it('finds the input of a batch that went on in further runs', async () => {
      const id = await started();
      const first = await handle(id).describe();
      await handle(id).signal(endSignal, 'renew');
      await env.client.workflow.result(batchWorkflowId(id), first.runId, { followRuns: false }).catch(() => {});
      expect(await batches.input(id)).toEqual(batchInputSchema.parse(input));
    });

    it('refuses a batch that runs, or that has no manifest', async () => {
      const id = await started();
      await expect(batches.retry(id)).rejects.toMatchObject({ name: 'BatchNotFinishedError', state: 'running' });
      await handle(id).terminate();
      await expect(batches.retry(id)).rejects.toMatchObject({ state: 'unfinished' });
      await expect(new BatchClient({ client: env.client }).retry(id)).rejects.toBeInstanceOf(BatchNotFinishedError);
    });

    it('by command shows and ends as run does, and attaches to its own repeat', async () => {
      const [old, id] = [await ended('errors'), ownId()];
      process.env['PLANGREP_ARCHIVE'] = folder;
      await rejected(retry(old, { id }, listening().output), BatchNotFinishedError);
      await write(batchKeys(old).manifest, '{}');
      const [first, second] = [listening(), listening(true)];
      const following = [retry(old, { id }, first.output)];
      await first.seen(/Started batch .* with what .* did not process/);
      following.push(retry(old, { id }, second.output));
      await second.seen(/runs already and retries/);
      const plan = { batchId: id, root: '/data', createdAt: '', documents: 1, rejected: 0, duplicates: 0, bytes: 0, pages: null, leftOut: 2, limits: {}, lowerBoundJobs: 1, credits: null, jobs: [], sha256: '' };
      await write(batchKeys(id).plan, JSON.stringify(plan));
      await handle(id).signal(endSignal, 'errors');
      expect(await Promise.all(following)).toEqual([3, 3]);
      await first.seen(/2 documents were left out: pages of them were, or may have been, paid for\. --retry-partial takes them too/);
      expect(second.lines().at(-1)).toMatchObject({ type: 'summary', batchId: id, retryOf: old });
      expect(first.stdout()).toMatch(new RegExp(`retries +${old}`));
    });

    it('by command has nothing to do when all is processed, and waits for none that runs', async () => {
      await expect(retry(await ended('complete'), {}, listening().output)).rejects.toMatchObject({ code: 'nothing_to_retry', exitCode: 1 });
      await rejected(retry(await started(), {}, listening().output), BatchNotFinishedError);
    });

    it('by command takes the input from the archive when Temporal has forgotten the batch', async () => {
      const [old, id] = [ownId(), ownId()];
      await rejected(retry(old, { archive: folder }, listening().output), BatchNotFoundError);
      await write(batchKeys(old).input, JSON.stringify({ batchId: old, input: batchInputSchema.parse(input), acceptedAt: '2026-01-01T00:00:00Z' }));
      await write(batchKeys(old).manifest, '{}');
      const said = listening();
      const following = retry(old, { archive: folder, id, retryPartial: true }, said.output);
      await said.seen(/Started batch/);
      expect(await batches.input(id)).toMatchObject({ source: { retryOf: old }, retryPartialDocuments: true, createProject: false, allowEmpty: false, labels: { owner: 'ann' } });
      await handle(id).signal(endSignal, 'complete');
      expect(await following).toBe(0);
    });

    async function write(key: string, text: string): Promise<void> {
      await mkdir(dirname(join(folder, key)), { recursive: true });
      await writeFile(join(folder, key), text);
    }
    const rejected = (work: Promise<unknown>, kind: new (...args: never[]) => Error) => expect(work).rejects.toBeInstanceOf(kind);
  });
});
