import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { BatchClient, BatchIdInUseError, BatchNotFoundError, type BatchInputOptions, type BatchSummary } from '../../src/client';
import { batchWorkflowId, taskQueues } from '../../src/contract/messages';
import { endSignal } from '../support/fake-batch-workflow';
import { startLocalTemporal } from '../../scripts/local-temporal';

const input: BatchInputOptions = { project: 'Tower', source: { folder: '/data' }, labels: { owner: 'ann' } };
const ownId = (): string => `client-${randomUUID()}`;

let env: TestWorkflowEnvironment;
let batches: BatchClient;
const archived = new Set<string>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  env = await startLocalTemporal();
  batches = new BatchClient({ client: env.client, webUiUrl: 'http://127.0.0.1:8233', isArchived: async (id) => archived.has(id) });
});
afterAll(() => env.teardown());

const end = (batchId: string, how: 'complete' | 'errors' | 'fail' | 'break' | 'renew') =>
  env.client.workflow.getHandle(batchWorkflowId(batchId)).signal(endSignal, how);

/** Refusals, as what the caller can tell from them. */
const refusal = async (id: string, more: object = {}): Promise<object> => {
  const error: unknown = await batches.start({ ...input, ...more }, { id }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BatchIdInUseError);
  const { state, sameInput } = error as BatchIdInUseError;
  return { state, sameInput };
};

describe('without a worker', () => {
  it('starts, and shows what Temporal knows', async () => {
    const id = ownId();
    const started = await batches.start(input, { id });
    expect(started).toMatchObject({ batchId: id, workflowId: `batch/${id}` });
    const quick = await batches.status(id, { ask: false });
    expect(quick).toMatchObject({ status: 'planning', error: null, closedAt: null, runId: started.runId });
    expect(quick.webUrl).toBe(`http://127.0.0.1:8233/namespaces/default/workflows/batch%2F${id}/${started.runId}/history`);
    expect(await batches.status(id)).toMatchObject({ status: 'planning', error: { code: 'no_worker' } });
  });

  it('has memo, summary and search attributes that people find it by', async () => {
    const { batchId } = await batches.start(input);
    expect(batchId).toMatch(/^\d{8}T\d{6}Z-[a-z]{6}$/);
    const description = await env.client.workflow.getHandle(batchWorkflowId(batchId)).describe();
    expect(description.memo).toMatchObject({ labels: { owner: 'ann' } });
    expect(await description.staticSummary()).toBe('/data → Tower');
    expect(description.searchAttributes).toMatchObject({ BatchId: [batchId], BatchStatus: ['planning'] });
  });

  it('refuses the id of a running batch, and says whether it is the same input', async () => {
    const id = ownId();
    await batches.start(input, { id });
    expect(await refusal(id)).toEqual({ state: 'running', sameInput: true });
    expect(await refusal(id, { maxConcurrentJobs: 5, labels: { owner: 'ann' } })).toEqual({ state: 'running', sameInput: true });
    expect(await refusal(id, { labels: { owner: 'bob' } })).toEqual({ state: 'running', sameInput: false });
  });

  it('lets only one of several starts at once through', async () => {
    const id = ownId();
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => batches.start(input, { id })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as BatchIdInUseError).sameInput] : []));
    expect(reasons).toEqual([true, true, true, true]);
  });

  it('starts a terminated batch again, unless its manifest is written', async () => {
    const id = ownId();
    await batches.start(input, { id });
    await env.client.workflow.getHandle(batchWorkflowId(id)).terminate('an operator said so');
    expect(await batches.status(id)).toMatchObject({ status: 'failed', error: { code: 'terminated' } });
    archived.add(id);
    expect(await refusal(id)).toEqual({ state: 'finished', sameInput: false });
    archived.delete(id);
    await expect(batches.start(input, { id })).resolves.toMatchObject({ batchId: id });
  });

  it('knows no batch that never was, nor a workflow that is none', async () => {
    await expect(batches.status(ownId())).rejects.toBeInstanceOf(BatchNotFoundError);
    await expect(batches.wait(ownId())).rejects.toBeInstanceOf(BatchNotFoundError);
    const id = ownId();
    await env.client.workflow.start('other', { taskQueue: 'q', workflowId: batchWorkflowId(id) });
    await expect(batches.status(id)).rejects.toBeInstanceOf(BatchNotFoundError);
  });

  it('stops waiting when it is told to, and leaves the batch alone', async () => {
    const id = ownId();
    await batches.start(input, { id });
    const stop = new AbortController();
    const waiting = batches.wait(id, { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) });
    await expect(waiting).rejects.toThrow('enough');
    expect(await batches.status(id, { ask: false })).toMatchObject({ closedAt: null });
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

  async function ended(how: 'complete' | 'errors' | 'fail' | 'break'): Promise<{ id: string; summary: BatchSummary; seen: string[] }> {
    const id = ownId();
    const seen: string[] = [];
    await batches.start(input, { id });
    let told = false;
    const summary = await batches.wait(id, {
      onProgress: ({ status, documentsDone }) => {
        seen.push(`${status} ${documentsDone}`);
        if (!told) void end(id, how);
        told = true;
      },
    });
    return { id, summary, seen };
  }

  it('waits for the end and shows the way there', async () => {
    const { id, summary, seen } = await ended('complete');
    expect(seen[0]).toBe('running 3');
    expect(summary).toMatchObject({ type: 'summary', batchId: id, status: 'completed', documents: 10, documentsDone: 10, counts: { processed: 10 }, archive: '/archive', error: null, nextExpiresAt: null });
    expect(Date.parse(summary.closedAt!)).toBeGreaterThanOrEqual(Date.parse(summary.startedAt));
    expect(await batches.wait(id)).toEqual(summary);
    expect(await refusal(id)).toEqual({ state: 'finished', sameInput: false });
  });

  it('gives the summary of a failed batch as an answer', async () => {
    const { id, summary } = await ended('fail');
    expect(summary).toMatchObject({ status: 'failed', documentsDone: 10, counts: { failed: 1 }, error: { code: 'Unauthorized' } });
    archived.add(id); // a batch that fails writes its manifest
    expect(await refusal(id)).toEqual({ state: 'finished', sameInput: false });
  });

  it('starts one again that failed before its manifest was written, and no other', async () => {
    const { id } = await ended('fail');
    const archiving = (isArchived: boolean) => new BatchClient({ client: env.client, isArchived: () => Promise.resolve(isArchived) });
    await expect(archiving(true).start(input, { id })).rejects.toMatchObject({ name: 'BatchIdInUseError', state: 'finished' });
    expect(await archiving(false).start(input, { id })).toMatchObject({ batchId: id });
    await end(id, 'complete');
    expect(await batches.wait(id)).toMatchObject({ status: 'completed' });
  });

  it('makes something of a batch that ended in a way nobody foresaw', async () => {
    expect((await ended('break')).summary).toMatchObject({ status: 'failed', error: { code: 'Odd', message: 'something broke' } });
  });

  it('follows a batch into its next run, which keeps start and input', async () => {
    const id = ownId();
    const { runId } = await batches.start(input, { id });
    const { startedAt } = await batches.status(id, { ask: false });
    const waiting = batches.wait(id);
    await end(id, 'renew');
    await env.client.workflow.result(batchWorkflowId(id), runId, { followRuns: false }).catch(() => {});
    const renewed = await batches.status(id);
    expect(renewed.runId).not.toBe(runId);
    expect(renewed.startedAt).toBe(startedAt);
    expect(await refusal(id)).toEqual({ state: 'running', sameInput: true });
    await end(id, 'errors');
    expect(await waiting).toMatchObject({ status: 'completed_with_errors', startedAt });
  });

  it('shows a cancelled batch', async () => {
    const id = ownId();
    await batches.start(input, { id });
    await env.client.workflow.getHandle(batchWorkflowId(id)).cancel();
    expect(await batches.wait(id)).toMatchObject({ status: 'cancelled', error: null });
  });

  it('lists the newest first, one line a batch, by status when asked', async () => {
    const { id } = await ended('complete');
    // Visibility follows the truth with a delay; the client promises about a second.
    const find = async () => (await batches.list()).find(({ batchId, closedAt }) => batchId === id && closedAt !== null);
    let listed = await find();
    for (let attempt = 0; !listed && attempt < 50; attempt++) listed = await find();
    expect(listed).toMatchObject({ status: 'completed', documents: 10, documentsDone: 10 });
    const all = await batches.list();
    expect(new Set(all.map(({ batchId }) => batchId)).size).toBe(all.length);
    expect(all.map(({ startedAt }) => startedAt)).toEqual(all.map(({ startedAt }) => startedAt).sort().reverse());
    expect(await batches.list({ limit: 2 })).toHaveLength(2);
    expect((await batches.list({ status: 'planning' })).every(({ status }) => status === 'planning')).toBe(true);
  });
});
