import { randomBytes } from 'node:crypto';
import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, put, sha256Of } from './caller';

let simulator: Simulator;
let caller: Caller;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 0, pageMs: 0, trustDigests: true, partThreshold: 300_000, partBytes: 100_000, bytesPerPage: 50_000 });
  caller = new Caller(simulator);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});

test('a signed PUT is believed its digest, and nothing else: sizes, headers and pages count', async () => {
  const { id } = await caller.createJob();
  const registered = makePdf({ pages: 3, marker: 'a' });
  const { uploadUrl, requiredHeaders } = (await caller.register(id, [{ fileName: 'a.pdf', content: registered }])).body.uploads[0]!;
  const sent = makePdf({ pages: 3, marker: 'b' });
  expect(sent.length).toBe(registered.length);
  expect((await put(uploadUrl!, sent.subarray(1), requiredHeaders)).status).toBe(400);
  expect((await put(uploadUrl!, sent, { 'content-type': 'application/pdf' })).status).toBe(403);
  expect((await put(uploadUrl!, sent, requiredHeaders)).status).toBe(200);
  expect(simulator.state.jobs.get(id)!.documents).toMatchObject([{ sha256: sha256Of(registered), content: { pages: 3, problem: null } }]);
  expect(simulator.state.counters).toMatchObject({ refusedDigests: 0, refusedSizes: 1 });
});

test('so are signed parts: in any order, repeated, with or without a digest of their own; nothing of them is kept', async () => {
  const { id } = await caller.createJob();
  const whole = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(349_991)]);
  const { parts, documentId, uploadToken, multipartUploadId } = (await caller.register(id, [{ fileName: 'a.pdf', content: whole }])).body.uploads[0]!;
  const send = async (number: number, headers = {}, cut = 0) => {
    const { uploadUrl, startByte, endByte } = parts![number - 1]!;
    return put(uploadUrl, whole.subarray(startByte, endByte + 1 - cut), headers);
  };
  expect((await send(2, {}, 1)).status).toBe(400);
  expect(simulator.state.jobs.get(id)!.documents[0]!.parts!.get(2)).toBeUndefined();
  const etags = new Map<number, unknown>();
  for (const number of [4, 2, 1, 3, 2]) {
    const { status, headers } = await send(number, number === 3 ? { 'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64') } : {});
    expect([status, headers.etag]).toEqual([200, etags.get(number) ?? expect.stringMatching(/^"[0-9a-f]{32}"$/)]);
    etags.set(number, headers.etag);
  }
  const record = { documentId, uploadToken, multipartUploadId, parts: [1, 2, 3, 4].map((partNumber) => ({ partNumber, etag: etags.get(partNumber) })) };
  expect((await caller.complete(id, { multipartUploads: [{ ...record, parts: record.parts.slice(1) }] })).body.error.code).toBe('invalid_parts');
  expect((await caller.complete(id, { multipartUploads: [record] })).status).toBe(202);
  await caller.advance(1_000);
  expect(await caller.job(id)).toMatchObject({ status: 'completed', pageCount: 7 });
  expect(await simulator.state.scratch.folder()).toBeNull();
});
