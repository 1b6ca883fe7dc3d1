import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { followWindow, runsOf } from '../support/batch-runs';
import { ScriptedBatch, type BatchScript, type JobScript } from '../support/scripted-batch';
import { fakeActivities } from '../support/fake-activities';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, withWorkers } from '../support/workflow-runner';

/** The server suggests continue-as-new after so many events: about every sixth job. */
const suggestAfterEvents = 60;
/** The most events that a run may have after its history was full: the end of what it was at, and what each open job and each signal bring about. */
const mostBeyond = ({ open, signals }: { open: number; signals: number }): number => 25 + 9 * open + 4 * signals;
/** Batches that run at the same time; a server and its workers are mostly waiting. */
const batchesAtOnce = 6;

/**
 * `WINDOW_SEED=n` takes the batches of a run that failed, whose seed it told. `WINDOW_ROUNDS=n` does so many rounds of {@link batchesAtOnce} batches;
 * without it there are {@link defaultRounds}, of which none begins later than {@link enoughMs} after the first: a busy machine does fewer.
 */
const { WINDOW_SEED, WINDOW_ROUNDS } = process.env;
const defaultRounds = 3;
const enoughMs = 12_000;
const rounds = Number(WINDOW_ROUNDS ?? defaultRounds);

const jobScript = fc.record<JobScript>({
  closes: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constant('together' as const), fc.integer({ min: 1, max: 150 })),
  ending: fc.oneof({ weight: 6, arbitrary: fc.constant('processed' as const) }, fc.constantFrom('failed' as const, 'again' as const, 'halves' as const, 'lowered' as const)),
  lost: fc.oneof({ weight: 8, arbitrary: fc.constant('never' as const) }, fc.constantFrom('once' as const, 'twice' as const, 'removed' as const, 'unheard' as const)),
  repeats: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
});
const batchScript = fc.record<BatchScript>({
  jobs: fc.integer({ min: 1, max: 30 }),
  // The widest never fills when its jobs close at once.
  maxConcurrentJobs: fc.constantFrom(1, 2, 3, 5, 40),
  scripts: fc.array(jobScript, { minLength: 1, maxLength: 12 }),
  cancelAfter: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, fc.integer({ min: 0, max: 20 })),
});

describe('the window under random timing, around continue-as-new', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;

  beforeAll(async () => {
    quietRuntime();
    const server = startLocalTemporal({ extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${suggestAfterEvents}`] });
    [env, bundle] = await Promise.all([server, impatientBundle()]);
  });
  afterAll(async () => {
    await tearDown(env);
  });

  /** The workflows as they are, but with the open set compared with Temporal after a second instead of ten minutes. */
  async function impatientBundle(): Promise<WorkflowBundleWithSourceMap> {
    const { code, sourceMap } = await bundleWorkflows();
    const impatient = code.replace(/(reconcileMs = \{\s*)first: [^}]*/, '$1first: 1000, last: 4000 ');
    expect(impatient === code).toBe(false);
    return { code: impatient, sourceMap };
  }

  /** Serves several batches at once: each call goes to the batch that it names. */
  function together(batches: ScriptedBatch[]): Activities {
    const { activities } = fakeActivities({ jobs: 0, documentsPerJob: 0, maxConcurrentJobs: 1 });
    const route = <G extends keyof Activities>(group: G) =>
      Object.fromEntries(
        Object.keys(activities[group]).map((name) => [
          name,
          (request: { batchId?: string }) => {
            const { activities: own } = batches.find(({ batchId }) => batchId === request.batchId) ?? { activities };
            return (own[group] as unknown as Record<string, (request: unknown) => unknown>)[name]!(request);
          },
        ]),
      ) as unknown as Activities[G];
    return { batch: route('batch'), api: route('api'), transfer: route('transfer'), archive: route('archive') };
  }

  test('every job is started and counted once, the window is never too wide, and no run outgrows its history', async () => {
    const seed = WINDOW_SEED === undefined ? {} : { seed: Number(WINDOW_SEED) };
    const startedAt = performance.now();
    const property = fc.asyncProperty(fc.array(batchScript, { minLength: batchesAtOnce, maxLength: batchesAtOnce }), async (scripts) => {
      if (WINDOW_ROUNDS === undefined && performance.now() - startedAt > enoughMs) return;
      const batches = scripts.map((script) => new ScriptedBatch(`window-${randomUUID()}`, script, env.client));
      await withWorkers(env, bundle, together(batches), () => Promise.all(batches.map(runAndCheck)));
    });
    await fc.assert(property, { ...seed, numRuns: rounds, endOnFailure: true });
  }, 60_000 * (rounds + 1));

  async function runAndCheck(batch: ScriptedBatch): Promise<void> {
    const handle = await startBatch(env.client, batch.batchId);
    const ended = await handle.result().then(({ status }) => status, (error: unknown) => error);
    const { progress, script } = batch;
    const { mostOpen, startedAfterCancel, beyond } = followWindow(await runsOf(env.client, batch.batchId));
    const cancelled = ended instanceof WorkflowFailedError;

    expect(cancelled ? (ended.cause as Error).name : ended).toBe(cancelled ? 'CancelledFailure' : 'completed');
    // A job that was about to be started when the history filled may still be: whether it must be split is asked first.
    expect(beyond.filter((run) => run.events > mostBeyond(run) || run.starts > 1)).toEqual([]);
    expect(mostOpen).toBeLessThanOrEqual(script.maxConcurrentJobs);
    expect(startedAfterCancel).toEqual([]);
    expect(progress).toMatchObject({ jobs: { open: 0, done: batch.closed.size }, error: null, gate: null });
    expect(withoutZeros(progress!.counts)).toEqual(withoutZeros(batch.counts));
    expect(progress!.documentsDone).toBe(Object.values(progress!.counts).reduce((sum, count) => sum + count, 0));
    if (!cancelled) checkWhole(batch);
  }

  function checkWhole(batch: ScriptedBatch): void {
    const { progress, script, sizes, starts, closed } = batch;
    expect(progress).toMatchObject({ documents: 4 * script.jobs, documentsDone: 4 * script.jobs, jobs: { planned: closed.size } });
    expect([...starts.keys()].sort((a, b) => a - b)).toEqual([...sizes.keys()].sort((a, b) => a - b));
    for (const [job, count] of starts) {
      const { lost } = batch.scriptOf(job);
      expect({ job, count }).toEqual({ job, count: { never: 1, unheard: 1, once: 2, removed: 2, twice: 2 }[lost] });
    }
  }
});

const withoutZeros = (counts: object) => Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
