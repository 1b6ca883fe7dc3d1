import { startSimulator, type Simulator } from '../../src/simulator/server';
import { closePageCounter } from '../../src/pdf/page-count';
import { makePdf } from '../support/documents';
import { Caller } from './caller';

const pdf = (pages: number, marker = 'p'): Buffer => makePdf({ pages, marker });
let simulator: Simulator;
let caller: Caller;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 1000, pageMs: 10 });
  caller = new Caller(simulator);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});
afterEach(() => caller.control('DELETE', '/faults'));

const statuses = (jobId: string): string[] => simulator.state.jobs.get(jobId)!.history.map(({ status }) => status);

test('a job goes through its statuses as time passes, and no further', async () => {
  const { id } = await caller.createJob({ externalId: 'one' });
  expect(await caller.job(id)).toMatchObject({ status: 'awaiting_uploads', externalId: 'one', pageCount: 0, successfulPageCount: 0, resultUrl: null, error: null, completedAt: null });
  const directUploads = await caller.upload(id, [{ fileName: 'a.pdf', content: pdf(4), classification: 'documents' }]);
  expect((await caller.job(id)).status).toBe('uploading');
  expect((await caller.complete(id, { directUploads })).body.job).toMatchObject({ status: 'preflighting', files: [{ fileName: 'a.pdf', status: 'processing' }] });
  await caller.advance(199);
  expect((await caller.job(id)).status).toBe('preflighting');
  await caller.advance(1);
  expect(await caller.job(id)).toMatchObject({ status: 'processing', pageCount: 4, successfulPageCount: 0 });
  await caller.advance(839);
  expect((await caller.job(id)).status).toBe('processing');
  await caller.advance(1);
  const job = await caller.job(id);
  expect(job).toMatchObject({ status: 'completed', successfulPageCount: 4, billing: { creditsDebited: 4, creditsReserved: 0 }, files: [{ status: 'completed' }] });
  expect(Date.parse(job.expiresAt) - Date.parse(job.createdAt)).toBe(7 * 86_400_000);
  expect(statuses(id)).toEqual(['awaiting_uploads', 'uploading', 'preflighting', 'processing', 'completed']);
});

test('ids of job.files are no documentIds', async () => {
  const { id } = await caller.createJob();
  const { job, uploads } = (await caller.register(id, [{ fileName: 'a.pdf', content: pdf(1) }])).body;
  expect(job.files).toEqual([{ id: expect.stringMatching(/^file_/) as string, fileName: 'a.pdf', status: 'awaiting_upload' }]);
  expect(uploads[0]!.documentId).toMatch(/^doc_/);
});

test('pages that fail are told, cost nothing, and leave the job completed_with_errors', async () => {
  await caller.fault({ kind: 'document', fileName: 'bad.pdf', failPages: [2, 3] }, { kind: 'document', fileName: 'worse.pdf', failPages: 'all' });
  const files = ['bad', 'worse', 'good'].map((name) => ({ fileName: `${name}.pdf`, content: pdf(3, name), classification: 'plans' }));
  const { id } = await caller.submit(files);
  await caller.advance(5_000);
  expect(await caller.job(id)).toMatchObject({
    status: 'completed_with_errors', pageCount: 9, successfulPageCount: 4, billing: { creditsDebited: 40 },
    files: [{ status: 'completed' }, { status: 'failed' }, { status: 'completed' }],
  });
});

test('content that no page can be read of is an error of its document; a job of nothing else fails', async () => {
  const broken = { fileName: 'broken.pdf', content: Buffer.from(`%PDF-1.7\n${'rubbish '.repeat(300)}`) };
  const noPdf = { fileName: 'image.png', content: Buffer.alloc(3000, 7) };
  const mixed = await caller.submit([broken, noPdf, { fileName: 'good.pdf', content: pdf(1, 'mixed') }]);
  const lost = await caller.submit([broken, noPdf]);
  await caller.advance(5_000);
  expect(await caller.job(mixed.id)).toMatchObject({ status: 'completed_with_errors', pageCount: 1, files: [{ status: 'failed' }, { status: 'failed' }, { status: 'completed' }] });
  expect(await caller.job(lost.id)).toMatchObject({ status: 'failed', error: { code: 'no_readable_pages' }, billing: { creditsDebited: 0 }, resultUrl: null });
  expect(simulator.state.jobs.get(mixed.id)!.documents.map(({ content }) => content!.problem?.code)).toEqual(['document_unreadable', 'unsupported_format', undefined]);
});

test('a scripted failure ends a job at preflight with nothing debited, or in the middle', async () => {
  await caller.fault(
    { kind: 'job', fileName: 'poison.pdf', failJob: { code: 'runtime_error', message: 'No.' } },
    { kind: 'job', externalId: 'late', failJob: { code: 'late_error', at: 'processing' } },
  );
  const early = await caller.submit([{ fileName: 'poison.pdf', content: pdf(1, 'x') }]);
  const late = await caller.submit([1, 2].map((n) => ({ fileName: `${n}.pdf`, content: pdf(2, `late ${n}`), classification: 'documents' })), { externalId: 'late/1' });
  const fine = await caller.submit([{ fileName: 'fine.pdf', content: pdf(1, 'y') }]);
  await caller.advance(10_000);
  expect(await caller.job(early.id)).toMatchObject({ status: 'failed', error: { code: 'runtime_error', message: 'No.' }, billing: { creditsDebited: 0 } });
  expect(await caller.job(late.id)).toMatchObject({ status: 'failed', error: { code: 'late_error' }, billing: { creditsDebited: 2, creditsReserved: 0 } });
  expect((await caller.job(fine.id)).status).toBe('completed');
  expect((await caller.call('GET', `/jobs/${early.id}/result`)).status).toBe(409);
});

test('cancel is at once before processing, at the end of the document in work during it, and an error after the end', async () => {
  const waiting = await caller.createJob();
  expect((await caller.call('POST', `/jobs/${waiting.id}/cancel`)).body.job).toMatchObject({ status: 'cancelled', completedAt: expect.any(String) as string, resultUrl: null });
  const again = await caller.call('POST', `/jobs/${waiting.id}/cancel`);
  expect([again.status, again.body.error.code]).toEqual([409, 'invalid_state']);
  const running = await caller.submit([1, 2, 3].map((n) => ({ fileName: `${n}.pdf`, content: pdf(2, `cancel ${n}`), classification: 'plans' })));
  await caller.advance(300);
  expect((await caller.call('POST', `/jobs/${running.id}/cancel`)).body.job.status).toBe('processing');
  await caller.advance(10_000);
  expect(await caller.job(running.id)).toMatchObject({ status: 'cancelled', billing: { creditsDebited: 20, creditsReserved: 0 }, files: [{ status: 'cancelled' }, {}, {}] });
  expect((await caller.call('GET', `/jobs/${running.id}/result`)).status).toBe(409);
});

test.each(['preflighting', 'processing'] as const)('a job is held in %s until it is released, or cancelled', async (status) => {
  await caller.fault({ kind: 'job', externalId: 'held', hold: status });
  const submit = (n: number) => caller.submit([{ fileName: 'a.pdf', content: pdf(1, `${status} ${n}`) }], { externalId: `held/${n}` });
  const [released, cancelled] = [await submit(1), await submit(2)];
  await caller.advance(100_000);
  expect([(await caller.job(released.id)).status, (await caller.job(cancelled.id)).status]).toEqual([status, status]);
  expect((await caller.control('POST', '/jobs', { job: 'held/1', action: 'release' })).status).toBe(200);
  await caller.call('POST', `/jobs/${cancelled.id}/cancel`);
  await caller.advance(100_000);
  expect([(await caller.job(released.id)).status, (await caller.job(cancelled.id)).status]).toEqual(['completed', 'cancelled']);
});

test('a job can finish although its cancel was taken', async () => {
  await caller.fault({ kind: 'job', externalId: 'first', hold: 'processing', finishesFirst: true });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: pdf(1, 'first') }], { externalId: 'first' });
  await caller.advance(100_000);
  expect(await caller.call('POST', `/jobs/${id}/cancel`)).toMatchObject({ status: 200, body: { job: { status: 'processing' } } });
  await caller.advance(100_000);
  expect((await caller.job(id)).status).toBe('completed');
});

test('one job expires sooner than others, and is gone at once', async () => {
  await caller.fault({ kind: 'job', externalId: 'short', retentionMs: 5_000, expiredGraceMs: 0 });
  const { id, createdAt, expiresAt } = await caller.createJob({ externalId: 'short' });
  expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(5_000);
  await caller.advance(5_000);
  expect((await caller.call('GET', `/jobs/${id}`)).status).toBe(404);
});

test('an unfinished job expires and then is gone; a finished one is gone at once', async () => {
  const open = await caller.createJob();
  const done = await caller.submit([{ fileName: 'a.pdf', content: pdf(1, 'expiry') }]);
  await caller.advance(60_000);
  const { resultUrl } = await caller.job(done.id);
  await caller.advance(7 * 86_400_000 - 60_001);
  expect((await caller.job(open.id)).status).toBe('awaiting_uploads');
  expect((await caller.call('GET', `/jobs/${done.id}/result`)).status).toBe(200);
  await caller.advance(1);
  expect(await caller.job(open.id)).toMatchObject({ status: 'expired' });
  for (const path of ['', '/result', '/artifact?path=x']) expect((await caller.call('GET', `/jobs/${done.id}${path}`)).status).toBe(404);
  expect(resultUrl).toContain(simulator.storageUrl);
  await caller.advance(3_600_000);
  expect((await caller.call('GET', `/jobs/${open.id}`)).status).toBe(404);
  const { jobs } = (await caller.call('GET', '/projects/proj_quickstart/jobs')).body;
  expect(jobs.map(({ id }) => id)).not.toContain(done.id);
});

test('a job may be provisioning first, and takes no uploads then', async () => {
  await caller.fault({ kind: 'job', externalId: 'slow', provisioningMs: 500, times: 1 });
  const { id, status } = await caller.createJob({ externalId: 'slow' });
  expect(status).toBe('provisioning');
  expect((await caller.register(id, [{ fileName: 'a.pdf', content: pdf(1) }])).status).toBe(409);
  await caller.advance(500);
  expect((await caller.register(id, [{ fileName: 'a.pdf', content: pdf(1) }])).status).toBe(200);
});

test('registered files that nobody mentions are waited for, then failed', async () => {
  const { id } = await caller.createJob();
  const directUploads = await caller.upload(id, [{ fileName: 'a.pdf', content: pdf(1, 'sent') }]);
  await caller.register(id, [{ fileName: 'b.pdf', content: pdf(1, 'never sent') }]);
  await caller.complete(id, { directUploads });
  await caller.advance(60_000);
  expect((await caller.job(id)).status).toBe('preflighting');
  await caller.advance(5_000);
  expect(await caller.job(id)).toMatchObject({ status: 'completed_with_errors', files: [{ status: 'completed' }, { status: 'failed' }] });
});

test('the page limit fails a job at preflight', async () => {
  const limited = await startSimulator({ pageLimit: 5, jobMs: 0, pageMs: 0, scriptedClock: true });
  const other = new Caller(limited);
  const over = await other.submit([{ fileName: 'a.pdf', content: pdf(3, '1') }, { fileName: 'b.pdf', content: pdf(3, '2') }]);
  const under = await other.submit([{ fileName: 'c.pdf', content: pdf(5, '3') }]);
  await other.advance(1);
  expect(await other.job(over.id)).toMatchObject({ status: 'failed', error: { code: 'page_limit_exceeded' }, billing: { creditsDebited: 0 } });
  expect((await other.job(under.id)).status).toBe('completed');
  await limited.close();
});

test('in real time a job ends by itself', async () => {
  const real = await startSimulator({ jobMs: 20, pageMs: 0 });
  const other = new Caller(real);
  const { id } = await other.submit([{ fileName: 'a.pdf', content: pdf(2) }]);
  let job = await other.job(id);
  while (job.completedAt === null) job = await other.job(id);
  expect(job.status).toBe('completed');
  await real.close();
});
