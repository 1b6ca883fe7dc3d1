import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { closedJob, fakeActivities } from '../support/fake-activities';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, withWorkers } from '../support/workflow-runner';

/** The server suggests continue-as-new after so many events, so that a small batch does it often. */
const suggestAfterEvents = 80;

describe('the window of jobs on a real server', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;

  beforeAll(async () => {
    quietRuntime();
    const server = startLocalTemporal({ extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${suggestAfterEvents}`] });
    [env, bundle] = await Promise.all([server, bundleWorkflows()]);
  });
  afterAll(async () => {
    await tearDown(env);
  });

  test('goes on in new runs with the same open jobs, and loses no completion', async () => {
    const { activities, calls } = fakeActivities({ jobs: 40, documentsPerJob: 3, maxConcurrentJobs: 4 });
    const batchId = `window-${randomUUID()}`;
    const { progress, runs, events } = await withWorkers(env, bundle, activities, async () => {
      const handle = await startBatch(env.client, batchId);
      const result = await handle.result();
      const history = await env.client.workflow.getHandle(batchWorkflowId(batchId)).fetchHistory();
      const query = `WorkflowId = '${batchWorkflowId(batchId)}'`;
      let count = 0;
      for await (const _ of env.client.workflow.list({ query })) count += 1;
      return { progress: result, runs: count, events: history.events!.length };
    });
    expect(progress).toMatchObject({ status: 'completed', documentsDone: 120, jobs: { planned: 40, open: 0, done: 40 } });
    expect(runs).toBeGreaterThan(2);
    // The suggestion comes at the threshold; what is still open then adds at most its own events.
    expect(events).toBeLessThan(suggestAfterEvents * 2);
    const created = calls.filter(({ name }) => name === 'createJob').map(({ job }) => job);
    expect(created.sort((a, b) => a! - b!)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(calls.filter(({ name }) => name === 'planBatch')).toHaveLength(1);
  });

  test('a terminated job is started again once; the second time its documents are given up, and its slot is free', async () => {
    const batchId = `terminated-${randomUUID()}`;
    const first = env.client.workflow.getHandle(jobWorkflowId(batchId, 1));
    const { activities, calls, endings } = fakeActivities(
      { jobs: 2, documentsPerJob: 1, maxConcurrentJobs: 1 },
      {
        transfer: { uploadDocuments: async ({ job }) => { if (job === 1) await first.terminate('test'); return { sent: 1, notSent: 0, bytes: 1 }; } },
        batch: { findClosedJobs: async ({ jobs }) => jobs.map((job) => ({ job, kind: 'lost' as const, limits: null, ...closedJob({}) })) },
      },
    );
    const progress = await withWorkers(env, bundle, activities, async () => (await startBatch(env.client, batchId)).result());
    expect(progress).toMatchObject({ jobs: { planned: 2, open: 0, done: 2 }, counts: { processed: 2 } });
    const ofFirst = calls.filter(({ job }) => job === 1).map(({ name }) => name);
    expect(ofFirst).toEqual(['createJob', 'uploadDocuments', 'createJob', 'uploadDocuments', 'abandonJob', 'closeJob']);
    expect(endings.get(1)).toMatchObject({ outcome: 'failed', reason: { code: 'job_workflow_lost' } });
  });
});
