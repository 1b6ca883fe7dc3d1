import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { Story } from '../support/story';

describe('a batch under an operator\'s hand', () => {
  let story: Story;
  beforeAll(async () => {
    // A thousand bytes count as a page at preflight: the one large document is more than the credits.
    story = await Story.start({ simulator: { credits: 1_000, bytesPerPage: 1_000 } });
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const each = { limits: { maxFiles: 1 }, maxConcurrentJobs: 10 };
  const statuses = (id: string) => story.jobs(id).map(({ status }) => status);
  /** Terminates a job's workflow: what no code of ours survives. */
  const terminate = (id: string, job: number) => story.handle(jobWorkflowId(id, job)).terminate('test');

  test('paused: what runs is finished, nothing else starts until it is resumed', async () => {
    const id = 'paused';
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { ...each, maxConcurrentJobs: 1 });
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    expect(await story.stack.batches.pause(id)).toMatchObject({ status: 'paused' });
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    expect(await story.until(id, ({ jobs }) => jobs.done === 1)).toMatchObject({ status: 'paused', gate: { reason: 'paused', nextProbeAt: null }, jobs: { open: 0 } });
    expect(story.jobs(id)).toHaveLength(1);
    expect(await story.stack.batches.resume(id)).toMatchObject({ status: 'running' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
    await story.manifest(id);
  });

  test('cancelled: what finished first is archived, the rest is cancelled at Plangrep and says so', async () => {
    const id = 'cancelled';
    story.fault(
      { kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing', finishesFirst: true },
      { kind: 'job', externalId: `batch/${id}/job/00002`, hold: 'processing' },
      { kind: 'job', externalId: `batch/${id}/job/00003`, hold: 'preflighting' },
      // Sent again and again: this job stays at its upload.
      { kind: 'request', operation: 'putObject', externalId: `batch/${id}/job/00004`, times: 0, drop: 'before' },
    );
    await story.begin(id, ['1.pdf', '2.pdf', '3.pdf', '4.pdf', '5.pdf', '6.pdf'], { ...each, maxConcurrentJobs: 4 });
    await story.untilJobs(id, (jobs) => ['processing', 'processing', 'preflighting', 'uploading'].every((status, index) => jobs.find(({ externalId }) => externalId === jobWorkflowId(id, index + 1))?.status === status));
    expect(await story.stack.batches.cancel(id)).toMatchObject({ cancelled: 'batch' });
    const summary = await story.wait(id);
    expect(summary).toMatchObject({ status: 'cancelled', documents: 6, documentsDone: 6, counts: { processed: 1, cancelled: 5 } });
    expect(statuses(id).sort()).toEqual(['cancelled', 'cancelled', 'cancelled', 'completed']);
    const { manifest } = await story.manifest(id);
    expect(manifest.status).toBe('cancelled');
    const outcomes = Object.values(await story.outcomes(id)).sort();
    expect(outcomes).toEqual([...Array.from({ length: 5 }, () => 'cancelled: cancelled'), 'processed']);
    const description = await story.batchHandle(id).describe();
    expect(description.status.name).toBe('CANCELLED');
  });

  test('cancelled while its jobs are blocked, from the web UI: nothing is resumed, and all of it ends', async () => {
    const id = 'blocked';
    await story.control('/credits', { available: 0 });
    await story.begin(id, ['a.pdf', 'b.pdf'], each);
    await story.untilBlocked(id, 2);
    // What the button in Temporal's web UI sends.
    await story.batchHandle(id).cancel();
    expect(await story.wait(id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } });
    expect(story.jobs(id).map(({ history }) => history.slice(-2).map(({ status }) => status))).toEqual(Array.from({ length: 2 }, () => ['blocked_insufficient_credits', 'cancelled']));
    await story.manifest(id);
    await story.control('/credits', { available: 1_000 });
  });

  test('what a cancelled batch left is retried; what may have been paid for is not', async () => {
    const id = 'left';
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'preflighting' }, { kind: 'job', externalId: `batch/${id}/job/00002`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { ...each, maxConcurrentJobs: 2 });
    await story.untilJobs(id, (jobs) => ['preflighting', 'processing'].every((status) => jobs.some((job) => job.status === status)));
    await story.stack.batches.cancel(id);
    expect(await story.wait(id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 } });
    await story.stack.batches.retry(id, { id: 'left-again' });
    expect(await story.wait('left-again')).toMatchObject({ status: 'completed', counts: { processed: 2 }, retryOf: id });
    expect((await story.debits(id, 'left-again')).map((pages) => Math.max(...pages))).toEqual([1, 1, 1]);
    await story.manifest('left-again');
  });

  test('terminated while its jobs are blocked and started again, it knows that they wait, and lets them go on', async () => {
    const id = 'revived';
    const input = { ...each, maxConcurrentJobs: 2 };
    await story.control('/credits', { available: 0 });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], input);
    await story.untilBlocked(id, 2);
    await story.batchHandle(id).terminate('test');
    await story.stack.batches.start({ project: 'Quickstart', source: { folder: story.stack.source(id) }, ...input }, { id });
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await story.control('/credits', { available: 1_000 });
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
    expect((await story.debits(id)).map((pages) => Math.max(...pages))).toEqual([1, 1, 1]);
    await story.manifest(id);
  });

  test('terminated: its jobs go on without it, until they are cancelled by the batch id', async () => {
    const id = 'orphaned';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], each);
    await story.untilJobs(id, (jobs) => jobs.length === 3 && jobs.every(({ status }) => status === 'processing'));
    await story.batchHandle(id).terminate('test');
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    await story.handle(jobWorkflowId(id, 1)).result();
    expect((await story.stack.batches.status(id)).status).toBe('failed');
    // Lists show a change about a second after it happened.
    let asked = 0;
    for (; asked < 2; ) asked += (await story.stack.batches.cancel(id)).jobs;
    await story.untilJobs(id, (jobs) => jobs.every(({ completedAtMs }) => completedAtMs !== null));
    expect(statuses(id)).toEqual(['completed', 'cancelled', 'cancelled']);
    expect(asked).toBe(2);

    // Started again under its id it adds up what its jobs came to, and pays for nothing more.
    for (const job of [2, 3]) await story.handle(jobWorkflowId(id, job)).result().catch(() => undefined);
    story.stack.simulator.state.faults.clear();
    await story.stack.batches.start({ project: 'Quickstart', source: { folder: story.stack.source(id) }, ...each }, { id });
    expect(await story.wait(id)).toMatchObject({ documents: 3, counts: { processed: 1, cancelled: 2 } });
    expect(statuses(id)).toHaveLength(3);
    await story.manifest(id);
  });

  test('a job whose workflow was terminated is taken up once, with its remote job; the second time it is given up', async () => {
    const id = 'lost';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf'], each);
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    const runId = async (job: number) => (await story.handle(jobWorkflowId(id, job)).describe()).runId;
    for (const job of [1, 2]) {
      const first = await runId(job);
      await terminate(id, job);
      await story.until(id, () => true);
      while ((await runId(job)) === first) await story.until(id, () => true);
    }
    await terminate(id, 2);
    await story.untilJobs(id, (jobs) => jobs.some(({ status }) => status === 'cancelled'));
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, failed: 1 } });
    expect(story.jobs(id).map(({ externalId, status }) => [externalId, status]).sort()).toEqual([[jobWorkflowId(id, 1), 'completed'], [jobWorkflowId(id, 2), 'cancelled']]);
    expect(Object.values(await story.outcomes(id)).sort()).toEqual(['failed: job_workflow_lost', 'processed']);
    expect(await story.debits(id)).toEqual(expect.arrayContaining([[1]]));
    expect((await story.batchHandle(id).describe()).workflowId).toBe(batchWorkflowId(id));
  });
});
