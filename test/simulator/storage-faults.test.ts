import { setImmediate as turn } from 'node:timers/promises';
import { request } from 'undici';
import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { Throttle } from '../../src/simulator/traffic';
import { Caller, put, type Instruction } from './caller';

/** More than sockets and streams hold between the two sides. */
const content = Buffer.alloc(16_000_000, 'scan');

let simulator: Simulator;
let caller: Caller;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true });
  caller = new Caller(simulator);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});
afterEach(() => caller.control('DELETE', '/faults'));

const counters = () => simulator.state.counters;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

async function register(bytes: Buffer): Promise<Instruction> {
  const { id } = await caller.createJob();
  return (await caller.register(id, [{ fileName: 'scan.bin', content: bytes }])).body.uploads[0]!;
}

test.each([503, 429])('storage answers %d with a Retry-After, so many times, and then takes the file', async (status) => {
  const { uploadUrl, requiredHeaders } = await register(content);
  await caller.fault({ kind: 'request', operation: 'putObject', status, headers: { 'Retry-After': '2' }, times: 2 });
  const before = counters().bytesReceived;
  for (let time = 0; time < 2; time++) {
    const answer = await put(uploadUrl!, content.subarray(0, 10), { ...requiredHeaders, 'content-length': '10' });
    expect([answer.status, answer.headers['retry-after']]).toEqual([status, '2']);
  }
  expect((await put(uploadUrl!, content, requiredHeaders)).status).toBe(200);
  expect(counters().bytesReceived - before).toBe(content.length);
});

test('storage stops taking the bytes of one PUT, while others go on, until the faults are cleared', async () => {
  const [stuck, other] = [await register(content), await register(Buffer.from('other'))];
  await caller.fault({ kind: 'request', operation: 'putObject', stallBytes: 1_000_000 });
  const before = counters().bytesReceived;
  const sent = put(stuck.uploadUrl!, content, stuck.requiredHeaders);
  await until(() => counters().bytesReceived - before >= 1_000_000);
  expect((await put(other.uploadUrl!, Buffer.from('other'), other.requiredHeaders)).status).toBe(200);
  expect(counters().bytesReceived - before).toBeLessThan(2_000_000);
  expect(counters().uploadsAtOnce).toEqual({ now: 1, most: 2 });
  await caller.control('DELETE', '/faults');
  expect((await sent).status).toBe(200);
  expect(counters().uploadsAtOnce.now).toBe(0);
});

test('a client may give up a PUT that is stuck from its first byte', async () => {
  const { uploadUrl, requiredHeaders } = await register(content);
  await caller.fault({ kind: 'request', operation: 'putObject', stallBytes: 0 });
  const stop = new AbortController();
  const sent = request(uploadUrl!, { method: 'PUT', body: content, headers: requiredHeaders ?? {}, signal: stop.signal });
  await until(() => counters().uploadsAtOnce.now === 1);
  stop.abort();
  await expect(sent).rejects.toThrow();
  await caller.control('DELETE', '/faults');
  await until(() => counters().uploadsAtOnce.now === 0);
  expect((await put(uploadUrl!, content, requiredHeaders)).status).toBe(200);
});

test('a slow storage takes everything, and is fast again at once when the faults are cleared', async () => {
  const { uploadUrl, requiredHeaders } = await register(content);
  // So slow that the test would not end.
  await caller.fault({ kind: 'storage', bytesPerSecond: 1_000 });
  const before = counters().bytesReceived;
  const sent = put(uploadUrl!, content, requiredHeaders);
  await until(() => counters().bytesReceived > before);
  await caller.control('DELETE', '/faults');
  expect((await sent).status).toBe(200);
});

test.each([[{ kind: 'storage' }], [{ kind: 'storage', bytesPerSecond: 0 }], [{ kind: 'storage', bytesPerSecond: 5, times: 1 }], [{ kind: 'request', stallBytes: -1 }]])(
  'a fault like %j is refused',
  async (fault) => expect((await caller.control('POST', '/faults', fault)).status).toBe(400),
);

test('a throttle lets so many bytes pass in a second, whoever takes them', async () => {
  let nowMs = 5_000;
  const throttle = new Throttle(
    () => nowMs,
    async (ms) => void (nowMs += ms),
  );
  for (let taken = 0; taken < 3_000_000; taken += 60_000) await throttle.take(60_000, () => 1_000_000);
  expect(nowMs - 5_000).toBeGreaterThan(2_990);
  expect(nowMs - 5_000).toBeLessThanOrEqual(3_000);
  // What was free meanwhile is not made up for.
  nowMs += 60_000;
  const idleUntil = nowMs;
  await throttle.take(1_000_000, () => 1_000_000);
  expect(nowMs - idleUntil).toBe(1_000);
  await throttle.take(1_000_000, () => undefined);
  expect(nowMs - idleUntil).toBe(1_000);
});
