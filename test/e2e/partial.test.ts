import { Story } from '../support/story';

describe('documents that fail', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start({ simulator: { credits: 10_000 } });
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const sizes = (id: string) => story.jobs(id).map(({ documents, status }) => [documents.length, status]);
  const paidOnce = async (...ids: string[]) => {
    for (const pages of await story.debits(...ids)) expect(Math.max(...pages)).toBeLessThanOrEqual(1);
  };

  test('a job that failed before anything was paid is halved until the document that spoils it stands alone', async () => {
    const id = 'poison';
    story.fault({ kind: 'job', fileName: 'poison.pdf', failJob: { code: 'unreadable_document', message: 'It broke the job.' } });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'poison.pdf'], { maxConcurrentJobs: 1 });
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', documents: 4, documentsDone: 4, counts: { processed: 3, failed: 1 } });
    expect(await story.outcomes(id)).toEqual({ 'a.pdf': 'processed', 'b.pdf': 'processed', 'c.pdf': 'processed', 'poison.pdf': 'failed: job_failed' });
    expect(sizes(id).filter(([, status]) => status === 'failed').map(([count]) => count)).toEqual([4, 2, 1]);
    expect(sizes(id).filter(([, status]) => status === 'completed').map(([count]) => count)).toEqual([2, 1]);
    const { manifest } = await story.manifest(id);
    expect(manifest.jobs.filter(({ parent }) => parent !== null)).toHaveLength(4);
    await paidOnce(id);
  });

  test('halving goes on while the good halves are still being processed', async () => {
    const id = 'slow';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' }, { kind: 'job', fileName: 'poison.pdf', failJob: { code: 'unreadable_document' } });
    await story.begin(id, [...Array.from({ length: 7 }, (_, index) => `${index}.pdf`), 'poison.pdf']);
    await story.untilJobs(id, (jobs) => jobs.some(({ status, documents }) => status === 'failed' && documents.length === 1));
    expect(sizes(id).filter(([, status]) => status === 'failed').map(([count]) => count)).toEqual([8, 4, 2, 1]);
    for (const { externalId, status } of story.jobs(id)) if (status !== 'failed') await story.control('/jobs', { job: externalId!, action: 'release' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 7, failed: 1 } });
    await story.manifest(id);
    await paidOnce(id);
  });

  test('a job with more pages than the organization allows is packed anew by pages', async () => {
    const id = 'pages-limit';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, times: 1, failJob: { code: 'page_limit_exceeded' } });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], {}, { pages: 2 });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 4 } });
    expect(sizes(id)).toEqual([[4, 'failed'], [2, 'completed'], [2, 'completed']]);
    await story.manifest(id);
    await paidOnce(id);
  });

  test('with debited credits nothing is halved, and the reason says so; without the option neither', async () => {
    const [paid, asked] = ['debited', 'unsplit'];
    story.fault(
      { kind: 'job', externalId: `batch/${paid}/`, failJob: { code: 'runtime_error', at: 'processing' } },
      { kind: 'job', externalId: `batch/${asked}/`, failJob: { code: 'unreadable_document' } },
    );
    await story.begin(paid, ['a.pdf', 'b.pdf', 'c.pdf']);
    await story.begin(asked, ['a.pdf', 'b.pdf', 'c.pdf'], { splitFailedJobs: false });
    for (const id of [paid, asked]) {
      expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { failed: 3 } });
      expect(sizes(id)).toEqual([[3, 'failed']]);
    }
    const { lines } = await story.manifest(paid);
    for (const { reason } of lines) expect(reason!.message).toMatch(/credits|paid/);
    await story.manifest(asked);
    await paidOnce(paid, asked);
  });

  test('documents without a page are sent once more; a partial one is kept; what is left is retried as a batch of its own', async () => {
    const id = 'pages';
    story.fault(
      { kind: 'document', fileName: 'never.pdf', failPages: 'all' },
      { kind: 'document', fileName: 'later.pdf', failPages: 'all', times: 1 },
      { kind: 'document', fileName: 'half.pdf', failPages: [2] },
    );
    await story.begin(id, ['good.pdf', 'half.pdf', 'later.pdf', 'never.pdf'], {}, { pages: 3 });
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', documents: 4, documentsDone: 4, counts: { processed: 2, partial: 1, failed: 1 } });
    expect(await story.outcomes(id)).toEqual({ 'good.pdf': 'processed', 'half.pdf': 'partial: partial', 'later.pdf': 'processed', 'never.pdf': 'failed: remote_error' });
    expect(sizes(id)).toEqual([[4, 'completed_with_errors'], [2, 'completed_with_errors']]);
    await paidOnce(id);

    story.stack.simulator.state.faults.clear();
    const again = await story.stack.batches.retry(id, { id: 'pages-again' });
    expect(await story.wait(again.batchId)).toMatchObject({ status: 'completed', documents: 1, counts: { processed: 1 }, retryOf: id });
    expect((await story.manifest(again.batchId)).manifest.retryOf).toBe(id);
    await paidOnce(id, again.batchId);

    const whole = await story.stack.batches.retry(id, { id: 'pages-whole', retryPartialDocuments: true });
    expect(await story.wait(whole.batchId)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    expect(await story.outcomes(whole.batchId)).toEqual({ 'half.pdf': 'processed', 'never.pdf': 'processed' });
    // Asked for, and only then: pages 1 and 3 are paid for a second time.
    expect(await story.debits(id, whole.batchId)).toContainEqual([2, 1, 2]);
  });

  test('three jobs that fail in a row with one code stop the batch, until an operator lets it go on', async () => {
    const id = 'failing';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, failJob: { code: 'unreadable_document' } });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf', 'e.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 1, splitFailedJobs: false });
    expect(await story.until(id, ({ status }) => status === 'failing')).toMatchObject({ gate: { reason: 'failing', nextProbeAt: null }, jobs: { done: 3, open: 0 } });
    expect(story.jobs(id)).toHaveLength(3);
    story.stack.simulator.state.faults.clear();
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { failed: 3, processed: 2 } });
    await story.manifest(id);
  });
});
