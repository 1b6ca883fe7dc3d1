import fc from 'fast-check';
import { newsOf } from '../../src/webhook/news';
import { readWebhook } from '../../src/plangrep/webhook';
import { AttackedReceiver, statusOf } from './attacked-receiver';

let receiver: AttackedReceiver;
/** Each run has a job of its own, so that nothing is a repeat. */
let number = 0;
beforeAll(async () => {
  // Who sends half a request ends his side; nothing has to wait for a time.
  receiver = await AttackedReceiver.start({ limits: { headersMs: 2_000, requestMs: 2_000, checkMs: 20, lingerMs: 20 } });
});
afterAll(() => receiver.stop());

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString('latin1'));
const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '');
const headerName = fc.oneof(
  fc.constantFrom('host', 'content-length', 'transfer-encoding', 'connection', 'expect', 'x-plangrep-signature', 'upgrade', 'content-encoding', 'trailer', 'te'),
  fc.stringMatching(/^[a-zA-Z-]{1,20}$/),
  bytes,
);
const headerValue = fc.oneof(
  fc.constantFrom('0', '2', '-1', '18446744073709551616', '0x10', 'chunked', 'chunked, chunked', 'gzip', 'close', 'keep-alive', 'upgrade', '100-continue', 'sha256=', 'x'),
  bytes,
);
const header = fc.tuple(headerName, fc.constantFrom(': ', ':', ' : ', ''), headerValue, lineEnd).map((parts) => parts.join(''));
/** Ways to spoil an address, among them none. */
const spoil = fc.constantFrom<(path: string) => string>(
  (path) => path,
  (path) => `${path}/`,
  (path) => path.toUpperCase(),
  (path) => path.slice(0, -1),
  (path) => path.replace('/jobs/', '//jobs/'),
  (path) => `/x/..${path}`,
  (path) => encodeURIComponent(path),
  (path) => `http://x${path}`,
  (path) => `${path}?${path}`,
  (path) => `${path}%00`,
);
interface Attempt {
  method: string;
  path: string | null;
  spoil: (path: string) => string;
  version: string;
  headers: string[];
  body: string;
}
const attempt: fc.Arbitrary<Attempt> = fc.record({
  method: fc.oneof(fc.constantFrom('POST', 'POST', 'GET', 'HEAD', 'PUT', 'OPTIONS', 'CONNECT', 'PRI', 'post'), bytes),
  path: fc.oneof(fc.constant(null), fc.webPath(), fc.constantFrom('/', '*', '/healthz', '/readyz', '/jobs//', ''), bytes),
  spoil,
  version: fc.oneof(fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', ''), bytes),
  headers: fc.array(header, { maxLength: 8 }),
  body: fc.oneof(fc.constantFrom('{}', '2\r\n{}\r\n0\r\n\r\n', '0\r\n\r\n', 'ffffffffffffffff\r\n'), bytes),
});

/** Each answer begins with a status and has no word about what answers; a tunnel or a first line without a version gets none. */
function expectPlain(answer: string): void {
  expect(answer === '' || /^HTTP\/1\.1 (100|20[04]|400|404|408|413|417|431|503) /.test(answer)).toBe(true);
  expect(answer).not.toMatch(/node|server:|powered-by|\.(js|ts):\d|error/i);
}

test('whatever comes over a socket: a plain answer or a closed connection, and no word to a job that the address does not prove', async () => {
  await fc.assert(
    fc.asyncProperty(attempt, async ({ method, path, spoil: spoiled, version, headers, body }) => {
      const job = ++number;
      const target = path ?? spoiled(receiver.path(job));
      expectPlain(await receiver.raw(Buffer.from(`${method} ${target} ${version}\r\n${headers.join('')}\r\n${body}`, 'latin1')));
      // The right address, with a query or without, is the proof.
      if (!target.split('?')[0]!.endsWith(receiver.path(job)) || target.startsWith('http') || target.startsWith('/x')) expect(receiver.told(job)).toEqual([]);
      expect(receiver.told(job).length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 400 },
  );
  expect(statusOf(await receiver.send(receiver.path(++number), '{"status":"failed"}'))).toBe(204);
  expect(receiver.log).toBe('');
});

test('and any bytes at all, also in the midst of a good webhook', async () => {
  const noise = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
  await fc.assert(
    fc.asyncProperty(noise, fc.nat(300), async (inserted, at) => {
      const job = ++number;
      const good = Buffer.from(`POST ${receiver.path(job)} HTTP/1.1\r\nhost: x\r\ncontent-length: 19\r\nconnection: close\r\n\r\n{"status":"failed"}`);
      expectPlain(await receiver.raw(inserted));
      expectPlain(await receiver.raw(Buffer.concat([good.subarray(0, at), inserted, good.subarray(at)])));
      expect(receiver.told(job).length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 150 },
  );
  expect(receiver.log).toBe('');
});

/** Every text that stands under this name anywhere in a value. */
function textsUnder(name: string, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [...(key === name && typeof inner === 'string' ? [inner] : []), ...textsUnder(name, inner)]);
}

const status = fc.oneof(fc.constantFrom('completed', 'failed', 'processing', 'blocked_insufficient_credits', 'paused_by_moon', '', '\u001b[2J', 'x'.repeat(65)), fc.string(), fc.integer(), fc.constant(null));
const job = fc.record({ id: fc.string(), status, updatedAt: status }, { requiredKeys: [] });
const shaped = fc.oneof(job, fc.record({ job: fc.oneof(job, fc.jsonValue()), status, updatedAt: status, data: fc.oneof(fc.record({ job, status }, { requiredKeys: [] }), fc.jsonValue()) }, { requiredKeys: [] }), fc.jsonValue());
const body = fc.oneof(
  shaped.map((value) => Buffer.from(JSON.stringify(value))),
  shaped.chain((value) => fc.nat(200).map((end) => Buffer.from(JSON.stringify(value).slice(0, end)))),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
);

test('whatever a right address and a right signature come with: it is taken, and a job is told what stands in it and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const of = ++number;
      receiver.protect(of);
      expect(statusOf(await receiver.send(receiver.path(of), sent))).toBe(404);
      expect(receiver.told(of)).toEqual([]);
      expect(statusOf(await receiver.send(receiver.path(of), sent, { headers: receiver.signed(sent) }))).toBe(204);
      const news = newsOf(readWebhook(sent.toString()));
      expect(receiver.told(of)).toEqual(news === null ? [] : [news]);
      if (news === null || news.status === null) return;
      expect(textsUnder('status', JSON.parse(sent.toString()) as unknown)).toContain(news.status);
      expect(news.status).toMatch(/^[\w-]{1,64}$/);
    }),
    { numRuns: 300 },
  );
});
