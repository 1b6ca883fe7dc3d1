import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { NativeConnection, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { readHistory } from '../../scripts/record-histories/files';
import { traitsOf } from '../../scripts/record-histories/traits';
import { jobWorkflowId } from '../../src/contract/messages';
import { createWorkers } from '../../src/worker';
import { alteredBundle, withAltered, type Alteration } from '../support/altered-workflows';
import { runsOf } from '../support/batch-runs';
import { Story } from '../support/story';

/** A server waits ten seconds for a workflow task that a build cannot do, each time before it is tried again. */
jest.setTimeout(300_000);

/** Calls an activity more: in each run of a batch, and in a job before it sends its documents. */
const changed = (when: (patch: string) => string): Alteration[] => [
  { file: 'batch.ts', from: 'import { allHandlersFinished,', to: 'import { patched, allHandlersFinished,' },
  { file: 'batch.ts', from: 'await CancellationScope.nonCancellable(() => accept(batch, input));\n', to: `await CancellationScope.nonCancellable(() => accept(batch, input));\n  ${when('looks-at-start')} await store.findClosedJobs({ batchId, jobs: [] });\n` },
  { file: 'job.ts', from: 'import { ActivityFailure,', to: 'import { patched, ActivityFailure,' },
  { file: 'job.ts', from: 'import { jobActivities, remoteActivities }', to: 'import { batchActivities, jobActivities, remoteActivities }' },
  { file: 'job.ts', from: "  job.status = 'uploading';\n", to: `  job.status = 'uploading';\n  ${when('looks-before-upload')} await batchActivities.store.findClosedJobs({ batchId: job.input.batchId, jobs: [] });\n` },
];
/** As it must be done: what runs goes on as before. */
const patchedChange = changed((patch) => `if (patched('${patch}'))`);
/** By mistake: it holds for what runs already, too. Batches go on, their jobs cannot. */
const mistakenChange = changed(() => '').filter(({ file }) => file === 'job.ts');

/** Starts workers of a build. The answer drains them, as SIGTERM does: nothing new is taken on, what runs may end within ten seconds. */
async function deploy({ stack: { env }, activities }: Story, workflowBundle: WorkflowBundleWithSourceMap): Promise<() => Promise<void>> {
  const connection = await NativeConnection.connect({ address: env.address });
  const workers = await createWorkers({ connection, namespace: env.namespace ?? 'default' }, activities, { requestsPerSecond: 1000, workflows: { workflowBundle } });
  const running = Promise.all(workers.map((worker) => worker.run()));
  running.catch(() => undefined); // told when they are drained
  return async () => {
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
  };
}

/** Runs are short, and what a build cannot do is reported at once instead of after the fifth time, which takes most of a minute. */
const settings = ['limit.historyCount.suggestContinueAsNew=80', 'system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1'];

describe('a deploy while batches run', () => {
  let story: Story;
  let builds: { first: WorkflowBundleWithSourceMap; patched: WorkflowBundleWithSourceMap; mistaken: WorkflowBundleWithSourceMap };
  let drain: () => Promise<void> = async () => undefined;

  beforeAll(async () => {
    const [started, patched, mistaken] = await Promise.all([
      Story.start({ workers: false, temporal: { extraArgs: settings.flatMap((setting) => ['--dynamic-config-value', setting]) } }),
      alteredBundle(patchedChange),
      alteredBundle(mistakenChange),
    ]);
    story = started;
    builds = { first: story.stack.bundle, patched, mistaken };
  });
  afterAll(async () => {
    await drain();
    await story.stop();
  });

  const each = { limits: { maxFiles: 1 }, maxConcurrentJobs: 10 };
  const hold = (id: string, job: number) => story.fault({ kind: 'job', externalId: jobWorkflowId(id, job), hold: 'processing' });
  const release = (id: string, job: number) => story.control('/jobs', { job: jobWorkflowId(id, job), action: 'release' });
  const isAt = (id: string, job: number, status: string) => story.untilJobs(id, (jobs) => jobs.some((one) => one.externalId === jobWorkflowId(id, job) && one.status === status));
  /** Ends one build and starts another. */
  const change = async (build: WorkflowBundleWithSourceMap) => {
    await drain();
    drain = await deploy(story, build);
  };
  /** The patches in the first run of a workflow. */
  const patchesOf = async (workflowId: string) => {
    const { raw } = await story.handle(workflowId).describe();
    return [...traitsOf(await readHistory(story.stack.env.client, workflowId, raw.workflowExecutionInfo!.firstRunId!))].filter((trait) => trait.startsWith('patch '));
  };
  /** A batch that came to its end with everything processed, paid for once, and in the archive. */
  const isWhole = async (id: string, documents: number) => {
    expect(await story.wait(id)).toMatchObject({ status: 'completed', documents, counts: { processed: documents }, error: null });
    await story.manifest(id);
    expect((await story.debits(id)).flat()).toEqual(Array.from({ length: documents }, () => 1));
  };
  /** Waits until a failure of our own code is shown, and says where. */
  const isShown = async (id: string) => (await story.until(id, ({ error }) => error?.code === 'workflow_task_failing')).error!.message;
  /** Runs the command that replays what runs under other workflows. */
  const replayRunning = async (workflows: string) => {
    const env = { PATH: process.env.PATH, TEMPORAL_ADDRESS: story.stack.env.address };
    const child = spawn(process.execPath, ['--import', 'tsx', resolve(__dirname, '../../scripts/replay-production.ts'), '--workflows', workflows], { env });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => said.push(text.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, said: said.join('') };
  };

  test('batches of the old build are finished by the new one as they began, new ones go the new way', async () => {
    drain = await deploy(story, builds.first);
    hold('wait', 1);
    hold('long', 4);
    story.fault(
      // What drains may go on for ten seconds: this upload takes longer, and is made again.
      { kind: 'request', operation: 'putObject', externalId: 'batch/upload/', nth: 2, delayMs: 12_000 },
      { kind: 'request', operation: 'completeUploads', externalId: 'batch/gate/', status: 402, times: 0 },
    );
    await Promise.all([
      story.begin('wait', ['a.pdf']),
      story.begin('gate', ['a.pdf', 'b.pdf'], { ...each, probe: false }),
      story.begin('long', Array.from({ length: 9 }, (_, index) => `${index}.pdf`), { ...each, maxConcurrentJobs: 1 }),
    ]);
    await Promise.all([isAt('wait', 1, 'processing'), story.until('gate', ({ gate }) => gate !== null), isAt('long', 4, 'processing')]);

    const [good, bad] = await Promise.all([withAltered(patchedChange, replayRunning), withAltered(mistakenChange, replayRunning)]);
    expect(good).toMatchObject({ code: 0, said: expect.stringContaining('none would break') as string });
    expect(bad.code).toBe(1);
    for (const workflowId of [jobWorkflowId('wait', 1), jobWorkflowId('gate', 1), jobWorkflowId('long', 4)]) expect(bad.said).toContain(`${workflowId} `);

    await story.begin('upload', ['a.pdf', 'b.pdf', 'c.pdf']);
    await isAt('upload', 1, 'uploading');
    await change(builds.patched);
    story.stack.simulator.state.faults.clear();
    hold('new', 1);
    await Promise.all([story.begin('new', ['a.pdf']), release('wait', 1), release('long', 4), story.stack.batches.resume('gate')]);
    await Promise.all([isWhole('upload', 3), isWhole('wait', 1), isWhole('gate', 2), isWhole('long', 9)]);

    for (const id of ['upload', 'wait', 'gate', 'long']) expect([id, await patchesOf(`batch/${id}`), await patchesOf(jobWorkflowId(id, 1))]).toEqual([id, [], []]);
    const runs = await runsOf(story.stack.env.client, 'long');
    const markers = runs.map((events) => events.filter((event) => event.markerRecordedEventAttributes).length);
    expect([markers[0], ...new Set(markers.slice(1))]).toEqual([0, 1]);
    await isAt('new', 1, 'processing');
    expect([await patchesOf('batch/new'), await patchesOf(jobWorkflowId('new', 1))]).toEqual([['patch looks-at-start'], ['patch looks-before-upload']]);
  });

  test('rolled back, batches that the new build began wait, and go on when it is back', async () => {
    await change(builds.first);
    await release('new', 1);
    expect(await isShown('new')).toContain('Deploy the build that ran before');
    await story.begin('back', ['a.pdf']);
    await isWhole('back', 1);
    expect(await patchesOf('batch/back')).toEqual([]);
    await change(builds.patched);
    await isWhole('new', 1);
    // How a patch is found again, before it is taken out.
    const marked: string[] = [];
    for await (const { workflowId } of story.stack.env.client.workflow.list({ query: "TemporalChangeVersion = 'looks-at-start'" })) marked.push(workflowId);
    expect(marked).toContain('batch/new');
    expect(marked).not.toContain('batch/back');
  });

  test('a build that cannot go on with what runs: it is shown, nothing is lost, and the right build heals it', async () => {
    await change(builds.first);
    hold('mistake', 1);
    await story.begin('mistake', ['a.pdf', 'b.pdf'], each);
    await isAt('mistake', 1, 'processing');
    await story.until('mistake', ({ jobs }) => jobs.done === 1);
    await change(builds.mistaken);
    await release('mistake', 1);
    expect(await isShown('mistake')).toContain('does not fit what job 1 has done so far');
    const [shown] = await story.stack.batches.list({ limit: 1 });
    expect(shown).toMatchObject({ batchId: 'mistake', status: 'running', error: { code: 'workflow_task_failing' } });
    await change(builds.first);
    await isWhole('mistake', 2);
  });

  test('both builds at once, for as long as it takes: batches that both work at are finished', async () => {
    const [names, input] = [['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], { ...each, maxConcurrentJobs: 2 }];
    await story.begin('rolling-1', names, input);
    await story.until('rolling-1', ({ jobs }) => jobs.done > 0);
    const drainOld = drain;
    drain = await deploy(story, builds.patched);
    await story.begin('rolling-2', names, input);
    await Promise.all([isWhole('rolling-1', 4), isWhole('rolling-2', 4)]);
    await story.begin('rolling-3', names, input);
    await drainOld();
    await isWhole('rolling-3', 4);
    expect(await patchesOf('batch/rolling-1')).toEqual([]);
  });
});
