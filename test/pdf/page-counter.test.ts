import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PageCounter, type PageCounterOptions } from '../../src/pdf/page-counter';
import { makePdf } from '../support/documents';

// A thread that does what its document says, and answers with the number of the thread as the number of pages.
const obedientCode = `
const { parentPort, threadId } = require('node:worker_threads');
parentPort.on('message', ({ path }) => {
  const order = Buffer.from(path).toString();
  if (order === 'hang') for (;;);
  // A pipe that has a writer and no byte: the read waits in the kernel, where nobody can stop it.
  if (order.startsWith('/')) require('node:fs').readSync(require('node:fs').openSync(order, 'r+'), Buffer.alloc(1));
  if (order === 'exit') process.exit(1);
  if (order === 'throw') throw new Error('stack overflow');
  if (order === 'crash') return parentPort.postMessage({ crash: 'trapped', heapBytes: 1 });
  if (order === 'broken') return parentPort.postMessage({ broken: 'no such module', heapBytes: 0 });
  if (order === 'leave') setImmediate(() => process.exit(0));
  parentPort.postMessage({ pages: threadId, heapBytes: order === 'grow' ? 200 : 100 });
});
`;

const counters: PageCounter[] = [];

function counterWith(options: PageCounterOptions): PageCounter {
  const counter = new PageCounter(options);
  counters.push(counter);
  return counter;
}

function obedient(options: PageCounterOptions = {}): (order: string) => Promise<unknown> {
  const counter = counterWith({ code: obedientCode, ...options });
  return async (order) => {
    const answer = await counter.count({ path: Buffer.from(order) });
    return 'pages' in answer ? answer.pages : answer;
  };
}

afterEach(async () => {
  await Promise.all(counters.splice(0).map((counter) => counter.close()));
});

// Only the thread that hangs has a short limit, and starting or stopping one may take longer than that on a busy machine: asked again, it answers.
async function counted(tell: (order: string) => Promise<unknown>): Promise<number> {
  for (;;) {
    const answer = await tell('count').catch((error: NodeJS.ErrnoException) => expect(error).toMatchObject({ code: 'ETIMEDOUT' }));
    if (typeof answer === 'number') return answer;
  }
}

test.each([
  ['hang', 300, 'reading the document did not end within 300 ms'],
  ['exit', 60_000, 'the document makes PDFium fail: the counting thread ended'],
  ['throw', 60_000, 'the document makes PDFium fail: stack overflow'],
  ['crash', 60_000, 'the document makes PDFium fail: trapped'],
])('after "%s" the document is damaged and the next one has a new thread', async (order, hangMs, message) => {
  const tell = obedient({ hangMs });
  const first = await counted(tell);
  expect(await tell(order)).toEqual({ problem: 'damaged', message });
  expect(await counted(tell)).not.toBe(first);
});

test('the time that a stopped thread has to end keeps nobody waiting once it has ended', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const tell = obedient({ hangMs: 300 });
  await counted(tell);
  const before = timers();
  expect(await tell('hang')).toMatchObject({ problem: 'damaged' });
  expect(timers()).toBe(before);
});

test('a read that does not end is an outage of its storage, not damage, and the next document has a new thread', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'page-counter-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const tell = obedient({ hangMs: 1_000, endMs: 50 });
  const first = await counted(tell);
  await expect(tell(pipe)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(await counted(tell)).not.toBe(first);
  // Lets the thread go.
  writeFileSync(pipe, 'x');
  rmSync(folder, { recursive: true });
});

test('a thread is replaced after its share of documents', async () => {
  const tell = obedient({ documentsPerThread: 3 });
  const threads: unknown[] = [];
  for (let index = 0; index < 7; index += 1) threads.push(await tell('count'));
  expect(threads.map((thread) => threads.indexOf(thread))).toEqual([0, 0, 0, 3, 3, 3, 6]);
});

test('a thread is replaced when its memory has grown', async () => {
  const tell = obedient({ heapBytesPerThread: 150 });
  const first = await tell('count');
  expect(await tell('grow')).toBe(first);
  expect(await tell('count')).not.toBe(first);
});

test('a thread that ends between two documents, or early in the second, costs neither of them its count', async () => {
  const tell = obedient();
  const first = await tell('leave');
  let next = first;
  while (next === first) next = await tell('count');
  expect(next).toEqual(expect.any(Number));
});

test('a crash in a used thread is tried again in a fresh one, with the same bytes', async () => {
  const counter = counterWith({
    code: `
      const { parentPort } = require('node:worker_threads');
      let documents = 0;
      parentPort.on('message', ({ bytes }) => {
        documents += 1;
        parentPort.postMessage(documents > 1 ? { crash: 'out of memory', heapBytes: 0 } : { pages: bytes.length, heapBytes: 0 });
      });`,
  });
  const count = (size: number): Promise<unknown> => counter.count({ bytes: new Uint8Array(size) });
  expect([await count(5), await count(6), await count(7)]).toEqual([{ pages: 5 }, { pages: 6 }, { pages: 7 }]);
});

test('an idle thread is stopped', async () => {
  const tell = obedient({ idleMs: 0 });
  const first = await tell('count');
  let next = first;
  while (next === first) {
    await new Promise(setImmediate);
    next = await tell('count');
  }
  expect(next).not.toBe(first);
});

test('a PDFium that does not start is an error, no damage of the document', async () => {
  await expect(obedient()('broken')).rejects.toThrow('PDFium could not be started: no such module');
});

test('a document above the bound is too large, in memory and as a file', async () => {
  const counter = counterWith({ maxBytes: 700 });
  const big = makePdf({ sizeBytes: 2_000 });
  expect(await counter.count({ bytes: new Uint8Array(makePdf()) })).toEqual({ pages: 1 });
  expect(await counter.count({ bytes: new Uint8Array(big) })).toEqual({
    problem: 'too_large',
    message: `${big.length} bytes are too many to count pages in`,
  });
  expect(await counter.count({ path: Buffer.from(__filename) })).toMatchObject({ problem: 'too_large' });
});

test('memory does not grow with the number of documents', async () => {
  const counter = counterWith({ documentsPerThread: 1_000_000 });
  const bytes = makePdf({ pages: 50, sizeBytes: 2_000_000 });
  const rss: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 30; index += 1) await counter.count({ bytes: new Uint8Array(bytes) });
    rss.push(process.memoryUsage().rss);
  }
  // Sixty documents of 2 MB each passed after the first round; kept, they would be 120 MB.
  expect((rss[2] ?? 0) - (rss[0] ?? 0)).toBeLessThan(80 * 2 ** 20);
});
