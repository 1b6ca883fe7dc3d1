import { closePageCounter } from '../../src/pdf/page-count';
import { completeUploadsSchema, createJobSchema, createProjectSchema, formMetadataSchema, parseBody, registerUploadsSchema, searchProjectsSchema, uploadContentSchema } from '../../src/simulator/requests';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, put, sha256Of } from './caller';

interface Records {
  jobs: { id: string; status: string; externalId: string | null; history: { status: string }[]; callsAfterEnd: Record<string, number>; gone: boolean; documents: Record<string, unknown>[] }[];
  debits: Record<string, number[]>;
}
let simulator: Simulator;
let caller: Caller;

beforeEach(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 0, pageMs: 0 });
  caller = new Caller(simulator);
});
afterEach(() => simulator.close());
afterAll(closePageCounter);

const read = async <T>(path: string): Promise<T> => JSON.parse((await caller.control('GET', path)).bytes.toString()) as T;

test('records show every job, its documents by digest, what was debited, and late calls', async () => {
  const content = makePdf({ pages: 3 });
  await caller.fault({ kind: 'document', fileName: 'a.pdf', failPages: [2] });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content, classification: 'plans' }], { externalId: 'e' });
  const open = await caller.createJob();
  await caller.advance(100);
  await caller.job(id);
  await caller.job(id);
  await caller.call('POST', `/jobs/${id}/cancel`);
  const { jobs, debits } = await read<Records>('/records');
  expect(jobs.map((job) => job.id)).toEqual([id, open.id]);
  expect(jobs[0]).toMatchObject({
    status: 'completed_with_errors', externalId: 'e', gone: false, creditsDebited: 20, callsAfterEnd: { getJob: 2, cancelJob: 1 },
    documents: [{ fileName: 'a.pdf', mode: 'direct_put', sizeBytes: content.length, sha256: sha256Of(content), stored: true, included: true, pages: 3, debitedPages: 2, failedPages: [2], problem: null }],
  });
  expect(debits).toEqual({ [sha256Of(content)]: [1, 0, 1] });
  expect((await read<Records>(`/records?jobId=${open.id}`)).jobs.map((job) => job.id)).toEqual([open.id]);
  const named = await read<Records>('/records?externalId=e');
  expect([named.jobs.map((job) => job.id), Object.keys(named.debits).length]).toEqual([[id], 1]);
  expect((await read<Records>('/records?externalId=another')).debits).toEqual({});
});

test('counters show requests by operation and status, bytes, and what was refused', async () => {
  const content = makePdf();
  const { id } = await caller.createJob();
  await caller.job(id);
  await caller.job('job_none');
  await caller.call('GET', '/nothing');
  const { uploadUrl, requiredHeaders } = (await caller.register(id, [{ fileName: 'a.pdf', content }])).body.uploads[0]!;
  await put(uploadUrl!, Buffer.alloc(content.length), requiredHeaders);
  await put(uploadUrl!, content, requiredHeaders);
  expect(await read('/counters')).toEqual({
    requests: { createJob: { 202: 1 }, getJob: { 200: 1, 404: 1 }, registerUploads: { 200: 1 }, putObject: { 200: 1, 400: 1 }, unknown: { 404: 1 } },
    bytesReceived: 2 * content.length, uploadsAtOnce: { now: 0, most: 1 }, refusedDigests: 1, refusedSizes: 0, webhooks: { delivered: 0, failed: 0, dropped: 0 }, memoryBytes: expect.any(Number) as number,
  });
});

test('the clock moves only by request', async () => {
  const { now } = await read<{ now: string }>('/clock');
  await caller.advance(1_234);
  expect(Date.parse((await read<{ now: string }>('/clock')).now) - Date.parse(now)).toBe(1_234);
  for (const body of [{}, { advanceMs: -1 }, { advanceMs: 1.5 }, { advanceMs: 1, more: 1 }]) expect((await caller.control('POST', '/clock', body)).status).toBe(400);
});

test('a job is resumed, cancelled, hidden and shown as others would do it', async () => {
  const act = (body: object) => caller.control('POST', '/jobs', body);
  await caller.control('POST', '/credits', { available: 0 });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf() }], { externalId: 'twice' });
  await caller.advance(100);
  await caller.control('POST', '/credits', { available: 100 });
  expect((await act({ job: id, action: 'resume' })).body.job).toEqual({ id, externalId: 'twice', status: 'preflighting', hidden: false });
  await caller.advance(100);
  expect((await act({ job: id, action: 'cancel' })).status).toBe(409);
  const newer = await caller.createJob({ externalId: 'twice' });
  expect((await act({ job: 'twice', action: 'hide' })).body.job).toMatchObject({ id: newer.id, hidden: true });
  expect((await caller.call('GET', `/jobs/${newer.id}`)).status).toBe(404);
  expect((await caller.register(newer.id, [{ fileName: 'a.pdf', content: makePdf() }])).status).toBe(404);
  expect((await caller.call('GET', '/projects/proj_quickstart/jobs')).body.jobs.map((job) => job.id)).toEqual([id]);
  await act({ job: 'twice', action: 'show' });
  expect((await caller.job(newer.id)).status).toBe('awaiting_uploads');
  expect((await act({ job: newer.id, action: 'cancel' })).body.job.status).toBe('cancelled');
  expect((await act({ job: 'nobody', action: 'cancel' })).status).toBe(404);
  expect((await act({ job: id, action: 'praise' })).status).toBe(400);
});

test('what is no request is refused as on the API', async () => {
  expect((await caller.control('POST', '/records', {})).status).toBe(405);
  expect((await caller.control('GET', '/nothing')).status).toBe(404);
  expect((await caller.control('POST', '/credits', { available: 'many' })).status).toBe(400);
});

test('lists of many jobs come whole, in order', async () => {
  const ids: string[] = [];
  for (let index = 0; index < 200; index++) ids.push((await caller.createJob()).id);
  expect((await caller.call('GET', '/projects/proj_quickstart/jobs')).body.jobs.map(({ id }) => id)).toEqual(ids.toReversed());
  expect((await read<Records>('/records')).jobs.map(({ id }) => id)).toEqual(ids);
});

// As the API's description shows them (docs/openapi.yaml has examples of our own).
test.each([
  [createProjectSchema, { name: 'Harbour Annex bid set' }],
  [searchProjectsSchema, { query: 'harbour', limit: 25, classification: 'plans', pageNumber: 1 }],
  [createJobSchema, {}],
  [createJobSchema, { externalId: 'batch-17/part-3', webhookUrl: 'https://orchestrator.example.org/hooks/plangrep/4f0c' }],
  [formMetadataSchema, { clientUploadFlowId: 'flow-9', files: [{ partName: 'file0', fileName: 'A-set.pdf', contentType: 'application/pdf', classification: 'plans' }] }],
  [registerUploadsSchema, { files: [{ fileName: 'S-set.pdf', contentType: 'application/pdf', fileSize: 734003200, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', classification: 'plans' }] }],
  [uploadContentSchema, { uploadToken: 'ut_example', contentBase64: 'JVBERi0xLjcK' }],
  [completeUploadsSchema, {}],
  [completeUploadsSchema, { directUploads: [{ documentId: 'doc_a1', uploadToken: 'ut_1' }] }],
  [completeUploadsSchema, {
    documentIds: ['doc_a1', 'doc_m1'],
    directUploads: [{ documentId: 'doc_a1', uploadToken: 'ut_1' }],
    multipartUploads: [{ documentId: 'doc_m1', multipartUploadId: 'mpu_1', uploadToken: 'ut_2', parts: [{ partNumber: 1, etag: '"9f1c"' }, { partNumber: 2, etag: '"77ab"' }] }],
    failedUploads: [{ documentId: 'doc_x9', error: 'local file vanished' }],
  }],
])('example bodies of the contract are taken (%#)', (schema, body) => {
  expect(parseBody(schema, { ...body, aFurtherField: 1 })).toMatchObject(body);
});
