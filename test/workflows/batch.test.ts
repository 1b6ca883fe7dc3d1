import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import type { BatchProgress } from '../../src/contract/batch';
import { failureTypes } from '../../src/contract/failures';
import { jobWorkflowId } from '../../src/contract/messages';
import { closedJob, createdJob, endedJob, fakeActivities } from '../support/fake-activities';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, timeSkipping, withWorkers } from '../support/workflow-runner';

const refusal = (type: string, message = 'no') => ApplicationFailure.create({ type, message, nonRetryable: true });

describe('batchWorkflow', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;

  beforeAll(async () => {
    quietRuntime();
    [env, bundle] = await Promise.all([timeSkipping(), bundleWorkflows()]);
  });
  afterAll(async () => {
    await tearDown(env);
  });

  const run = (activities: Activities): Promise<BatchProgress> =>
    withWorkers(env, bundle, activities, async () => (await startBatch(env.client)).result());

  /** The failure of a batch that must fail, with the summary in its details. */
  async function failureOf(activities: Activities): Promise<{ message: string; progress: BatchProgress }> {
    const error = await run(activities).then(() => Promise.reject(new Error('The batch did not fail')), (failure: unknown) => failure);
    const cause = (error as WorkflowFailedError).cause as ApplicationFailure;
    expect(cause.type).toBe(failureTypes.batchFailed);
    return { message: cause.message, progress: cause.details?.[0] as BatchProgress };
  }

  test('runs every planned job through all stages and ends with the manifest', async () => {
    const { activities, calls, endings } = fakeActivities({ jobs: 3, documentsPerJob: 2, maxConcurrentJobs: 2 });
    const progress = await run(activities);
    expect(progress).toMatchObject({ status: 'completed', documents: 6, documentsDone: 6, jobs: { planned: 3, open: 0, done: 3 }, archive: '/archive', error: null });
    for (const job of [1, 2, 3]) {
      const stages = calls.filter((call) => call.job === job).map(({ name }) => name);
      expect(stages).toEqual(['createJob', 'uploadDocuments', 'completeUploads', 'awaitJob', 'archiveJob']);
    }
    expect([...endings.values()]).toEqual([{ kind: 'archived' }, { kind: 'archived' }, { kind: 'archived' }]);
    expect(calls.map(({ name }) => name).slice(0, 4)).toEqual(['acceptBatch', 'planBatch', 'findProject', 'awaitProject']);
    expect(calls.at(-1)!.name).toBe('writeManifest');
  });

  test('never has more jobs open than the window is wide', async () => {
    let open = 0;
    let most = 0;
    const { activities } = fakeActivities(
      { jobs: 9, documentsPerJob: 1, maxConcurrentJobs: 3 },
      {
        api: {
          createJob: async ({ job }) => {
            open += 1;
            most = Math.max(most, open);
            return createdJob(job);
          },
        },
        archive: {
          archiveJob: async () => {
            open -= 1;
            return closedJob({ processed: 1 });
          },
        },
      },
    );
    expect((await run(activities)).jobs.done).toBe(9);
    expect(most).toBe(3);
  });

  test('a job that Plangrep refuses fails its documents and gives up its remote job; the batch goes on', async () => {
    const { activities, calls, endings } = fakeActivities(
      { jobs: 3, documentsPerJob: 2, maxConcurrentJobs: 3 },
      { api: { completeUploads: async ({ job }) => { if (job === 2) throw refusal(failureTypes.rejected, 'over the limit'); } } },
    );
    const progress = await run(activities);
    expect(progress.status).toBe('completed_with_errors');
    expect(endings.get(2)).toEqual({ kind: 'ended', outcome: 'failed', reason: { code: 'remote_error', message: 'over the limit' } });
    expect(calls).toContainEqual({ name: 'cancelJob', job: 2 });
    expect(endings.get(1)).toEqual({ kind: 'archived' });
  });

  const badPdf = { code: 'bad_pdf', message: 'cannot be read' };
  test.each([
    ['failed', badPdf, { kind: 'failed', error: badPdf, creditsDebited: 0 }],
    ['cancelled', null, { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled' } }],
    ['expired', null, { kind: 'ended', outcome: 'expired', reason: { code: 'expired' } }],
  ] as const)('a job that ends as %s gives its documents that outcome, and no result is asked for', async (status, error, ending) => {
    const { activities, calls, endings } = fakeActivities(
      { jobs: 1, documentsPerJob: 2, maxConcurrentJobs: 1 },
      { api: { awaitJob: async () => endedJob(status, { error, creditsDebited: 0 }) } },
    );
    await run(activities);
    expect(endings.get(1)).toMatchObject(ending);
    expect(calls.map(({ name }) => name)).not.toContain('archiveJob');
  });

  test('a job of which nothing could be sent is cancelled, never completed', async () => {
    const { activities, calls } = fakeActivities(
      { jobs: 1, documentsPerJob: 2, maxConcurrentJobs: 1 },
      { transfer: { uploadDocuments: async () => ({ sent: 0, notSent: 2, bytes: 0 }) } },
    );
    await run(activities);
    expect(calls.map(({ name }) => name).filter((name) => name === 'cancelJob' || name === 'completeUploads')).toEqual(['cancelJob']);
  });

  test('a key that is refused at the first call fails the batch: nothing is started, every document is unauthorized', async () => {
    let request: unknown;
    const { activities, calls } = fakeActivities(
      { jobs: 5, documentsPerJob: 1, maxConcurrentJobs: 2 },
      {
        api: { findProject: async () => { throw refusal(failureTypes.unauthorized); } },
        transfer: { writeManifest: async (asked) => { request = asked; return { status: 'failed', documents: 5, counts: { failed: 5 }, pages: 0, credits: 0 }; } },
      },
    );
    const { progress } = await failureOf(activities);
    expect(progress).toMatchObject({ status: 'failed', counts: { failed: 5 }, error: { code: failureTypes.unauthorized } });
    expect(request).toMatchObject({ failure: { code: 'unauthorized' }, cancelled: false });
    expect(calls.map(({ name }) => name)).toEqual(['acceptBatch', 'planBatch', 'findProject', 'writeManifest']);
  });

  test('a project that is not there fails the batch after its manifest accounts for each document', async () => {
    const { activities, calls } = fakeActivities(
      { jobs: 2, documentsPerJob: 1, maxConcurrentJobs: 2 },
      { api: { findProject: async () => { throw refusal(failureTypes.projectNotFound, 'No project "Harbor"'); } } },
    );
    const { message } = await failureOf(activities);
    expect(message).toBe('ProjectNotFound: No project "Harbor"');
    expect(calls.map(({ name }) => name)).toEqual(['acceptBatch', 'planBatch', 'findProject', 'writeManifest']);
  });

  test('creates the project when asked to', async () => {
    const { activities, calls } = fakeActivities(
      { jobs: 1, documentsPerJob: 1, maxConcurrentJobs: 1, createProject: true },
      { api: { findProject: async ({ orFail }) => { expect(orFail).toBe(false); return null; } } },
    );
    expect((await run(activities)).status).toBe('completed');
    expect(calls.map(({ name }) => name)).toContain('createProject');
  });

  test('a batch without jobs asks Plangrep for nothing', async () => {
    const { activities, calls } = fakeActivities({ jobs: 0, documentsPerJob: 0, maxConcurrentJobs: 1 });
    expect((await run(activities)).status).toBe('completed');
    expect(calls.map(({ name }) => name)).toEqual(['acceptBatch', 'planBatch', 'writeManifest']);
  });

  test.each(['../evil', 'a..b', '.hidden', 'x'.repeat(121)])('a batch id like "%s" fails before anything is written', async (batchId) => {
    const { activities, calls } = fakeActivities({ jobs: 1, documentsPerJob: 1, maxConcurrentJobs: 1 });
    await withWorkers(env, bundle, activities, async () => {
      const handle = await startBatch(env.client, batchId);
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect(calls).toEqual([]);
  });

  test('a refused input fails the batch, and no manifest is written', async () => {
    const { activities, calls } = fakeActivities(
      { jobs: 1, documentsPerJob: 1, maxConcurrentJobs: 1 },
      { batch: { acceptBatch: async () => { throw refusal(failureTypes.invalidInput, 'project is missing'); } } },
    );
    expect((await failureOf(activities)).message).toBe('InvalidInput: project is missing');
    expect(calls.map(({ name }) => name)).toEqual(['acceptBatch']);
  });

  test('a job whose limits turn out lower is cancelled before any upload and split; jobs not yet created obey too', async () => {
    const splits: number[] = [];
    const { activities, calls } = fakeActivities(
      { jobs: 2, documentsPerJob: 4, maxConcurrentJobs: 1 },
      {
        api: { createJob: async ({ job }) => createdJob(job, { lowered: job === 1 ? { maxFiles: 2 } : null }) },
        batch: { splitJob: async ({ job, next, limits }) => { expect(limits).toEqual({ maxFiles: 2 }); splits.push(job); return { jobs: job <= 2 ? [next, next + 1] : [job], rejected: 0 }; } },
      },
    );
    const progress = await run(activities);
    expect(progress.jobs).toEqual({ planned: 4, open: 0, done: 4 });
    expect(splits).toEqual([1, 3, 4, 2, 5, 6]);
    const uploaded = calls.filter(({ name }) => name === 'uploadDocuments').map(({ job }) => job);
    expect(uploaded).toEqual([3, 4, 5, 6]);
    expect(calls.filter(({ name }) => name === 'cancelJob').map(({ job }) => job)).toEqual([1]);
  });

  test('polls for five days without growing its history', async () => {
    let polls = 0;
    const { activities } = fakeActivities(
      // Earlier tests have skipped time.
      { jobs: 1, documentsPerJob: 1, maxConcurrentJobs: 1, now: () => env.currentTimeMs() },
      { api: { awaitJob: async () => {
        polls += 1;
        if (polls < 120) throw ApplicationFailure.create({ type: failureTypes.notYet, message: 'job is processing', nextRetryDelay: 3_600_000 });
        return endedJob();
      } } },
    );
    const batchId = `days-${randomUUID()}`;
    await withWorkers(env, bundle, activities, async () => (await startBatch(env.client, batchId)).result());
    const { events } = await env.client.workflow.getHandle(jobWorkflowId(batchId, 1)).fetchHistory();
    expect(polls).toBe(120);
    expect(events!.length).toBeLessThanOrEqual(60);
  });
});
