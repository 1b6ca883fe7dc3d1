import { createArchiveActivities } from '../../../src/activities/archive';
import { readPlan } from '../../../src/activities/plan';
import { readClosedJob } from '../../../src/activities/archive/totals';
import type { JobEnding, RemoteJob } from '../../../src/contract/activities';
import { jobFileSchema, planLineSchema, planSchema } from '../../../src/contract/archive';
import type { JobFile, PlanLine, UploadRecord } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';
import type { BatchInputOptions, Reason } from '../../../src/contract/batch';
import { batchKeys, jobKeys } from '../../../src/contract/keys';
import { jsonText } from '../../../src/store/jsonl';
import { Bench, body, dyingStore, json, link, quietly, remote, resultOf, status } from './fake-api';

const keys = jobKeys('b', 1);
const bench = new Bench();
const { api } = bench;
beforeEach(() => bench.start());
afterEach(() => bench.stop());

const planLine = (seq: number): PlanLine =>
  planLineSchema.parse({
    ...{ seq, source: `${seq}.pdf`, fileName: `${seq}.pdf`, contentType: 'application/pdf', sizeBytes: 10, sha256: null, pages: 1, classification: null },
    ...{ mtimeMs: null, inode: null, job: 1, reason: null, duplicateOf: null },
  });

/** plan.jsonl and plan.json of one job with these documents; the job's lines do not start the file. */
async function writePlan(documents: number, firstSeq = 2): Promise<void> {
  const other = `${JSON.stringify({ ...planLine(1), job: 9 })}\n`;
  const own = Array.from({ length: documents }, (_, index) => `${JSON.stringify(planLine(firstSeq + index))}\n`).join('');
  const written = await bench.store.write(batchKeys('b').planLines, other + own);
  const range = { offset: other.length, length: own.length, documents, sizeBytes: 10 * documents, pages: null };
  const plan = planSchema.parse({
    ...{ batchId: 'b', root: '/in', createdAt: '2026-01-01T00:00:00Z', documents: documents + 1, rejected: 0, duplicates: 0, bytes: 0, pages: null, limits: {} },
    ...{ lowerBoundJobs: 1, credits: null, jobs: [range], sha256: written.sha256 },
  });
  await bench.store.write(batchKeys('b').plan, jsonText(plan));
}

const upload = (seq: number, documentId: string | null, reason: Reason | null = null): UploadRecord => ({ seq, documentId, sha256: String(seq).repeat(64), sizeBytes: 10, sent: reason === null, reason });
const writeUploads = (uploads: UploadRecord[]) => bench.store.write(keys.uploads, uploads.map((line) => `${JSON.stringify(line)}\n`).join(''));
const jobFile = (changes: Partial<JobFile> = {}): JobFile =>
  jobFileSchema.parse({
    ...{ job: 1, parent: null, batchId: 'b', jobId: 'job_1', externalId: remote.externalId, status: 'completed_with_errors', error: null, creditsDebited: 77, pageCount: 5 },
    ...{ createdAt: '2026-01-01T00:00:00Z', expiresAt: remote.expiresAt, completedAt: null, documents: 0 },
    ...changes,
  });

const close = (ending: JobEnding, of: RemoteJob | null = remote, store = bench.store, job = 1) =>
  createArchiveActivities({ store, plangrep: bench.client, pace: { wait: () => Promise.resolve(), slowDown: () => undefined } }).closeJob({ batchId: 'b', job, projectId: 'proj_1', remote: of, ending });

const pages = (pageCount: number, successfulPageCount: number) => ({ pageCount, successfulPageCount, failedPageCount: pageCount - successfulPageCount });

/** A job of seven documents of all kinds, archived. */
async function archivedJob(): Promise<void> {
  await writePlan(7);
  await writeUploads([
    ...[upload(2, 'doc_a'), upload(3, 'doc_b'), upload(4, 'doc_c'), upload(5, 'doc_lost'), upload(6, null, { code: 'changed', message: 'It changed.' })],
    ...[upload(7, 'doc_x', { code: 'remote_error', message: 'Refused.' }), upload(8, 'doc_a')],
  ]);
  await bench.store.write(keys.job, jsonText(jobFile()));
  const documents = [
    { documentId: 'doc_c', ...pages(1, 0), error: { code: 'broken', message: 'No page.' } },
    { documentId: 'doc_a', ...pages(2, 2), artifacts: [link('r/a.png')] },
    { documentId: 'doc_b', ...pages(2, 1), artifacts: [link('r/gone.png')] },
    { documentId: 'doc_nobody', ...pages(9, 9) },
  ];
  api.results = [json(resultOf(documents))];
  api.artifacts.set('r/a.png', body('a'));
  await bench.archive();
}

describe('closeJob, of an archived job', () => {
  test('gives every document of the job one outcome, in plan order', async () => {
    await archivedJob();
    const totals = await close({ kind: 'archived' });
    expect(totals).toEqual({ counts: { processed: 2, partial: 1, failed: 3, rejected: 1 }, pages: 5, credits: 77, resend: null, failedWith: null });
    const artifacts = [expect.objectContaining({ path: 'jobs/00001/artifacts/r/a.png', sizeBytes: 1 })];
    const result = (index: number) => ({ path: 'jobs/00001/result.json', index });
    expect(await bench.lines(keys.documents)).toMatchObject([
      { seq: 2, outcome: 'processed', reason: null, jobId: 'job_1', documentId: 'doc_a', sha256: '2'.repeat(64), pages: 2, credits: 20, result: result(1), artifacts },
      { seq: 3, outcome: 'partial', reason: { code: 'partial', message: expect.stringContaining('1 artifact') }, pagesFailed: 1, credits: 10, result: result(2), artifacts: [] },
      { seq: 4, outcome: 'failed', reason: { code: 'remote_error', message: 'broken: No page.' }, credits: 0, result: result(0) },
      { seq: 5, outcome: 'failed', reason: { code: 'remote_error' }, documentId: 'doc_lost', result: null, pages: 1 },
      { seq: 6, outcome: 'rejected', reason: { code: 'changed', message: 'It changed.' }, documentId: null, jobId: null },
      { seq: 7, outcome: 'failed', reason: { code: 'remote_error', message: 'Refused.' }, documentId: null },
      { seq: 8, outcome: 'processed', documentId: 'doc_a', credits: 0, result: result(1), artifacts },
    ]);
    expect(JSON.parse(await bench.text(keys.job))).toEqual(jobFile({ documents: 7 }));
    expect(await bench.snapshot('work')).toEqual({});
  });

  test('a repeat answers the same and changes nothing', async () => {
    await archivedJob();
    const first = await close({ kind: 'archived' });
    const before = await bench.snapshot('batches');
    expect(await close({ kind: 'archived' })).toEqual(first);
    expect(await close({ kind: 'ended', outcome: 'failed', reason: { code: 'job_workflow_lost', message: 'Lost.' } })).toEqual(first);
    expect(await bench.snapshot('batches')).toEqual(before);
    expect(await readClosedJob(bench.store, 'b', 1)).toEqual({ documents: 7, ...first });
  });

  test('killed at any moment, a repeat ends the same', async () => {
    await archivedJob();
    const work = await bench.snapshot('work');
    const job = await bench.text(keys.job);
    await close({ kind: 'archived' });
    const expected = await bench.snapshot('batches');
    for (let step = 0; ; step += 1) {
      for (const [key, content] of Object.entries(work)) await bench.store.write(`work/${key}`, Buffer.from(content, 'latin1'));
      await bench.store.remove(keys.documents);
      await bench.store.write(keys.job, job);
      const killed = await close({ kind: 'archived' }, remote, dyingStore(bench.store, step)).then(() => false, () => true);
      await close({ kind: 'archived' });
      expect(await bench.snapshot('batches')).toEqual(expected);
      expect(await bench.snapshot('work')).toEqual({});
      if (!killed) break;
    }
  });
});

describe('closeJob, of a job that ended otherwise', () => {
  const cancelled: JobEnding = { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'By request.' } };

  test('that was never created: every document has the ending’s outcome', async () => {
    await writePlan(2);
    expect(await close(cancelled, null)).toEqual({ counts: { cancelled: 2 }, pages: 0, credits: 0, resend: null, failedWith: null });
    expect(await bench.lines(keys.documents)).toMatchObject([{ seq: 2, jobId: null, documentId: null, reason: cancelled.reason, pages: 1 }, { seq: 3 }]);
    expect(jobFileSchema.parse(JSON.parse(await bench.text(keys.job)))).toMatchObject({ jobId: null, status: null, documents: 2, parent: null });
    expect(await bench.store.stat(keys.files)).toBeNull();
  });

  test('after documents were sent: theirs too, under their ids; rejected ones keep their reason', async () => {
    await writePlan(2);
    await writeUploads([upload(2, 'doc_a'), upload(3, null, { code: 'unreadable', message: 'EACCES' })]);
    expect(await close(cancelled)).toEqual({ counts: { cancelled: 1, rejected: 1 }, pages: 0, credits: 0, resend: null, failedWith: null });
    expect(await bench.lines(keys.documents)).toMatchObject([{ documentId: 'doc_a', jobId: 'job_1', result: null }, { outcome: 'rejected', reason: { code: 'unreadable' } }]);
    expect(JSON.parse(await bench.text(keys.job))).toMatchObject({ jobId: 'job_1', externalId: remote.externalId, expiresAt: remote.expiresAt, status: null });
  });

  test('while it was archived: what there is stays, and files.jsonl names all of it', async () => {
    await writePlan(1);
    await writeUploads([upload(2, 'doc_a')]);
    api.results = [json(resultOf([{ documentId: 'doc_a', ...pages(1, 1), artifacts: [link('r/a.png'), link('r/B.png')] }]))];
    api.artifacts.set('r/a.png', body('a'));
    api.artifacts.set('r/B.png', status(500));
    await expect(bench.archive()).rejects.toThrow('500');
    await bench.store.removeAll(keys.archived);
    expect(await close({ kind: 'ended', outcome: 'expired', reason: { code: 'expired', message: 'Too late.' } })).toMatchObject({ counts: { expired: 1 } });
    expect((await bench.lines(keys.files)).map(({ path }) => path)).toEqual(['artifacts/r/a.png', 'result.json']);
    expect(Object.keys(await bench.snapshot(keys.folder)).sort()).toEqual(['artifacts/r/a.png', 'documents.jsonl', 'files.jsonl', 'job.json', 'result.json']);
  });

  test('of an earlier generation: job.json says nothing of the earlier remote job', async () => {
    await writePlan(1);
    await bench.store.write(keys.job, jsonText(jobFile({ jobId: 'job_0', status: 'cancelled', parent: null })));
    await close(cancelled);
    expect(JSON.parse(await bench.text(keys.job))).toMatchObject({ jobId: 'job_1', status: null, creditsDebited: null });
  });

  test('of a follow-up job: its part of the documents, and the job it is a part of', async () => {
    await writePlan(3);
    const [first] = (await bench.text(batchKeys('b').planLines)).split('\n');
    const range = { offset: first!.length + 1, length: `${JSON.stringify(planLine(2))}\n`.length * 2, documents: 2, sizeBytes: 20, pages: null };
    await bench.store.write(batchKeys('b').followUp(2), JSON.stringify({ job: 2, parent: 1, ranges: [range] }));
    expect(await close(cancelled, null, bench.store, 2)).toMatchObject({ counts: { cancelled: 2 } });
    expect((await bench.lines(jobKeys('b', 2).documents)).map(({ seq }) => seq)).toEqual([2, 3]);
    expect(JSON.parse(await bench.text(jobKeys('b', 2).job))).toMatchObject({ job: 2, parent: 1, documents: 2 });
    await bench.store.removeAll(batchKeys('b').followUps);
    await close(cancelled, null, bench.store, 2);
    expect(JSON.parse(await bench.text(jobKeys('b', 2).job))).toMatchObject({ parent: 1 });
  });
});

describe('closeJob says what is to be sent again, from the job’s files alone', () => {
  const failedAs = (code: string, creditsDebited: number | null): JobEnding => ({ kind: 'failed', error: { code, message: 'It broke.' }, creditsDebited });
  const writeInput = (options: Partial<BatchInputOptions> = {}) =>
    bench.store.write(batchKeys('b').input, jsonText({ batchId: 'b', acceptedAt: '2026-01-01T00:00:00Z', input: batchInputSchema.parse({ project: 'p', source: { folder: '/in' }, ...options }) }));
  /** A failed job of `documents`, all sent. */
  async function failedJob(documents: number, ending: JobEnding, options: Partial<BatchInputOptions> = {}) {
    await writeInput(options);
    await writePlan(documents);
    await writeUploads(Array.from({ length: documents }, (_, at) => upload(at + 2, `doc_${at}`)));
    const closed = await close(ending);
    const { documents: count, ...read } = (await readClosedJob(bench.store, 'b', 1))!;
    expect({ count, read }).toEqual({ count: documents, read: closed });
    return closed;
  }

  test('documents without a page, of a job with a result', async () => {
    await archivedJob();
    await writeInput();
    expect(await close({ kind: 'archived' })).toMatchObject({ resend: 'documents', failedWith: null });
    await writeInput({ retryFailedDocuments: 0 });
    expect(await readClosedJob(bench.store, 'b', 1)).toMatchObject({ resend: null });
  });

  test('halves of a failed job, and job.json says how it failed though nobody saw it', async () => {
    expect(await failedJob(2, failedAs('internal', 0))).toEqual({ counts: { failed: 2 }, pages: 0, credits: 0, resend: 'halves', failedWith: 'internal' });
    expect(JSON.parse(await bench.text(keys.job))).toMatchObject({ status: 'failed', error: { code: 'internal', message: 'It broke.' }, creditsDebited: 0 });
  });

  test.each<[string, number, JobEnding, string | null, string]>([
    ['with credits debited', 2, failedAs('internal', 5), null, 'job_failed'],
    ['without saying what was debited', 2, failedAs('internal', null), null, 'job_failed'],
    ['whose only document it was', 1, failedAs('internal', 0), null, 'job_failed'],
    ['for its pages', 2, failedAs('page_limit_exceeded', 0), 'pages', 'job_failed'],
    ['for its only document’s pages', 1, failedAs('page_limit_exceeded', 0), null, 'too_many_pages'],
    ['for the project’s sake', 1, failedAs('project_upgrading', 0), 'whole', 'job_failed'],
  ])('of a job that failed %s', async (_, documents, ending, resend, code) => {
    expect(await failedJob(documents, ending)).toMatchObject({ resend, counts: { failed: documents } });
    expect(await bench.lines(keys.documents)).toMatchObject(Array.from({ length: documents }, () => ({ reason: { code } })));
  });

  test('what a job said earlier about credits does not count for one that failed without saying', async () => {
    await bench.store.write(keys.job, jsonText(jobFile({ status: 'failed', error: { code: 'internal', message: 'It broke.' }, creditsDebited: 0 })));
    expect(await failedJob(2, failedAs('internal', null))).toMatchObject({ resend: null });
    const before = await bench.snapshot('batches');
    expect(await close({ kind: 'ended', outcome: 'failed', reason: { code: 'job_workflow_lost', message: 'Lost.' } })).toMatchObject({ resend: null });
    expect(await close(failedAs('internal', null))).toMatchObject({ resend: null, counts: { failed: 2 } });
    expect(await bench.snapshot('batches')).toEqual(before);
  });

  test('nothing of a job that was lost, whatever was seen of it', async () => {
    await bench.store.write(keys.job, jsonText(jobFile({ status: 'failed', creditsDebited: 0 })));
    expect(await failedJob(2, { kind: 'ended', outcome: 'failed', reason: { code: 'job_workflow_lost', message: 'Lost.' } })).toMatchObject({ resend: null });
  });

  test('no more than asked for, counted over follow-ups; and nothing once the working files are gone', async () => {
    await failedJob(2, failedAs('internal', 0));
    const ranges = (await readPlan(bench.store, 'b')).jobs;
    for (const [resends, resend] of [[0, 'whole'], [1, null]] as const) {
      await bench.store.write(batchKeys('b').followUp(2), jsonText({ job: 2, parent: 1, ranges, resends }));
      await bench.store.removeAll(jobKeys('b', 2).folder);
      expect(await close(failedAs('runtime_lost', 0), null, bench.store, 2)).toMatchObject({ resend });
    }
    await bench.store.removeAll('work');
    expect(await readClosedJob(bench.store, 'b', 2)).toMatchObject({ resend: null, failedWith: 'runtime_lost' });
  });

  test('archiving closes the job, and tells the ledger what it processed', async () => {
    await writeInput();
    await writePlan(2);
    await writeUploads([upload(2, 'doc_a'), upload(3, 'doc_b')]);
    await bench.store.write(keys.job, jsonText(jobFile()));
    api.results = [json(resultOf([{ documentId: 'doc_a', ...pages(2, 2) }, { documentId: 'doc_b', ...pages(2, 0) }]))];
    const { archiveJob } = createArchiveActivities({ store: bench.store, plangrep: bench.client, pace: { wait: () => Promise.resolve(), slowDown: () => undefined } });
    const archive = () => quietly().run(archiveJob, { batchId: 'b', job: 1, projectId: 'proj_1', remote, warnAt: null });
    const closed = await archive();
    expect(closed).toEqual({ counts: { processed: 1, failed: 1 }, pages: 4, credits: 77, resend: 'documents', failedWith: null });
    const before = { ...(await bench.snapshot('batches')), ...(await bench.snapshot('ledger')) };
    expect(Object.keys(await bench.snapshot('ledger'))).toEqual([`proj_1/22/${'2'.repeat(64)}.json`]);
    expect(await archive()).toEqual(closed);
    expect({ ...(await bench.snapshot('batches')), ...(await bench.snapshot('ledger')) }).toEqual(before);
    expect(await bench.snapshot('work')).toEqual({});
  });
});

test('readClosedJob knows nothing of a job that is not closed, and adds up credits that no job tells', async () => {
  expect(await readClosedJob(bench.store, 'b', 1)).toBeNull();
  await archivedJob();
  await bench.store.remove(keys.job);
  expect(await close({ kind: 'archived' })).toMatchObject({ credits: 30, pages: 5 });
});
