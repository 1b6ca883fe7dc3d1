import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { request } from 'undici';
import type { Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, send, type Instruction, type JobView } from './caller';

/*
 * The simulator as a process of its own, so that its memory can be told from the test's. What is sent and read is far more than
 * the growth allowed, and small enough for a quick test.
 */
const growthBytes = 48 * 2 ** 20;
const countedBytes = 32 * 2 ** 20;
const contentBytes = 150_000_000;
const partedBytes = 200_000_000;
const chunk = Buffer.alloc(2 ** 20, 'plan');

let child: ChildProcess;
let caller: Caller;
let errors = '';

beforeAll(async () => {
  const main = join(resolve(__dirname, '../..'), 'src/simulator/main.ts');
  const options = { jobMs: 0, pageMs: 0, partThreshold: contentBytes, partBytes: partedBytes / 10, countedBytes };
  child = spawn(process.execPath, ['--import', 'tsx', '-e', `require(${JSON.stringify(main)}).runSimulator(${JSON.stringify(options)})`], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr!.on('data', (text: Buffer) => (errors += text.toString()));
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  const { api, storage, control, apiKey } = JSON.parse(line) as Record<string, string>;
  caller = new Caller({ apiUrl: api, storageUrl: storage, controlUrl: control, apiKey } as unknown as Simulator);
});
afterAll(() => child.kill('SIGKILL'));

async function memoryBytes(): Promise<number> {
  return (JSON.parse((await caller.control('GET', '/counters')).bytes.toString()) as { memoryBytes: number }).memoryBytes;
}

/** How much more memory the simulator ever had while something was under way. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const before = await memoryBytes();
  let most = before;
  let over = false;
  const done = work().finally(() => (over = true));
  while (!over) most = Math.max(most, await memoryBytes());
  await done;
  return most - before;
}

function* content(bytes: number): Generator<Buffer> {
  yield Buffer.from('%PDF-');
  yield* pattern(chunk, bytes - 5);
}

function* pattern(piece: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left);
}

function digest(bytes: number): string {
  const hash = createHash('sha256');
  for (const piece of content(bytes)) hash.update(piece);
  return hash.digest('hex');
}

/** The bytes of a part; the file starts like a PDF, and then a pattern goes on. */
function slice({ startByte, endByte }: { startByte: number; endByte: number }): Readable {
  const offset = startByte === 0 ? 0 : (startByte - 5) % chunk.length;
  const rotated = Buffer.concat([chunk.subarray(offset), chunk.subarray(0, offset)]);
  const bytes = endByte - startByte + 1;
  return Readable.from(startByte === 0 ? content(bytes) : pattern(rotated, bytes));
}

async function putPart(part: NonNullable<Instruction['parts']>[number]): Promise<unknown> {
  const answer = await send('PUT', part.uploadUrl, slice(part), { 'content-length': String(part.endByte - part.startByte + 1) });
  expect(answer.status).toBe(200);
  return answer.headers.etag;
}

async function ended(jobId: string): Promise<JobView> {
  let job = await caller.job(jobId);
  while (job.completedAt === null) job = await caller.job(jobId);
  return job;
}

async function register(fileSize: number): Promise<{ jobId: string; instruction: Instruction }> {
  const { id } = await caller.createJob();
  const { uploads } = (await caller.call('POST', `/jobs/${id}/uploads`, { files: [{ fileName: 'huge.pdf', contentType: 'application/pdf', fileSize, sha256: digest(fileSize) }] })).body;
  return { jobId: id, instruction: uploads[0]! };
}

test('a large signed PUT passes through: constant memory, real digest, pages estimated', async () => {
  const { jobId, instruction } = await register(contentBytes);
  const growth = await growthDuring(async () => {
    const headers = { ...instruction.requiredHeaders, 'content-length': String(contentBytes) };
    expect((await send('PUT', instruction.uploadUrl!, Readable.from(content(contentBytes)), headers)).status).toBe(200);
  });
  expect(growth).toBeLessThan(growthBytes);
  await caller.complete(jobId, { directUploads: [{ documentId: instruction.documentId, uploadToken: instruction.uploadToken }] });
  expect(await ended(jobId)).toMatchObject({ status: 'completed', pageCount: Math.ceil(contentBytes / 250_000) });
});

test('a large upload in parts passes through as well, in any order, several at a time', async () => {
  const { jobId, instruction } = await register(partedBytes);
  const { parts, documentId, uploadToken, multipartUploadId } = instruction;
  const etags = new Map<number, unknown>();
  const order = [3, 2, 1, 5, 4, 6, 10, 9, 8, 7].map((partNumber) => parts![partNumber - 1]!);
  const growth = await growthDuring(async () => {
    const sendAll = async (): Promise<void> => {
      for (let part = order.shift(); part; part = order.shift()) etags.set(part.partNumber, await putPart(part));
    };
    await Promise.all([sendAll(), sendAll(), sendAll()]);
  });
  expect(growth).toBeLessThan(growthBytes);
  const records = parts!.map(({ partNumber }) => ({ partNumber, etag: etags.get(partNumber) }));
  expect((await caller.complete(jobId, { multipartUploads: [{ documentId, uploadToken, multipartUploadId, parts: records }] })).status).toBe(202);
  expect((await ended(jobId)).pageCount).toBe(Math.ceil(partedBytes / 250_000));
});

test('a large result is read in constant memory', async () => {
  const resultBytes = 150_000_000;
  await caller.fault({ kind: 'job', resultBytes, times: 1 });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf() }]);
  await ended(id);
  let bytes = 0;
  const growth = await growthDuring(async () => {
    const answer = await request(`${caller.simulator.apiUrl}/api/open/v1/jobs/${id}/result`, { headers: { authorization: `Bearer ${caller.simulator.apiKey}` } });
    for await (const piece of answer.body) bytes += (piece as Buffer).length;
  });
  expect(bytes).toBe(resultBytes);
  expect(growth).toBeLessThan(growthBytes);
});

test('SIGTERM ends it with 0, and it has said nothing else', async () => {
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  expect([code, errors]).toEqual([0, '']);
});
