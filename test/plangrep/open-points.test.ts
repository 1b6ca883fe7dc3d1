import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { artifactPath } from '../../src/plangrep/artifact-path';
import { ContractError, needsNewRegistration } from '../../src/plangrep/errors';
import { maxFormBytes, unconfirmedFiles } from '../../src/plangrep/form';
import { defaultScheme, signWebhook, verifyWebhook } from '../../src/plangrep/signature';
import { readWebhook } from '../../src/plangrep/webhook';
import { ScriptedServer, thrownBy } from './scripted-server';

// One test for each row of docs/plangrep-api.md, open or contradictory, whose client rule lives in src/plangrep.

const server = new ScriptedServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const job = { id: 'job_1', status: 'uploading' };
const file = (fileName: string, fileSize = 10) => ({ fileName, contentType: 'application/pdf', fileSize, sha256: 'a'.repeat(64) });
const formFile = (fileName: string) => ({ fileName, contentType: 'application/pdf', sizeBytes: 1, open: () => Readable.from([Buffer.from('x')]) });
const register = (instruction: object, fileSize = 10) => {
  server.json(200, { job, uploads: [instruction] });
  return server.client().registerUploads('job_1', [file('a.pdf', fileSize)]);
};
const direct = { documentId: 'doc_1', uploadMode: 'direct_put', uploadToken: 'ut_1', uploadUrl: 'http://storage/1?sig=x' };

test('U1: the signature scheme is a setting; by default it is HMAC-SHA256 in hex over the raw body', () => {
  const request = (header: string, scheme = defaultScheme) => ({ headers: { [header]: signWebhook('s', 'raw body', scheme) }, body: 'raw body' });
  expect(verifyWebhook(request('x-plangrep-signature'), 's', 0)).toBe(true);
  const other = { ...defaultScheme, header: 'x-other', prefix: 'v1=', encoding: 'base64' as const };
  expect(verifyWebhook(request('x-other', other), 's', 0, other)).toBe(true);
  expect(verifyWebhook(request('x-other', other), 's', 0)).toBe(false);
});

test('U2: the job of a webhook is found wherever it may stand', () => {
  const bodies = ['{"job":{"id":"job_1"}}', '{"jobId":"job_1"}', '{"data":{"job":{"id":"job_1"}}}'];
  expect(bodies.map((body) => readWebhook(body)?.jobId)).toEqual(['job_1', 'job_1', 'job_1']);
  expect(readWebhook('{"event":"unknown"}')).toEqual({ jobId: null, status: null, updatedAt: null });
});

test('U4: a replayed create gives no signing secret, and that is no error', async () => {
  server.json(202, { job, idempotent: true });
  const again = await server.client().createJob('proj_1', { webhookUrl: 'https://h.example/x' }, { idempotencyKey: 'k' });
  expect(again).toMatchObject({ idempotent: true, webhookSigningSecret: null });
  server.json(202, { job });
  expect(await server.client().createJob('proj_1', {}, { idempotencyKey: 'k' })).toMatchObject({ idempotent: false, webhookSigningSecret: null });
});

test('U5: an idempotency key is ASCII of at most 256 characters; 409 and 422 about it mean that it was misused', async () => {
  const create = (idempotencyKey: string) => server.client().createJob('proj_1', {}, { idempotencyKey });
  server.json(202, { job });
  await create('k'.repeat(256));
  await expect(create('k'.repeat(257))).rejects.toThrow(RangeError);
  server.json(409, { error: { code: 'idempotency_mismatch', message: '' } });
  expect(await thrownBy(create('k'))).toMatchObject({ kind: 'conflict', status: 409 });
  server.json(422, { code: 'idempotency_mismatch', message: '' });
  expect(await thrownBy(create('k'))).toMatchObject({ kind: 'conflict', status: 422 });
});

test('U6: a form upload succeeded for the files that are seen afterwards, whatever its status says', async () => {
  const files = ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'].map(formFile);
  const uploads = [{ documentId: 'doc_1', partName: 'file0' }, { documentId: 'doc_2', fileName: 'b.pdf' }, { partName: 'file3', status: 'refused' }];
  server.json(200, { job: { ...job, files: [{ id: 'file_9', fileName: 'c.pdf' }] }, status: 'partly_uploaded', uploads });
  const answer = await server.client().uploadFiles('job_1', files);
  expect(answer.status).toBe('partly_uploaded');
  expect(unconfirmedFiles(files, answer).map(({ fileName }) => fileName)).toEqual(['d.pdf']);
});

test('U7: an instruction without a URL means that the content is stored already', async () => {
  const stored = { mode: 'direct_put', documentId: 'doc_1', url: null, headers: {} };
  expect((await register({ documentId: 'doc_1', uploadMode: 'direct_put', uploadToken: 'ut_1' })).uploads).toMatchObject([{ ...stored, uploadToken: 'ut_1' }]);
  expect((await register({ documentId: 'doc_1', uploadMode: 'direct_put', uploadUrl: null })).uploads).toMatchObject([{ ...stored, uploadToken: '' }]);
  expect((await register({ documentId: 'doc_1', uploadMode: 'multipart', parts: [] })).uploads).toMatchObject([stored]);
});

test('U9: the ids in job.files are not document ids; files are found there by name', async () => {
  const files = [formFile('a.pdf'), formFile('doc_1')];
  server.json(200, { job: { ...job, files: [{ id: 'doc_1', fileName: 'a.pdf' }] }, uploads: [] });
  const answer = await server.client().uploadFiles('job_1', files);
  expect(answer.uploads).toEqual([]);
  expect(unconfirmedFiles(files, answer)).toEqual([files[1]]);
});

test.each(['requiredHeaders', 'headers', 'uploadHeaders', 'anyOtherName'])('U10: the header map is found as %s', async (name) => {
  const headers = { 'Content-Type': 'application/pdf', 'x-amz-checksum-sha256': 'abc=' };
  const { uploads } = await register({ ...direct, [name]: headers, retries: { max: 3 }, tags: ['a'], note: null });
  expect(uploads).toMatchObject([{ headers }]);
});

test('U10: two maps without a known name are not guessed at', async () => {
  const error = (await thrownBy(register({ ...direct, one: { a: 'b' }, two: { c: 'd' } }))) as ContractError;
  expect(error.issues).toEqual(['uploads.0.requiredHeaders: one of 2 fields, none of them named']);
});

test.each([
  ['partNumber', 'uploadUrl', 'startByte', 'endByte', [4, 9]],
  ['number', 'url', 'start', 'end', [4, 9]],
  ['part', 'signedUrl', 'offset', 'size', [5, 5]],
  ['partNumber', 'partUrl', 'byteStart', 'byteEnd', [5, 10]],
])('U11: parts with %s, %s, %s, %s are read, in order', async (number, url, start, end, ends) => {
  const part = (n: number, from: number, to: number) => ({ [number]: n, [url]: `http://storage/${n}?sig=x`, [start]: from, [end]: to });
  const list = [part(2, 5, ends[1]!), part(1, 0, ends[0]!)];
  const { uploads } = await register({ documentId: 'doc_1', uploadMode: 'multipart', uploadToken: 'ut_1', uploadId: 'mpu_1', parts: list });
  const expected = [1, 2].map((n) => ({ partNumber: n, url: `http://storage/${n}?sig=x`, startByte: n === 1 ? 0 : 5, endByte: n === 1 ? 4 : 9 }));
  expect(uploads).toMatchObject([{ mode: 'multipart', multipartUploadId: 'mpu_1', parts: expected }]);
});

test('U11: an ETag comes back exactly as it was received', async () => {
  const put = async (etag: string) => {
    server.answer((response) => response.writeHead(200, { etag }).end());
    return server.client().putSigned(`${server.url}/put?sig=x`, { headers: {}, body: Readable.from([Buffer.from('x')]), sizeBytes: 1 });
  };
  expect(await put('"9f1c"')).toEqual({ etag: '"9f1c"' });
  expect(await put('W/"a b"')).toEqual({ etag: 'W/"a b"' });
  expect(await put('bare')).toEqual({ etag: 'bare' });
});

test('U12: a signed URL that storage refuses asks for a new registration, not for another key', async () => {
  server.answer((response) => response.writeHead(403).end('<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>'));
  const error = await thrownBy(server.client().putSigned(`${server.url}/put?sig=x`, { headers: {}, body: Readable.from([Buffer.from('x')]), sizeBytes: 1 }));
  expect(error).toMatchObject({ kind: 'rejected', status: 403, code: 'AccessDenied', origin: 'storage' });
  expect(needsNewRegistration(error)).toBe(true);
});

test.each([{ documentIds: [] }, { directUploads: [] }, { failedUploads: [{ documentId: 'doc_1', error: 'gone' }] }, { documentIds: [], directUploads: [{ documentId: 'doc_1', uploadToken: 'ut_1' }] }])(
  'U15: a completion without a document to process is not sent: %j',
  async (body) => {
    const from = server.seen.length;
    expect(await thrownBy(server.client().completeUploads('job_1', body, { idempotencyKey: 'k' }))).toMatchObject({ kind: 'rejected', status: null, code: 'nothing_to_do' });
    expect(server.seen).toHaveLength(from);
  },
);

test('U16: a completion that comes too late is a 409 that asks to read the job again', async () => {
  server.json(409, { error: { code: 'invalid_state', message: 'Not uploading any more.' } });
  expect(await thrownBy(server.client().completeUploads('job_1', {}, { idempotencyKey: 'k' }))).toMatchObject({ kind: 'rejected', status: 409 });
});

test('U18: a resume with too few credits may be refused, or answer with any status', async () => {
  server.json(402, { error: { code: 'insufficient_credits', message: '' } });
  expect(await thrownBy(server.client().resumeJob('job_1'))).toMatchObject({ kind: 'credit', status: 402 });
  server.json(409, { error: { code: 'insufficient_credits', message: '' } });
  expect(await thrownBy(server.client().resumeJob('job_1'))).toMatchObject({ kind: 'credit', status: 409 });
  server.json(200, { job: { id: 'job_1', status: 'blocked_insufficient_credits' } });
  expect(await server.client().resumeJob('job_1')).toMatchObject({ status: 'blocked_insufficient_credits' });
});

test('U21: a job that is gone is a 404, and an expired one a status', async () => {
  server.json(404, { error: { code: 'not_found', message: '' } });
  expect(await thrownBy(server.client().getJob('job_1'))).toMatchObject({ kind: 'rejected', status: 404 });
  server.json(200, { job: { id: 'job_1', status: 'expired' } });
  expect(await server.client().getJob('job_1')).toMatchObject({ status: 'expired' });
});

test('U22: the result is fetched from its route with the key, not from resultUrl', async () => {
  server.json(200, { job: { id: 'job_1', status: 'completed', resultUrl: 'http://127.0.0.1:9/r?sig=x' } });
  const client = server.client();
  const { id } = await client.getJob('job_1');
  server.json(200, '{}');
  expect(await text((await client.getResult(id)).body)).toBe('{}');
  expect(server.seen.at(-1)).toMatchObject({ url: '/api/open/v1/jobs/job_1/result' });
});

test.each([404, 409])('U23: a result that is not there is a %i that asks to read the job again', async (status) => {
  server.json(status, { error: { code: 'no_result', message: '' } });
  expect(await thrownBy(server.client().getResult('job_1'))).toMatchObject({ kind: 'rejected', status });
});

test.each([200, 201, 202, 204])('U24: resume and cancel succeed with %i', async (status) => {
  const client = server.client();
  server.answer((response, { method }) => (status === 204 && method === 'POST' ? response.writeHead(204).end() : response.writeHead(status === 204 ? 200 : status).end(JSON.stringify({ job }))));
  expect(await client.resumeJob('job_1')).toMatchObject(job);
  expect(await client.cancelJob('job_1')).toMatchObject(job);
});

test.each([{ error: { code: 'c_1', message: 'Words.' } }, { code: 'c_1', message: 'Words.' }, { error: 'c_1', message: 'Words.' }])('U25: the error is read from %j', async (body) => {
  server.json(422, body);
  expect(await thrownBy(server.client().getJob('job_1'))).toMatchObject({ status: 422, code: 'c_1', message: 'GET /api/open/v1/jobs/job_1 answered 422 (c_1): Words.' });
});

test('U26: a 429 tells how long to wait', async () => {
  server.json(429, { error: { code: 'rate_limited', message: '' } }, { 'retry-after': '5' });
  expect(await thrownBy(server.client().getJob('job_1'))).toMatchObject({ kind: 'busy', retryAfterMs: 5000 });
});

test('U27: a project may have any status; a name in use is a 409', async () => {
  server.json(200, { project: { id: 'proj_1', status: 'provisioning_failed' } });
  expect(await server.client().getProject('proj_1')).toMatchObject({ status: 'provisioning_failed' });
  server.json(409, { error: { code: 'name_taken', message: '' } });
  expect(await thrownBy(server.client().createProject('A'))).toMatchObject({ kind: 'rejected', status: 409 });
});

test('U28: a key without a scope is told apart from a bad request', async () => {
  server.json(403, { error: { code: 'insufficient_scope', message: '' } });
  expect(await thrownBy(server.client().listProjects())).toMatchObject({ kind: 'auth', status: 403 });
});

test('U29: a form has a bound of its own, and one that is too large is a 413', async () => {
  expect(maxFormBytes).toBe(200_000_000);
  server.json(413, { error: { code: 'too_large', message: '' } });
  expect(await thrownBy(server.client().uploadFiles('job_1', [formFile('a.pdf')]))).toMatchObject({ kind: 'rejected', status: 413 });
});

test('U31: counters may be missing or null, values unknown, fields new', async () => {
  server.json(200, { job: { id: 'job_1', status: 'paused_for_review', pageCount: null, billing: {}, files: [{ status: 'odd' }], later: 1 } });
  expect(await server.client().getJob('job_1')).toMatchObject({ status: 'paused_for_review', pageCount: null, later: 1 });
});

test('U35: an artifact is fetched by its path, decoded once and encoded once', async () => {
  server.answer((response) => response.end('x'));
  const path = artifactPath({ url: `${server.url}/api/open/v1/jobs/job_1/artifact?path=r%2Fa%20%25.png` });
  expect(path).toBe('r/a %.png');
  (await server.client().getArtifact('job_1', path!)).body.destroy();
  expect(new URL(server.seen.at(-1)!.url, server.url).searchParams.get('path')).toBe('r/a %.png');
  expect(artifactPath({ path: 'r/b.png', url: 'https://h/?path=other' })).toBe('r/b.png');
});

test('U36: a list of jobs is followed over pages when it has them', async () => {
  server.answer((response, { url }) => response.end(JSON.stringify(url.includes('cursor=c%2F2') ? { jobs: [{ id: 'job_1', status: 'x' }] } : { jobs: [job, job], nextCursor: 'c/2' })));
  const ids: string[] = [];
  for await (const { id } of server.client().listJobs('proj_1')) ids.push(id);
  expect(ids).toEqual(['job_1', 'job_1', 'job_1']);
  expect(server.seen.at(-1)!.url).toBe('/api/open/v1/projects/proj_1/jobs?cursor=c%2F2');
});

test('C1: a project is read whether its upgrade status is null or "none"', async () => {
  server.golden('get-project');
  expect(await server.client().getProject('proj_demo')).toMatchObject({ status: 'ready', runtime: { upgradeStatus: 'none' } });
  server.golden('get-project.upgrade-null');
  expect(await server.client().getProject('proj_demo')).toMatchObject({ status: 'ready', runtime: { upgradeStatus: null } });
});

test('C2: a new job may be in its first or in its second status', async () => {
  const create = () => server.client().createJob('proj_demo', {}, { idempotencyKey: 'k' });
  server.golden('create-job');
  expect((await create()).job.status).toBe('awaiting_uploads');
  server.golden('create-job.provisioning');
  expect((await create()).job.status).toBe('provisioning');
});

test('C3, C10: a resumed and a cancelled job may answer with either status', async () => {
  const after = async (fixture: string, verb: 'resumeJob' | 'cancelJob') => {
    server.golden(fixture);
    return (await server.client()[verb]('job_demo1')).status;
  };
  expect([await after('resume-job', 'resumeJob'), await after('resume-job.preflighting', 'resumeJob')]).toEqual(['processing', 'preflighting']);
  expect([await after('cancel-job', 'cancelJob'), await after('cancel-job.not-yet', 'cancelJob')]).toEqual(['cancelled', 'processing']);
});
