import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { ManifestRequest } from '../../src/contract/activities';
import type { BatchProgress } from '../../src/contract/batch';
import { jobStatusChangedSignal, jobWorkflowId, statusQuery, summaryMemo } from '../../src/contract/messages';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { fakeActivities, type FakeBatch } from '../support/fake-activities';
import { FakeRemote } from '../support/fake-remote';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, withWorkers } from '../support/workflow-runner';

/** Low, so that a job that hears much continues as new. */
const suggestAfterEvents = 120;

describe('cancelling and waiting, on a real server', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;
  let remote: FakeRemote;

  beforeAll(async () => {
    quietRuntime();
    const server = startLocalTemporal({ extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${suggestAfterEvents}`] });
    [env, bundle] = await Promise.all([server, bundleWorkflows()]);
  });
  beforeEach(() => {
    remote = new FakeRemote(async () => Date.now());
  });
  afterAll(async () => {
    await tearDown(env);
  });

  /** Resolves once the condition holds; jest's own limit ends a test that waits in vain. */
  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) await delay(50);
  }

  interface Ended {
    failure: unknown;
    summary: BatchProgress;
    status: string;
    manifest: ManifestRequest;
    fake: ReturnType<typeof fakeActivities>;
  }

  /** Runs a batch, cancels it when the story says so, and tells how it ended. */
  async function cancelWhen(batch: Partial<FakeBatch>, ready: (batchId: string, fake: Ended['fake']) => Promise<void>, overrides: Parameters<typeof fakeActivities>[1] = {}): Promise<Ended> {
    let manifest: ManifestRequest | undefined;
    const base = fakeActivities({ jobs: 4, documentsPerJob: 2, maxConcurrentJobs: 2, ...batch });
    const fake = fakeActivities(
      { jobs: 4, documentsPerJob: 2, maxConcurrentJobs: 2, ...batch },
      { ...overrides, api: { ...remote.activities, ...overrides.api }, transfer: { ...overrides.transfer, writeManifest: (request) => { manifest = request; return base.activities.transfer.writeManifest(request); } } },
    );
    const batchId = `cancel-${randomUUID()}`;
    return withWorkers(env, bundle, fake.activities, async () => {
      const handle = await startBatch(env.client, batchId);
      await ready(batchId, fake);
      await handle.cancel();
      const failure: unknown = await handle.result().then(() => null, (error: unknown) => error);
      const { status, memo } = await handle.describe();
      return { failure, status: status.name, summary: memo![summaryMemo] as BatchProgress, manifest: manifest!, fake };
    });
  }

  test('open jobs cancel their remote jobs and see them end, no other starts, and the manifest says so', async () => {
    remote.statuses.set(1, 'processing').set(2, 'processing');
    const { failure, status, summary, manifest, fake } = await cancelWhen({}, () => until(() => remote.of('read').length === 2));
    expect((failure as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    expect(status).toBe('CANCELLED');
    expect(summary).toMatchObject({ status: 'cancelled', jobs: { open: 0, done: 2 } });
    expect(manifest).toMatchObject({ cancelled: true, failure: { code: 'cancelled' }, error: null });
    expect(remote.of('create')).toEqual([1, 2]);
    expect(remote.of('cancel').sort()).toEqual([1, 2]);
    expect([...fake.endings.values()]).toEqual([expect.objectContaining({ outcome: 'cancelled' }), expect.objectContaining({ outcome: 'cancelled' })]);
  });

  test('a job that finished before it could be cancelled is archived', async () => {
    remote.statuses.set(1, 'processing').set(2, 'processing');
    const { fake } = await cancelWhen({}, async () => {
      await until(() => remote.of('read').length === 2);
      remote.statuses.set(1, 'completed');
    });
    expect(fake.endings.get(1)).toEqual({ kind: 'archived' });
    expect(fake.endings.get(2)).toMatchObject({ outcome: 'cancelled' });
  });

  test('a creation is never interrupted: what it made is cancelled', async () => {
    remote.statuses.set(1, 'awaiting_uploads');
    let creating = false;
    let cancelled = false;
    const { fake } = await cancelWhen(
      { jobs: 1 },
      async (batchId) => {
        await until(() => creating);
        // The creation ends only after the batch's cancellation has reached the job.
        void until(async () => (await env.client.workflow.getHandle(jobWorkflowId(batchId, 1)).fetchHistory()).events!.some((event) => event.workflowExecutionCancelRequestedEventAttributes)).then(() => { cancelled = true; });
      },
      { api: { createJob: async (request) => { creating = true; await until(() => cancelled); return remote.activities.createJob(request); } } },
    );
    expect(remote.calls).toEqual(['create 1', 'cancel 1', 'read 1']);
    expect(fake.calls.map(({ name }) => name)).not.toContain('uploadDocuments');
    expect(fake.endings.get(1)).toMatchObject({ outcome: 'cancelled' });
  });

  test('a blocked batch can be cancelled', async () => {
    remote.block(1, 2);
    const { summary } = await cancelWhen({}, async (batchId) => until(async () => (await env.client.workflow.getHandle(`batch/${batchId}`).query(statusQuery)).status === 'blocked_credits'));
    expect(summary).toMatchObject({ status: 'cancelled', gate: null });
    expect(remote.of('cancel').sort()).toEqual([1, 2]);
  });

  test('a batch that is cancelled while it plans ends with an empty manifest', async () => {
    let planning = false;
    const { status, fake } = await cancelWhen({}, () => until(() => planning), {
      transfer: { planBatch: async () => { planning = true; throw new Error('the source is slow'); } },
    });
    expect(status).toBe('CANCELLED');
    expect(fake.calls.map(({ name }) => name).filter((name) => name !== 'planBatch')).toEqual(['acceptBatch', 'writeManifest']);
  });

  test('one job cancelled by itself ends as cancelled; the batch goes on', async () => {
    remote.statuses.set(1, 'processing');
    const fake = fakeActivities({ jobs: 3, documentsPerJob: 2, maxConcurrentJobs: 1 }, { api: remote.activities });
    const batchId = `cancel-${randomUUID()}`;
    const progress = await withWorkers(env, bundle, fake.activities, async () => {
      const handle = await startBatch(env.client, batchId);
      await until(() => remote.of('read').length === 1);
      await env.client.workflow.getHandle(jobWorkflowId(batchId, 1)).cancel();
      return handle.result();
    });
    expect(progress.jobs).toEqual({ planned: 3, open: 0, done: 3 });
    expect(fake.endings.get(1)).toMatchObject({ outcome: 'cancelled' });
  });

  test('news ends a long delay between polls; any number of them, and a full history, lose nothing', async () => {
    remote.statuses.set(1, 'processing');
    const fake = fakeActivities({ jobs: 1, documentsPerJob: 2, maxConcurrentJobs: 1 }, { api: remote.activities });
    const batchId = `news-${randomUUID()}`;
    await withWorkers(env, bundle, fake.activities, async () => {
      const handle = await startBatch(env.client, batchId);
      const job = env.client.workflow.getHandle(jobWorkflowId(batchId, 1));
      await until(() => remote.of('read').length === 1);
      for (let reads = 2; reads < 14; reads += 1) {
        await job.signal(jobStatusChangedSignal, { status: 'unheard_of', updatedAt: null });
        await until(() => remote.of('read').length >= reads);
      }
      remote.statuses.set(1, 'completed');
      await job.signal(jobStatusChangedSignal, { status: 'completed', updatedAt: null });
      await handle.result();
      const { raw } = await job.describe();
      expect((raw.workflowExecutionInfo as { firstRunId?: string }).firstRunId).not.toBe(raw.workflowExecutionInfo!.execution!.runId);
    });
    expect(remote.of('create')).toEqual([1]);
    expect(fake.calls.filter(({ name }) => name === 'uploadDocuments')).toHaveLength(1);
  });
});
