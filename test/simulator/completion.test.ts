import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, type Answer } from './caller';

let simulator: Simulator;
let caller: Caller;
const file = (marker: string) => ({ fileName: `${marker}.pdf`, content: makePdf({ marker }) });

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true });
  caller = new Caller(simulator);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});
afterEach(() => caller.control('DELETE', '/faults'));

describe('completing uploads', () => {
  test.each([
    ['nothing at all', () => ({}), 'no_documents'],
    ['only failures', (id: string) => ({ failedUploads: [{ documentId: id }] }), 'no_documents'],
    ['a document that did not arrive', (id: string, token: string) => ({ directUploads: [{ documentId: id, uploadToken: token }] }), 'upload_missing'],
    ['a document without a record', (id: string) => ({ documentIds: [id] }), 'upload_missing'],
    ['another token', (id: string) => ({ directUploads: [{ documentId: id, uploadToken: 'ut_other' }] }), 'invalid_upload_token'],
    ['another document', () => ({ directUploads: [{ documentId: 'doc_other', uploadToken: 'x' }] }), 'unknown_document'],
    ['parts of what has none', (id: string, token: string) => ({ multipartUploads: [{ documentId: id, uploadToken: token, multipartUploadId: 'mpu_x' }] }), 'invalid_request'],
    ['another shape', () => ({ directUploads: [{}] }), 'invalid_request'],
  ])('with %s is refused, and the window stays open', async (_what, body, code) => {
    const { id } = await caller.createJob();
    const { documentId, uploadToken } = (await caller.register(id, [file('a')])).body.uploads[0]!;
    const answer = await caller.complete(id, body(documentId, uploadToken));
    expect([answer.status, answer.body.error.code]).toEqual([400, code]);
    expect((await caller.job(id)).status).toBe('uploading');
  });

  test('with documentIds takes only those, and waits for no other', async () => {
    const { id } = await caller.createJob();
    const directUploads = await caller.upload(id, [file('a'), file('b')]);
    await caller.register(id, [file('never sent')]);
    expect((await caller.complete(id, { documentIds: [directUploads[1]!.documentId], directUploads })).status).toBe(202);
    await caller.advance(5_000);
    expect(await caller.job(id)).toMatchObject({ status: 'completed', pageCount: 1, files: [{ status: 'uploaded' }, { status: 'completed' }, { status: 'awaiting_upload' }] });
  });

  test('tells of declared failures in the result', async () => {
    const { id } = await caller.createJob();
    const directUploads = await caller.upload(id, [file('a')]);
    const lost = (await caller.register(id, [file('b')])).body.uploads[0]!;
    await caller.complete(id, { directUploads, failedUploads: [{ documentId: lost.documentId, error: 'vanished' }] });
    await caller.advance(5_000);
    const result = JSON.parse((await caller.call('GET', `/jobs/${id}/result`)).bytes.toString()) as { documents: object[]; errors: object[] };
    expect(result.documents).toHaveLength(1);
    expect(result.errors).toEqual([{ code: 'upload_failed', message: 'vanished', documentId: lost.documentId, fileName: 'b.pdf', pageNumber: null }]);
  });

  test('a second time is refused without a key; with the first one\'s key it answers the same', async () => {
    const { id } = await caller.createJob();
    const directUploads = await caller.upload(id, [file('a')]);
    const complete = (key: string, body: object = { directUploads }): Promise<Answer> => caller.complete(id, body, { 'idempotency-key': key });
    const first = await complete('k');
    await caller.advance(5_000);
    const again = await complete('k');
    expect([again.status, again.body]).toEqual([202, { ...first.body, idempotent: true }]);
    expect(first.body.idempotent).toBeUndefined();
    expect((await complete('k', {})).body.error.code).toBe('idempotency_conflict');
    expect((await complete('other')).status).toBe(409);
    expect((await caller.complete(id, { directUploads })).status).toBe(409);
  });

  test('of which only one of two at the same time succeeds', async () => {
    const { id } = await caller.createJob();
    const directUploads = await caller.upload(id, [file('a')]);
    const answers = await Promise.all([caller.complete(id, { directUploads }), caller.complete(id, { directUploads })]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409]);
  });
});

describe('an idempotency key', () => {
  const create = (key: string, body: object = {}): Promise<Answer> => caller.call('POST', '/projects/proj_quickstart/jobs', body, { 'idempotency-key': key });

  test('gives the same job again, as it is now, and no secret', async () => {
    const body = { externalId: 'e', webhookUrl: 'http://127.0.0.1:9/none' };
    const first = await create('one', body);
    await caller.register(first.body.job.id, [file('a')]);
    const again = await create('one', body);
    expect(first.body.webhookSigningSecret).toMatch(/^wss_/);
    expect(first.body.idempotent).toBeUndefined();
    expect([again.status, again.body.idempotent, again.body.webhookSigningSecret]).toEqual([202, true, undefined]);
    expect(again.body.job).toMatchObject({ id: first.body.job.id, status: 'uploading' });
  });

  test('is refused with another body, and above 256 characters', async () => {
    await create('two', { externalId: 'a' });
    const conflict = await create('two', { externalId: 'b' });
    expect([conflict.status, conflict.body.error.code]).toEqual([409, 'idempotency_conflict']);
    expect((await create('k'.repeat(256))).status).toBe(202);
    expect((await create('k'.repeat(257))).status).toBe(400);
  });

  test('belongs to its project, and is forgotten after a day', async () => {
    const first = (await create('three')).body.job.id;
    const { id } = (await caller.call('POST', '/projects', { name: 'Other' })).body.project;
    await caller.advance(1_000);
    const elsewhere = await caller.call('POST', `/projects/${id}/jobs`, {}, { 'idempotency-key': 'three' });
    expect(elsewhere.body.job.id).not.toBe(first);
    await caller.advance(24 * 3_600_000 - 1_001);
    expect((await create('three')).body.job.id).toBe(first);
    await caller.advance(1);
    expect((await create('three')).body.job.id).not.toBe(first);
  });
});

describe('the limits of a job', () => {
  const entries = (count: number, fileSize: number, from = 0): object[] =>
    Array.from({ length: count }, (_, index) => ({ fileName: `${from + index}.pdf`, contentType: 'application/pdf', fileSize, sha256: String(from + index).padStart(64, '0') }));
  const register = (id: string, files: object[]): Promise<Answer> => caller.call('POST', `/jobs/${id}/uploads`, { files });

  test('are 100 files and 10,000,000,000 declared bytes over all registrations, reached but not passed', async () => {
    const { id, limits } = await caller.createJob();
    expect(limits).toEqual({ maxFiles: 100, maxDeclaredBytes: 10_000_000_000 });
    expect((await register(id, entries(99, 100_000_000))).status).toBe(200);
    expect((await register(id, entries(1, 100_000_001, 99))).body.error.code).toBe('limit_exceeded');
    expect((await register(id, entries(1, 100_000_000, 99))).status).toBe(200);
    expect((await register(id, entries(1, 0, 100))).status).toBe(413);
    expect((await register((await caller.createJob()).id, entries(101, 1))).status).toBe(400);
  });

  test('can be lower for a job, and nothing of a registration over them is kept', async () => {
    await caller.fault({ kind: 'job', limits: { maxFiles: 2, maxDeclaredBytes: 1_000 }, times: 1 });
    const { id, limits } = await caller.createJob();
    expect(limits).toEqual({ maxFiles: 2, maxDeclaredBytes: 1_000 });
    expect((await register(id, entries(3, 1))).status).toBe(413);
    expect((await register(id, entries(2, 501))).status).toBe(413);
    expect(await caller.job(id)).toMatchObject({ status: 'awaiting_uploads', files: [] });
    expect((await caller.createJob()).limits.maxFiles).toBe(100);
  });

  test('take a file without bytes, which ends with an error and no page', async () => {
    const { id } = await caller.createJob();
    const directUploads = await caller.upload(id, [{ fileName: 'empty.pdf', content: Buffer.alloc(0) }, file('a')]);
    await caller.complete(id, { directUploads });
    await caller.advance(5_000);
    expect(await caller.job(id)).toMatchObject({ status: 'completed_with_errors', files: [{ status: 'failed' }, { status: 'completed' }] });
  });
});
