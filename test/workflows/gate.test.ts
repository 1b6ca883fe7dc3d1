import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { BatchProgress } from '../../src/contract/batch';
import { failureTypes } from '../../src/contract/failures';
import { gateOpenedSignal, jobStatusChangedSignal, jobWorkflowId, pauseUpdate, resumeUpdate, statusQuery } from '../../src/contract/messages';
import type { batchWorkflow } from '../../src/workflows';
import { closedJob, fakeActivities, type FakeBatch } from '../support/fake-activities';
import { FakeRemote } from '../support/fake-remote';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, timeSkipping, withWorkers } from '../support/workflow-runner';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

describe('the gate, on a clock that is skipped', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;
  let remote: FakeRemote;

  beforeAll(async () => {
    quietRuntime();
    [env, bundle] = await Promise.all([timeSkipping(), bundleWorkflows()]);
  });
  beforeEach(() => {
    remote = new FakeRemote(() => env.currentTimeMs());
  });
  afterAll(async () => {
    await tearDown(env);
  });

  type Fake = ReturnType<typeof fakeActivities>;
  type Handle = WorkflowHandle<typeof batchWorkflow>;

  /** Runs a batch against the fake remote while `story` does what an operator, or the world, does. */
  async function tell(batch: Partial<FakeBatch>, story: (handle: Handle, fake: Fake, batchId: string) => Promise<void>, overrides: Parameters<typeof fakeActivities>[1] = {}): Promise<BatchProgress> {
    const shape = { jobs: 3, documentsPerJob: 2, maxConcurrentJobs: 5, ...batch };
    const fake = fakeActivities(shape, { ...overrides, api: { ...remote.activities, ...overrides.api } });
    const batchId = `gate-${randomUUID()}`;
    return withWorkers(env, bundle, fake.activities, async () => {
      const handle = await startBatch(env.client, batchId);
      await story(handle, fake, batchId);
      return handle.result();
    });
  }

  const statusOf = (handle: Handle) => handle.query(statusQuery);
  const eventsOf = async (batchId: string, job: number) => (await env.client.workflow.getHandle(jobWorkflowId(batchId, job)).fetchHistory()).events!.length;

  test('blocked for five days, then resumed: jobs go on one by one, the nearest deadline first, and nothing is sent again', async () => {
    remote.block(1, 2, 3);
    remote.lifeOf.set(1, 9 * day).set(2, 7 * day).set(3, 8 * day);
    remote.afterResume = () => 'completed';
    const progress = await tell({ input: { probe: false } }, async (handle, fake, batchId) => {
      await env.sleep(5 * day);
      expect(await statusOf(handle)).toMatchObject({ status: 'blocked_credits', gate: { reason: 'insufficient_credits', nextProbeAt: null }, jobs: { open: 3 } });
      expect(remote.of('resume')).toEqual([]);
      expect(await eventsOf(batchId, 1)).toBeLessThan(60);
      expect(await handle.executeUpdate(resumeUpdate)).toMatchObject({ status: 'running', message: expect.stringContaining('3 waiting jobs go on') });
      expect(fake.calls.filter(({ name }) => name === 'uploadDocuments')).toHaveLength(3);
    });
    expect(progress).toMatchObject({ status: 'completed', gate: null, warning: null });
    expect(remote.of('resume')).toEqual([2, 3, 1]);
  });

  test('a job that is blocked again closes the gate again, and the next waits', async () => {
    remote.block(1, 2);
    let credits = false;
    remote.afterResume = () => (credits ? 'processing' : 'blocked_insufficient_credits');
    await tell({ jobs: 2, input: { probe: false } }, async (handle) => {
      await env.sleep(hour);
      await handle.executeUpdate(resumeUpdate);
      await env.sleep(hour);
      expect((await statusOf(handle)).gate).toMatchObject({ reason: 'insufficient_credits' });
      expect(remote.of('resume')).toEqual([1]);
      credits = true;
      await handle.executeUpdate(resumeUpdate);
      await env.sleep(hour);
      expect((await statusOf(handle)).status).toBe('running');
      expect(remote.of('resume')).toEqual([1, 1, 2]);
      remote.statuses.clear();
    });
  });

  test('probes by itself, after five minutes first and at most every hour, and opens when one gets through', async () => {
    remote.block(1, 2);
    remote.afterResume = () => 'blocked_insufficient_credits';
    const progress = await tell({ jobs: 2 }, async (handle) => {
      await env.sleep(6 * hour);
      const probes = remote.of('resume').length;
      // 5, 10, 20, 40 minutes, then hours.
      expect(probes).toBeGreaterThanOrEqual(7);
      expect(probes).toBeLessThanOrEqual(9);
      expect((await statusOf(handle)).gate!.nextProbeAt).not.toBeNull();
      remote.afterResume = () => 'completed';
    });
    expect(progress.status).toBe('completed');
    expect(new Set(remote.of('resume'))).toEqual(new Set([1, 2]));
  });

  test('somebody who resumes a job at Plangrep opens the gate for all', async () => {
    remote.block(1, 2, 3);
    remote.afterResume = () => 'completed';
    const progress = await tell({ jobs: 4, maxConcurrentJobs: 3, input: { probe: false } }, async (handle) => {
      await env.sleep(hour);
      expect((await statusOf(handle)).status).toBe('blocked_credits');
      expect(remote.of('create').toSorted()).toEqual([1, 2, 3]);
      remote.statuses.set(2, 'processing');
      await env.sleep(3 * hour);
      remote.statuses.set(2, 'completed');
    });
    expect(progress).toMatchObject({ status: 'completed', jobs: { done: 4 } });
    expect(remote.of('resume').sort()).toEqual([1, 3]);
  });

  test('blocked until expiry: two warnings, outcome expired, and the batch ends', async () => {
    remote.block(1);
    remote.afterResume = () => 'blocked_insufficient_credits';
    const warnings: unknown[] = [];
    const progress = await tell({ jobs: 2, input: { probe: false } }, async (handle, fake) => {
      for (const at of [3.6, 6.4]) {
        await env.sleep((at - (warnings.length === 0 ? 0 : 3.6)) * day);
        warnings.push((await statusOf(handle)).warning);
      }
      await env.sleep(day);
      expect(fake.endings.get(1)).toMatchObject({ kind: 'ended', outcome: 'expired' });
    });
    expect(warnings).toMatchObject([{ job: 1, percentLeft: 50 }, { job: 1, percentLeft: 10 }]);
    expect(progress).toMatchObject({ status: 'completed_with_errors', warning: null, gate: null });
  });

  test('webhooks that are lost for a day cost time, and nothing else; one that arrives ends the delay', async () => {
    remote.statuses.set(1, 'processing').set(2, 'processing');
    const progress = await tell({ jobs: 2 }, async (_handle, fake, batchId) => {
      await env.sleep(day);
      // The first one ends and nobody says so: the next poll finds it.
      remote.statuses.set(1, 'completed');
      await env.sleep(3 * hour);
      expect(fake.endings.get(1)).toEqual({ kind: 'archived' });
      expect(await eventsOf(batchId, 2)).toBeLessThan(60);
      const before = remote.of('read').length;
      remote.statuses.set(2, 'completed');
      await env.client.workflow.getHandle(jobWorkflowId(batchId, 2)).signal(jobStatusChangedSignal, { status: 'completed', updatedAt: null });
      await env.client.workflow.getHandle(jobWorkflowId(batchId, 2)).result();
      expect(remote.of('read').length).toBe(before + 1);
    });
    expect(progress.status).toBe('completed');
  });

  test('a revoked key closes the gate for every running job; once it is replaced all go on, and nothing was lost', async () => {
    remote.statuses.set(1, 'processing').set(2, 'processing');
    const progress = await tell({ jobs: 3, maxConcurrentJobs: 2 }, async (handle) => {
      await env.sleep(hour);
      remote.refusal = failureTypes.unauthorized;
      await env.sleep(2 * day);
      expect(await statusOf(handle)).toMatchObject({ status: 'blocked_auth', gate: { reason: 'unauthorized' }, jobs: { open: 2 } });
      remote.refusal = null;
      remote.statuses.clear();
    });
    expect(progress).toMatchObject({ status: 'completed', jobs: { done: 3 } });
    // Two of them are made at the same time.
    expect(remote.of('create').toSorted()).toEqual([1, 2, 3]);
  });

  test('a job that is not there before its deadline closes the gate, and is read again when it opens', async () => {
    remote.statuses.set(1, 'processing');
    const progress = await tell({ jobs: 1, input: { probe: false } }, async (handle) => {
      await env.sleep(hour);
      remote.refusal = failureTypes.notFound;
      await env.sleep(3 * hour);
      expect(await statusOf(handle)).toMatchObject({ status: 'blocked_auth', gate: { reason: 'job_not_found' } });
      remote.refusal = null;
      remote.statuses.clear();
      await handle.executeUpdate(resumeUpdate);
    });
    expect(progress.status).toBe('completed');
  });

  test('a creation that is refused for credits is made again when the gate opens', async () => {
    remote.refusal = failureTypes.insufficientCredit;
    const progress = await tell({ jobs: 3, maxConcurrentJobs: 1, input: { probe: false } }, async (handle) => {
      await env.sleep(day);
      expect(await statusOf(handle)).toMatchObject({ status: 'blocked_credits', jobs: { open: 1 } });
      remote.refusal = null;
      await handle.executeUpdate(resumeUpdate);
    });
    expect(progress).toMatchObject({ status: 'completed', jobs: { done: 3 } });
    expect(remote.of('create')).toEqual([1, 1, 2, 3]);
  });

  test('a call of the batch itself that is refused for hours is made less and less often, and at once when an operator resumes', async () => {
    let [calls, refused] = [0, true];
    const findProject = async () => {
      calls += 1;
      if (refused) throw ApplicationFailure.create({ type: failureTypes.insufficientCredit, nonRetryable: true });
      return { projectId: 'p' };
    };
    const progress = await tell(
      { jobs: 1 },
      async (handle) => {
        await env.sleep(6 * hour);
        // The first, then after 5, 10, 20 and 40 minutes, then every hour.
        expect(calls).toBeGreaterThanOrEqual(8);
        expect(calls).toBeLessThanOrEqual(10);
        expect((await statusOf(handle)).status).toBe('blocked_credits');
        refused = false;
        await handle.executeUpdate(resumeUpdate);
      },
      { api: { findProject } },
    );
    expect(progress.status).toBe('completed');
  });

  test('paused: running jobs finish, no other starts, and it shows; resume goes on', async () => {
    remote.statuses.set(1, 'processing');
    const progress = await tell({ jobs: 3, maxConcurrentJobs: 1 }, async (handle) => {
      await env.sleep(hour);
      expect(await handle.executeUpdate(pauseUpdate)).toEqual({ status: 'paused', message: 'No new job starts until resume; 1 running job finishes.' });
      remote.statuses.clear();
      await env.sleep(6 * hour);
      expect(await statusOf(handle)).toMatchObject({ status: 'paused', gate: { reason: 'paused', nextProbeAt: null }, jobs: { done: 1, open: 0 } });
      await handle.executeUpdate(resumeUpdate);
    });
    expect(progress.jobs.done).toBe(3);
  });

  test('three failures in a row with one code stop everything until an operator has looked', async () => {
    let broken = true;
    const progress = await tell(
      { jobs: 6, documentsPerJob: 1, maxConcurrentJobs: 1 },
      async (handle) => {
        await env.sleep(6 * hour);
        expect(await statusOf(handle)).toMatchObject({ status: 'failing', gate: { reason: 'failing', nextProbeAt: null }, jobs: { done: 3, open: 0 } });
        broken = false;
        await handle.executeUpdate(resumeUpdate);
      },
      { archive: { archiveJob: async () => (broken ? closedJob({ failed: 1 }, { failedWith: 'bad_pdf' }) : closedJob({ processed: 1 })) } },
    );
    expect(progress).toMatchObject({ jobs: { done: 6 }, gate: null });
  });

  test('documents that are sent again become jobs at the end of the line, and count once', async () => {
    const order: number[] = [];
    const progress = await tell(
      { jobs: 2, documentsPerJob: 2, maxConcurrentJobs: 1 },
      async (handle) => {
        await handle.result();
      },
      {
        archive: { archiveJob: async ({ job }) => { order.push(job); return job === 1 ? closedJob({ failed: 2 }, { resend: 'halves', failedWith: 'bad_pdf' }) : closedJob({ processed: job === 2 ? 2 : 1 }); } },
        transfer: { resendDocuments: async ({ job, how, next }) => { expect({ job, how, next }).toEqual({ job: 1, how: 'halves', next: 3 }); return { jobs: [3, 4], counts: { failed: 2 }, nextFollowUp: 5 }; } },
      },
    );
    expect(order).toEqual([1, 3, 4, 2]);
    expect(progress.jobs).toEqual({ planned: 4, open: 0, done: 4 });
  });

  test('a job whose batch is gone tries by itself', async () => {
    remote.block(1);
    remote.afterResume = () => 'completed';
    const batchId = `gate-${randomUUID()}`;
    const { activities } = fakeActivities({ jobs: 1, documentsPerJob: 1, maxConcurrentJobs: 1 }, { api: remote.activities });
    await withWorkers(env, bundle, activities, async () => {
      const job = env.client.workflow.getHandle(jobWorkflowId(batchId, 1));
      await env.client.workflow.start('jobWorkflow', {
        workflowId: job.workflowId,
        taskQueue: 'plangrep-batch',
        args: [{ batchId, job: 1, projectId: 'p', upload: 'signed', skipProcessed: false, attributes: [] }],
      });
      await job.signal(gateOpenedSignal);
      await job.result();
    });
    expect(remote.of('resume')).toEqual([1]);
  });
});
