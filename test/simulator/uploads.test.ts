import { existsSync, readdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, put, send, sha256Of, type Answer } from './caller';

let simulator: Simulator;
let caller: Caller;

beforeEach(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 0, pageMs: 0, partThreshold: 300_000, partBytes: 100_000 });
  caller = new Caller(simulator);
});
afterEach(() => simulator.close());
afterAll(closePageCounter);

const sample = (marker: string, sizeBytes = 0): { fileName: string; content: Buffer } => ({ fileName: `${marker}.pdf`, content: makePdf({ pages: 2, marker, sizeBytes }) });
const contents = (jobId: string) => simulator.state.jobs.get(jobId)!.documents.map(({ content }) => content);
const counters = () => simulator.state.counters;

async function form(jobId: string, metadata: unknown, parts: Record<string, Buffer>): Promise<Answer> {
  const body = new FormData();
  if (metadata !== undefined) body.set('metadata', typeof metadata === 'string' ? metadata : JSON.stringify(metadata));
  for (const [name, content] of Object.entries(parts)) body.set(name, new Blob([new Uint8Array(content)]), `${name}.bin`);
  const encoded = new Response(body);
  const bytes = Buffer.from(await encoded.arrayBuffer());
  return send('POST', `${simulator.apiUrl}/api/open/v1/jobs/${jobId}/files`, bytes, {
    authorization: `Bearer ${simulator.apiKey}`, 'content-type': encoded.headers.get('content-type')!,
  });
}
const entry = (partName: string, more: object = {}): object => ({ partName, fileName: `${partName}.pdf`, contentType: 'application/pdf', ...more });

describe('a signed PUT', () => {
  test('takes exactly the registered bytes, with every header, and can be repeated', async () => {
    const { id } = await caller.createJob();
    const file = sample('a');
    const { uploadUrl, requiredHeaders, uploadMode, expiresAt } = (await caller.register(id, [file])).body.uploads[0]!;
    expect(uploadMode).toBe('direct_put');
    expect(Date.parse(expiresAt!) - simulator.state.clock.now()).toBe(15 * 60_000);
    expect(requiredHeaders).toEqual({ 'Content-Type': 'application/pdf', 'x-amz-checksum-sha256': Buffer.from(sha256Of(file.content), 'hex').toString('base64') });
    for (let time = 0; time < 2; time++) {
      const answer = await put(uploadUrl!, file.content, requiredHeaders);
      expect([answer.status, answer.headers.etag]).toEqual([200, expect.stringMatching(/^"[0-9a-f]{32}"$/)]);
    }
    expect(contents(id)).toEqual([{ pages: 2, problem: null }]);
    expect((await caller.job(id)).files[0]!.status).toBe('uploaded');
  });

  test('refuses another digest, another size, a missing header, another signature, and stores nothing', async () => {
    const { id } = await caller.createJob();
    const { uploadUrl, requiredHeaders } = (await caller.register(id, [sample('a')])).body.uploads[0]!;
    const wrong = sample('b').content;
    expect(wrong.length).toBe(sample('a').content.length);
    expect((await put(uploadUrl!, wrong, requiredHeaders)).body.error.code).toBe('checksum_mismatch');
    expect((await put(uploadUrl!, wrong.subarray(1), requiredHeaders)).status).toBe(400);
    expect((await send('PUT', uploadUrl!, Readable.from([wrong]), requiredHeaders!)).status).toBe(411);
    expect((await put(uploadUrl!, sample('a').content, { 'content-type': 'application/pdf' })).status).toBe(403);
    expect((await put(uploadUrl!.replace(/.$/, 'x'), sample('a').content, requiredHeaders)).status).toBe(403);
    expect(contents(id)).toEqual([null]);
    expect([counters().refusedDigests, counters().refusedSizes]).toEqual([1, 1]);
  });

  test('is refused after its time; the file can then be registered again and counts twice', async () => {
    const { id } = await caller.createJob();
    const file = sample('a');
    const old = (await caller.register(id, [file])).body.uploads[0]!;
    await caller.advance(15 * 60_000);
    expect((await put(old.uploadUrl!, file.content, old.requiredHeaders)).status).toBe(403);
    const [fresh] = await caller.upload(id, [file]);
    expect(fresh!.documentId).not.toBe(old.documentId);
    const completed = await caller.complete(id, { documentIds: [fresh!.documentId], directUploads: [fresh], failedUploads: [{ documentId: old.documentId, error: 'too late' }] });
    expect(completed.status).toBe(202);
    await caller.advance(1_000);
    expect((await caller.job(id)).status).toBe('completed_with_errors');
  });

  test('is refused once the uploads are complete', async () => {
    const { id } = await caller.createJob();
    const { uploadUrl, requiredHeaders, documentId, uploadToken } = (await caller.register(id, [sample('a')])).body.uploads[0]!;
    await put(uploadUrl!, sample('a').content, requiredHeaders);
    await caller.complete(id, { directUploads: [{ documentId, uploadToken }] });
    expect((await put(uploadUrl!, sample('a').content, requiredHeaders)).status).toBe(409);
    expect((await caller.register(id, [sample('b')])).status).toBe(409);
    expect((await form(id, { files: [entry('file0')] }, { file0: sample('c').content })).status).toBe(409);
  });
});

describe('content that is there already', () => {
  test('is not asked for again within a job, but is in another one', async () => {
    const { id } = await caller.createJob();
    const [first] = await caller.upload(id, [sample('a')]);
    const twice = (await caller.register(id, [sample('a'), sample('b'), sample('b')])).body.uploads;
    expect(twice.map(({ documentId, uploadUrl }) => [documentId === first!.documentId, uploadUrl === undefined])).toEqual([[true, true], [false, false], [false, true]]);
    expect(twice[1]!.documentId).toBe(twice[2]!.documentId);
    const other = await caller.createJob();
    expect((await caller.register(other.id, [sample('a')])).body.uploads[0]!.uploadUrl).toBeDefined();
  });

  test('is asked for again as long as it has not arrived: the first answer may have been lost', async () => {
    const { id } = await caller.createJob();
    const [lost, again] = [await caller.register(id, [sample('a')]), await caller.register(id, [sample('a')])].map(({ body }) => body.uploads[0]!);
    expect(again!.documentId).not.toBe(lost!.documentId);
    expect(again!.uploadUrl).toBeDefined();
  });
});

describe('signed parts', () => {
  const large = sample('large', 350_000);
  const part = ({ startByte, endByte }: { startByte: number; endByte: number }, content = large.content): Buffer => content.subarray(startByte, endByte + 1);

  test('come in any order, each again if need be, and make the registered whole', async () => {
    const { id } = await caller.createJob();
    const { uploadMode, uploadUrl, parts, documentId, uploadToken, multipartUploadId } = (await caller.register(id, [large])).body.uploads[0]!;
    expect([uploadMode, uploadUrl, parts!.map(({ partNumber }) => partNumber)]).toEqual(['multipart', undefined, [1, 2, 3, 4]]);
    expect(parts!.at(-1)!.endByte).toBe(large.content.length - 1);
    expect((await put(parts![1]!.uploadUrl, Buffer.alloc(100_000))).status).toBe(200);
    const etags = new Map<number, string>();
    for (const range of [3, 0, 2, 1].map((index) => parts![index]!)) etags.set(range.partNumber, (await put(range.uploadUrl, part(range))).headers.etag as string);
    const records = parts!.map(({ partNumber }) => ({ partNumber, etag: etags.get(partNumber) }));
    const complete = (list: object[] | undefined): Promise<Answer> => caller.complete(id, { multipartUploads: [{ documentId, multipartUploadId, uploadToken, parts: list }] });
    for (const wrong of [records.slice(1), records.toReversed(), records.map((record) => ({ ...record, etag: '"wrong"' }))]) expect((await complete(wrong)).body.error.code).toBe('invalid_parts');
    expect((await complete(records)).status).toBe(202);
    expect(contents(id)).toEqual([{ pages: 2, problem: null }]);
  });

  test('with a wrong checksum or size are refused; a whole with a wrong digest is refused until it is right', async () => {
    const { id } = await caller.createJob();
    const { parts, documentId, uploadToken, multipartUploadId } = (await caller.register(id, [large])).body.uploads[0]!;
    const checksum = { 'x-amz-checksum-sha256': Buffer.from(sha256Of(part(parts![0]!)), 'hex').toString('base64') };
    expect((await put(parts![0]!.uploadUrl, Buffer.alloc(100_000), checksum)).body.error.code).toBe('BadDigest');
    expect((await put(parts![0]!.uploadUrl, Buffer.alloc(99_999))).status).toBe(400);
    for (const range of parts!) await put(range.uploadUrl, range.partNumber === 2 ? Buffer.alloc(100_000) : part(range));
    const record = { documentId, multipartUploadId, uploadToken };
    expect((await caller.complete(id, { multipartUploads: [record] })).body.error.code).toBe('checksum_mismatch');
    expect((await caller.job(id)).status).toBe('uploading');
    await put(parts![1]!.uploadUrl, part(parts![1]!));
    expect((await caller.complete(id, { multipartUploads: [record] })).status).toBe(202);
    expect(counters().refusedDigests).toBe(2);
  });

  test('leave no file behind, whether completed, cancelled or cut off', async () => {
    const { id } = await caller.createJob();
    const { parts } = (await caller.register(id, [large])).body.uploads[0]!;
    await put(parts![0]!.uploadUrl, part(parts![0]!));
    const folder = (await simulator.state.scratch.folder())!;
    expect(readdirSync(folder)).toHaveLength(1);
    await caller.call('POST', `/jobs/${id}/cancel`);
    while (readdirSync(folder).length > 0) await turn();
    await simulator.close();
    expect(existsSync(folder)).toBe(false);
  });
});

describe('base64 content', () => {
  test('is checked like any other, and its own token counts', async () => {
    const { id } = await caller.createJob();
    const { documentId, uploadToken } = (await caller.register(id, [sample('a')])).body.uploads[0]!;
    const to = (body: object): Promise<Answer> => caller.call('POST', `/jobs/${id}/uploads/${documentId}/content`, body);
    const contentBase64 = sample('a').content.toString('base64');
    expect((await to({ uploadToken, contentBase64: '%' })).body.error.code).toBe('invalid_base64');
    expect((await to({ uploadToken: 'ut_x', contentBase64 })).body.error.code).toBe('invalid_upload_token');
    expect((await to({ uploadToken, contentBase64: sample('b').content.toString('base64') })).body.error.code).toBe('checksum_mismatch');
    const answer = await to({ uploadToken, contentBase64, sha256: sha256Of(sample('a').content) });
    expect(answer.body).toMatchObject({ status: 'uploaded', documentId, uploadMode: 'direct_put', fileName: 'a.pdf', fileSize: sample('a').content.length });
    expect(answer.body.directUpload.uploadToken).not.toBe(uploadToken);
    expect((await caller.complete(id, { directUploads: [{ documentId, uploadToken }] })).status).toBe(400);
    expect((await caller.complete(id, { directUploads: [answer.body.directUpload] })).status).toBe(202);
  });

  test('is no way for parts, nor for more than 10 MiB', async () => {
    const { id } = await caller.createJob();
    const [parted, small] = (await caller.register(id, [sample('large', 350_000), sample('a')])).body.uploads;
    const to = (documentId: string, uploadToken: string, content: Buffer) => caller.call('POST', `/jobs/${id}/uploads/${documentId}/content`, { uploadToken, contentBase64: content.toString('base64') });
    expect((await to(parted!.documentId, parted!.uploadToken, Buffer.alloc(9))).status).toBe(409);
    expect((await to(small!.documentId, small!.uploadToken, Buffer.alloc(11 * 2 ** 20))).status).toBe(413);
    expect((await to(small!.documentId, small!.uploadToken, Buffer.alloc(16 * 2 ** 20))).status).toBe(413);
    expect((await to('doc_none', small!.uploadToken, Buffer.alloc(9))).status).toBe(404);
  });
});

describe('a form', () => {
  test('stores its files, tells their documentIds, and is completed by an empty call', async () => {
    const { id } = await caller.createJob();
    const [a, b] = [sample('a').content, sample('b').content];
    const { body, status } = await form(id, { clientUploadFlowId: 'f', files: [entry('file0', { classification: 'plans', sha256: sha256Of(a) }), entry('file1')] }, { file0: a, file1: b });
    expect([status, body.status, body.uploads.map((upload) => (upload as unknown as { status: string }).status)]).toEqual([200, 'uploaded', ['uploaded', 'uploaded']]);
    const again = await form(id, { files: [entry('file0')] }, { file0: b });
    expect([again.body.status, again.body.uploads[0]!.documentId]).toEqual(['skipped', body.uploads[1]!.documentId]);
    const mixed = await form(id, { files: [entry('file0'), entry('file1')] }, { file0: b, file1: sample('c').content });
    expect(mixed.body.status).toBe('uploaded');
    expect((await caller.complete(id)).body.job).toMatchObject({ status: 'preflighting', files: [{ fileName: 'file0.pdf' }, { fileName: 'file1.pdf' }, {}] });
    await caller.advance(100);
    expect(await caller.job(id)).toMatchObject({ status: 'completed', pageCount: 6 });
  });

  test.each([
    ['another digest', { files: [entry('file0', { sha256: '0'.repeat(64) })] }, ['file0']],
    ['no metadata', undefined, ['file0']],
    ['metadata that is no JSON', '{', ['file0']],
    ['metadata without a name', { files: [{ partName: 'file0' }] }, ['file0']],
    ['a part that is named and not there', { files: [entry('file0'), entry('file1')] }, ['file0']],
    ['a part that is not named', { files: [entry('file0')] }, ['file0', 'file1']],
    ['no file0', { files: [entry('file1')] }, ['file1']],
  ])('with %s is refused whole', async (_what, metadata, names) => {
    const { id } = await caller.createJob();
    const parts = Object.fromEntries(names.map((name) => [name, sample(name).content]));
    expect((await form(id, metadata, parts)).status).toBe(400);
    expect(await caller.job(id)).toMatchObject({ status: 'awaiting_uploads', files: [] });
  });

  test('that is broken off, has no boundary or is too large is refused', async () => {
    const { id } = await caller.createJob();
    const to = (type: string, body: Buffer, more: Record<string, string> = {}) => send('POST', `${simulator.apiUrl}/api/open/v1/jobs/${id}/files`, body, { authorization: `Bearer ${simulator.apiKey}`, 'content-type': type, ...more });
    expect((await to('multipart/form-data', Buffer.from('x'))).status).toBe(400);
    expect((await to('multipart/form-data; boundary=b', Buffer.from('--b\r\nContent-Disposition: form-data; name="file0"; filename="a"\r\n\r\nabc'))).status).toBe(400);
    expect((await to('application/json', Buffer.from('{}'))).status).toBe(415);
    const endless = Readable.from((function* () {
      yield '--b\r\nContent-Disposition: form-data; name="file0"; filename="a"\r\n\r\n';
      for (let mebibyte = 0; mebibyte < 200; mebibyte++) yield Buffer.alloc(2 ** 20);
    })());
    const answer = await send('POST', `${simulator.apiUrl}/api/open/v1/jobs/${id}/files`, endless, { authorization: `Bearer ${simulator.apiKey}`, 'content-type': 'multipart/form-data; boundary=b' });
    expect(answer.status).toBe(413);
  });
});
