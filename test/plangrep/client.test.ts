import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { PlangrepClient } from '../../src/plangrep/client';
import { ConflictError, ContractError } from '../../src/plangrep/errors';
import { ScriptedServer, golden, thrownBy } from './scripted-server';

const server = new ScriptedServer();
let client: PlangrepClient;
beforeAll(async () => {
  await server.start();
  client = server.client();
});
afterAll(() => server.stop());

const job = { id: 'job_demo1', status: 'processing', externalId: 'batch-17/part-3', expiresAt: '2030-05-08T08:10:00.000Z', resultUrl: null, error: null };
const formFile = { fileName: 'A-set.pdf', contentType: 'application/pdf', sizeBytes: 3, open: () => Readable.from([Buffer.from('abc')]) };
const small = { fileName: 'A-set.pdf', contentType: 'application/pdf', fileSize: 1200, sha256: '0'.repeat(64), classification: 'plans' };
const large = { fileName: 'M-set.pdf', contentType: 'application/pdf', fileSize: 67_108_864, sha256: '1'.repeat(64) };
const direct = {
  documentId: 'doc_a1',
  uploadToken: 'ut_1',
  mode: 'direct_put',
  url: 'https://storage.example.net/put/1?sig=x',
  headers: { 'Content-Type': 'application/pdf', 'x-amz-checksum-sha256': '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' },
  expiresAt: '2030-05-01T08:25:00.000Z',
};
const multipart = {
  documentId: 'doc_m1',
  uploadToken: 'ut_2',
  mode: 'multipart',
  multipartUploadId: 'mpu_1',
  expiresAt: '2030-05-01T08:25:00.000Z',
  parts: [{ partNumber: 1, url: 'https://storage.example.net/part/1?sig=x', startByte: 0, endByte: 67_108_863 }],
};
const twoParts = {
  ...multipart,
  expiresAt: '2030-05-01T08:25:00Z',
  parts: [
    { partNumber: 1, url: 'https://storage.example.net/part/1?sig=x', startByte: 0, endByte: 39_999_999 },
    { partNumber: 2, url: 'https://storage.example.net/part/2?sig=y', startByte: 40_000_000, endByte: 67_108_863 },
  ],
};
const created = { idempotent: false, webhookSigningSecret: null };
const key = { idempotencyKey: 'plangrep-batch/create/batch/b/job/00001' };
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

type Call = [fixture: string, request: string, call: () => Promise<unknown>, answer: unknown];
const create = () => client.createJob('proj_demo', { externalId: 'batch-17/part-3' }, key);
const registerSmall = () => client.registerUploads('job_demo1', [small]);
const complete = () => client.completeUploads('job_demo1', { directUploads: [{ documentId: 'doc_a1', uploadToken: 'ut_1' }] }, key);
const getJob = () => client.getJob('job_demo1');
const upload = () => client.uploadFiles('job_demo1', [formFile]);
const jobs = '/api/open/v1/jobs/job_demo1';

const calls: Call[] = [
  ['create-project', 'POST /api/open/v1/projects', () => client.createProject('Harbour Annex bid set'), { id: 'proj_demo', status: 'provisioning' }],
  ['list-projects', 'GET /api/open/v1/projects', () => client.listProjects(), [{ id: 'proj_demo', status: 'ready', name: 'Harbour Annex bid set' }]],
  ['get-project', 'GET /api/open/v1/projects/proj_demo', () => client.getProject('proj_demo'), { status: 'ready', runtime: { upgradeStatus: 'none' } }],
  ['get-project.upgrade-null', 'GET /api/open/v1/projects/proj_demo', () => client.getProject('proj_demo'), { status: 'ready', runtime: { upgradeStatus: null } }],
  ['create-job', 'POST /api/open/v1/projects/proj_demo/jobs', create, { ...created, job: { id: 'job_demo1', status: 'awaiting_uploads' }, webhookSigningSecret: 'wss_demo' }],
  ['create-job.provisioning', 'POST /api/open/v1/projects/proj_demo/jobs', create, { ...created, job: { status: 'provisioning', pageCount: null, files: [] } }],
  ['create-job.replay', 'POST /api/open/v1/projects/proj_demo/jobs', create, { ...created, job: { id: 'job_demo1' }, idempotent: true }],
  ['list-jobs', 'GET /api/open/v1/projects/proj_demo/jobs', () => all(client.listJobs('proj_demo')), [job, { id: 'job_demo2', status: 'completed' }]],
  ['get-job', `GET ${jobs}`, getJob, { ...job, limits: { maxDeclaredBytes: 10_000_000_000, maxFiles: 100 }, billing: { creditsDebited: 120, creditsReserved: 600 } }],
  ['get-job.abbreviated', `GET ${jobs}`, getJob, { id: 'job_demo1', status: 'preflighting' }],
  ['get-job.unknown-status-and-fields', `GET ${jobs}`, getJob, { status: 'archiving_soon', priority: { lane: 3 } }],
  ['get-job.nulls', `GET ${jobs}`, getJob, { id: 'job_demo1', status: 'awaiting_uploads', limits: null, files: null, error: null }],
  ['get-job.odd-types', `GET ${jobs}`, getJob, { status: 'processing', pageCount: null, limits: null, billing: null, files: null, expiresAt: null, error: null }],
  ['get-job.failed', `GET ${jobs}`, getJob, { error: { code: 'page_limit_exceeded', message: 'The job has more pages than allowed.' } }],
  ['get-job.failed-as-text', `GET ${jobs}`, getJob, { error: { code: 'unknown', message: 'The job has more pages than allowed.' } }],
  ['get-job.failed-as-code', `GET ${jobs}`, getJob, { error: { code: 'page_limit_exceeded', message: 'page_limit_exceeded' } }],
  ['resume-job', `POST ${jobs}/resume`, () => client.resumeJob('job_demo1'), job],
  ['resume-job.preflighting', `POST ${jobs}/resume`, () => client.resumeJob('job_demo1'), { status: 'preflighting' }],
  ['cancel-job', `POST ${jobs}/cancel`, () => client.cancelJob('job_demo1'), { status: 'cancelled', resultUrl: null, files: [{ status: 'cancelled' }] }],
  ['cancel-job.not-yet', `POST ${jobs}/cancel`, () => client.cancelJob('job_demo1'), { status: 'processing' }],
  ['upload-files', `POST ${jobs}/files`, upload, { status: 'uploaded', uploads: [{ documentId: 'doc_a1', partName: 'file0', fileName: 'A-set.pdf', status: 'uploaded' }] }],
  ['upload-files.skipped', `POST ${jobs}/files`, upload, { status: 'skipped', uploads: [], job: { files: [{ fileName: 'A-set.pdf' }] } }],
  ['upload-files.bare', `POST ${jobs}/files`, upload, { status: null, uploads: [], job: { id: 'job_demo1' } }],
  ['register-uploads', `POST ${jobs}/uploads`, () => client.registerUploads('job_demo1', [small, large]), { job: { status: 'uploading' }, uploads: [direct, multipart] }],
  ['register-uploads.headers', `POST ${jobs}/uploads`, registerSmall, { uploads: [direct] }],
  ['register-uploads.uploadHeaders', `POST ${jobs}/uploads`, registerSmall, { uploads: [direct] }],
  ['register-uploads.unnamed-headers', `POST ${jobs}/uploads`, registerSmall, { uploads: [direct] }],
  ['register-uploads.already-stored', `POST ${jobs}/uploads`, registerSmall, { uploads: [{ ...direct, uploadToken: '', url: null, headers: {}, expiresAt: null }] }],
  ['register-uploads.other-part-names', `POST ${jobs}/uploads`, () => client.registerUploads('job_demo1', [large]), { uploads: [twoParts] }],
  ['complete-uploads', `POST ${jobs}/uploads/complete`, complete, { job: { status: 'preflighting' }, idempotent: false }],
  ['complete-uploads.replay', `POST ${jobs}/uploads/complete`, complete, { job: { status: 'preflighting' }, idempotent: true }],
  ['get-job-result', `GET ${jobs}/result`, async () => JSON.parse(await text((await client.getResult('job_demo1')).body)) as unknown, (golden('get-job-result').body ?? {}) as object],
];

test.each(calls)('golden body %s', async (fixture, request, call, answer) => {
  server.golden(fixture);
  const from = server.seen.length;
  expect(await call()).toMatchObject(answer as object);
  expect(server.seen.slice(from).map(({ method, url }) => `${method} ${url}`)).toEqual([request]);
});

test.each(['error', 'error.flat', 'error.text', 'error.text-only'])('golden body %s', async (fixture) => {
  server.golden(fixture);
  const code = fixture === 'error.text-only' ? null : 'not_found';
  const error = await thrownBy(client.getJob('job_demo1'));
  expect(error).toMatchObject({ kind: 'rejected', status: 404, code });
  expect((error as Error).message).toMatch(/: There is no such job\.$/);
});

test('what is sent: bodies, keys, headers', async () => {
  server.golden('create-job');
  await create();
  server.golden('register-uploads.headers');
  await registerSmall();
  server.golden('complete-uploads');
  const parts = [{ partNumber: 1, etag: '"9f1c"' }];
  const completion = {
    documentIds: ['doc_a1', 'doc_m1'],
    directUploads: [{ documentId: 'doc_a1', uploadToken: 'ut_1' }],
    multipartUploads: [{ documentId: 'doc_m1', multipartUploadId: 'mpu_1', uploadToken: 'ut_2', parts }],
    failedUploads: [{ documentId: 'doc_x9', error: 'local file vanished' }],
  };
  await client.completeUploads('job_demo1', completion, key);
  await client.completeUploads('job_demo1', {}, key);
  server.golden('resume-job');
  await client.resumeJob('job_demo1');

  const [made, registered, completed, formCompleted, resumed] = server.seen.slice(-5);
  expect(JSON.parse(made!.body.toString())).toEqual({ externalId: 'batch-17/part-3' });
  expect(made!.headers).toMatchObject({ 'idempotency-key': key.idempotencyKey, 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'plangrep-batch/1.2.3' });
  expect(JSON.parse(registered!.body.toString())).toEqual({ files: [small] });
  expect(registered!.headers['idempotency-key']).toBeUndefined();
  expect(JSON.parse(completed!.body.toString())).toEqual(completion);
  expect(formCompleted!.body.toString()).toBe('{}');
  expect(resumed!.body).toHaveLength(0);
  expect(resumed!.headers).toMatchObject({ 'content-length': '0' });
});

test('ids are one segment of the path, whatever is in them', async () => {
  server.json(200, { job: { id: 'a/b?c#d é', status: 'y' } });
  await client.getJob('a/b?c#d é');
  expect(server.seen.at(-1)!.url).toBe('/api/open/v1/jobs/a%2Fb%3Fc%23d%20%C3%A9');
  await Promise.all(['', '.', '..'].map(async (id) => expect(await thrownBy(client.getJob(id))).toBeInstanceOf(ContractError)));
});

test.each(['', 'a b', 'é', 'x'.repeat(257), 'a\r\nb: c'])('an idempotency key of %j is refused before anything is sent', async (idempotencyKey) => {
  const from = server.seen.length;
  await expect(client.createJob('proj_demo', {}, { idempotencyKey })).rejects.toThrow(RangeError);
  expect(server.seen).toHaveLength(from);
});

test('the same key with another body is a conflict; any other 409 is not', async () => {
  server.json(409, { error: { code: 'idempotency_key_reused', message: 'Other body.' } });
  expect(await thrownBy(create())).toBeInstanceOf(ConflictError);
  server.json(409, { error: { code: 'invalid_state', message: 'Too late.' } });
  expect(await thrownBy(complete())).toMatchObject({ kind: 'rejected', status: 409, code: 'invalid_state' });
});

test.each([
  ['text/html', '<!doctype html><p>Welcome', 'body: not JSON (content type text/html)'],
  ['application/json', '{"job":{"id":"job_demo1","sta', 'body: not JSON (content type application/json)'],
  ['application/json', '[]', 'body: invalid_type'],
  ['application/json', '', 'body: empty'],
])('a success with %s %j breaks the contract, and its body is not told', async (type, body, issue) => {
  server.json(200, body, { 'content-type': type });
  const error = (await thrownBy(client.getJob('job_demo1'))) as ContractError;
  expect(error).toMatchObject({ kind: 'contract', issues: [issue] });
  expect(error.message).not.toMatch(/Welcome|job_demo1"/);
});

test.each<[string, (id: string) => Promise<unknown>]>([
  ['getJob', (id) => client.getJob(id)],
  ['resumeJob', (id) => client.resumeJob(id)],
  ['cancelJob', (id) => client.cancelJob(id)],
  ['uploadFiles', (id) => client.uploadFiles(id, [formFile])],
  ['registerUploads', (id) => client.registerUploads(id, [small])],
  ['completeUploads', (id) => client.completeUploads(id, {}, key)],
])('%s: an answer about another job, as a mixed-up cache gives it, is none', async (_call, call) => {
  server.json(200, { job: { id: 'job_2', status: 'completed' }, uploads: [] });
  expect(await thrownBy(call('job_1'))).toMatchObject({ kind: 'contract', unreadable: false, issues: ['job.id: is another job'] });
});

test('a field that nobody reads may be nested as deep as it likes, or be no UTF-8', async () => {
  server.json(200, `{"job":{"id":"job_demo1","status":"processing","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`);
  expect(await getJob()).toMatchObject({ id: 'job_demo1', status: 'processing' });
  server.answer((response) => response.end(Buffer.from('{"job":{"id":"job_demo1","status":"processing","note":"\xe9\xff"}}', 'latin1')));
  expect(await getJob()).toMatchObject({ id: 'job_demo1', status: 'processing' });
});

test('a JSON answer above 16 MiB is not read', async () => {
  server.answer((response) => response.end(`{"job":{"id":"a","status":"b","pad":"${'x'.repeat(17 * 1024 * 1024)}"}}`));
  expect(await thrownBy(client.getJob('job_demo1'))).toMatchObject({ kind: 'contract', issues: ['body: larger than 16 MiB'] });
});

test('HTML in place of a result, or of an artifact that is called otherwise, breaks the contract; an artifact may be HTML', async () => {
  server.answer((response) => response.writeHead(200, { 'content-type': 'Text/HTML; charset=utf-8' }).end('<p>'));
  expect(await thrownBy(client.getResult('job_demo1'))).toMatchObject({ kind: 'contract' });
  expect(await thrownBy(client.getArtifact('job_demo1', 'r/sheet.png'))).toMatchObject({ kind: 'contract', unreadable: true });
  const artifact = await client.getArtifact('job_demo1', 'r/a b+c%2F.html');
  expect(await text(artifact.body)).toBe('<p>');
  expect(server.seen.at(-1)!.url).toBe('/api/open/v1/jobs/job_demo1/artifact?path=r%2Fa%20b%2Bc%252F.html');
});

test.each([
  [206, {}],
  [204, {}],
  [200, { 'content-encoding': 'gzip' }],
])('a download answered with %i %j is none', async (status, headers) => {
  server.answer((response) => response.writeHead(status, headers).end(status === 204 ? undefined : 'x'));
  expect(await thrownBy(client.getArtifact('job_demo1', 'a'))).toMatchObject({ kind: 'contract', status });
});
