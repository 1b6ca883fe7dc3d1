import { once } from 'node:events';
import { createServer } from 'node:net';
import { closePageCounter } from '../../src/pdf/page-count';
import { Faults } from '../../src/simulator/armed-faults';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, put } from './caller';

let simulator: Simulator;
let caller: Caller;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 0, pageMs: 0 });
  caller = new Caller(simulator);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});
afterEach(() => caller.control('DELETE', '/faults'));

const create = () => caller.call('POST', '/projects/proj_quickstart/jobs', {});
const jobs = () => simulator.state.jobs.size;
const counted = (operation: string) => simulator.state.counters.requests[operation] ?? {};

test('the nth request is hit, so many times, and no other', async () => {
  await caller.fault({ kind: 'request', operation: 'listProjects', nth: 2, times: 2, status: 503 });
  const statuses: number[] = [];
  for (let index = 0; index < 5; index++) {
    statuses.push((await caller.call('GET', '/projects')).status);
    expect((await caller.call('GET', '/projects/proj_quickstart')).status).toBe(200);
  }
  expect(statuses).toEqual([200, 503, 503, 200, 200]);
});

test('a rate hits its share of the matching requests, evenly spread', async () => {
  await caller.fault({ kind: 'request', operation: 'listProjects', rate: 0.25, times: 0, status: 503 });
  const statuses: number[] = [];
  for (let index = 0; index < 8; index++) statuses.push((await caller.call('GET', '/projects')).status);
  expect(statuses).toEqual([200, 200, 200, 503, 200, 200, 200, 503]);
});

test('times 0 is for ever, until cleared; part of a path narrows it', async () => {
  await caller.fault({ kind: 'request', path: 'proj_quickstart', times: 0, status: 500 });
  for (let index = 0; index < 3; index++) expect((await caller.call('GET', '/projects/proj_quickstart')).status).toBe(500);
  expect((await caller.call('GET', '/projects')).status).toBe(200);
  expect(JSON.parse((await caller.control('GET', '/faults')).bytes.toString())).toMatchObject({ faults: [{ path: 'proj_quickstart' }] });
  await caller.control('DELETE', '/faults');
  expect((await caller.call('GET', '/projects/proj_quickstart')).status).toBe(200);
});

test('an answer is scripted whole: status, headers, body; and nothing is done', async () => {
  const before = jobs();
  await caller.fault({ kind: 'request', operation: 'createJob', status: 429, headers: { 'Retry-After': '5' }, body: { code: 'slow_down', message: 'Later.' } });
  const { status, headers, bytes } = await create();
  expect([status, headers['retry-after'], JSON.parse(bytes.toString())]).toEqual([429, '5', { code: 'slow_down', message: 'Later.' }]);
  expect(jobs()).toBe(before);
  await caller.fault({ kind: 'request', operation: 'createJob' });
  expect(await create()).toMatchObject({ status: 500, body: { error: { code: 'scripted_fault' } } });
});

test('a status has its usual code, a fault can be about the calls of one job, and it can end by itself', async () => {
  const { id } = await caller.createJob({ externalId: 'batch/x/job/00002' });
  const other = await caller.createJob({ externalId: 'batch/x/job/00003' });
  await caller.fault({ kind: 'request', externalId: 'job/00002', status: 402, times: 0, forMs: 1_000 });
  expect(await caller.call('GET', `/jobs/${id}`)).toMatchObject({ status: 402, body: { error: { code: 'insufficient_credits' } } });
  expect((await caller.call('GET', `/jobs/${other.id}`)).status).toBe(200);
  expect((await create()).status).toBe(202);
  await caller.advance(999);
  expect((await caller.call('GET', `/jobs/${id}`)).status).toBe(402);
  await caller.advance(1);
  expect((await caller.call('GET', `/jobs/${id}`)).status).toBe(200);
  expect(JSON.parse((await caller.control('GET', '/faults')).bytes.toString())).toEqual({ faults: [] });
});

test('a gateway\'s page comes instead, also with 200', async () => {
  await caller.fault({ kind: 'request', operation: 'createJob', html: true }, { kind: 'request', operation: 'createJob', html: true, status: 200 });
  for (const status of [502, 200]) {
    const answer = await create();
    expect([answer.status, answer.headers['content-type'], answer.bytes.toString().startsWith('<html>')]).toEqual([status, 'text/html', true]);
  }
});

test('with `after` everything is done before the wrong answer', async () => {
  const before = jobs();
  await caller.fault({ kind: 'request', operation: 'createJob', after: true, status: 500 });
  expect((await create()).status).toBe(500);
  expect(jobs()).toBe(before + 1);
});

test('the connection is cut before anything was done, or after', async () => {
  const before = jobs();
  const dropped = counted('createJob').dropped ?? 0;
  await caller.fault({ kind: 'request', operation: 'createJob', drop: 'before' });
  await expect(create()).rejects.toThrow();
  expect(jobs()).toBe(before);
  await caller.fault({ kind: 'request', operation: 'createJob', drop: 'after' });
  await expect(create()).rejects.toThrow();
  expect(jobs()).toBe(before + 1);
  expect(counted('createJob').dropped).toBe(dropped + 2);
  expect((await create()).status).toBe(202);
});

test('an answer ends in the middle of its body', async () => {
  await caller.fault({ kind: 'request', operation: 'listProjects', truncateBytes: 10 });
  await expect(caller.call('GET', '/projects')).rejects.toThrow();
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf() }]);
  await caller.advance(100);
  await caller.fault({ kind: 'request', operation: 'getJobResult', truncateBytes: 10 });
  await expect(caller.call('GET', `/jobs/${id}/result`)).rejects.toThrow();
  expect((await caller.call('GET', `/jobs/${id}/result`)).status).toBe(200);
});

test('storage has faults too: a wrong ETag, a cut connection', async () => {
  const content = makePdf({ marker: 'etag' });
  const { id } = await caller.createJob();
  const { uploadUrl, requiredHeaders } = (await caller.register(id, [{ fileName: 'a.pdf', content }])).body.uploads[0]!;
  await caller.fault({ kind: 'request', operation: 'putObject', etag: '"wrong"' }, { kind: 'request', operation: 'putObject', drop: 'before' });
  expect((await put(uploadUrl!, content, requiredHeaders)).headers.etag).toBe('"wrong"');
  await expect(put(uploadUrl!, content, requiredHeaders)).rejects.toThrow();
  expect((await put(uploadUrl!, content, requiredHeaders)).status).toBe(200);
});

test('an answer is late, and otherwise as it would have been', async () => {
  await caller.fault({ kind: 'request', operation: 'listProjects', delayMs: 30 });
  expect((await caller.call('GET', '/projects')).status).toBe(200);
});

test.each([
  [{ kind: 'request', sattus: 500 }],
  [{ kind: 'request', nth: 0 }],
  [{ kind: 'nonsense' }],
  [{ kind: 'document', fileName: 'a.pdf' }],
  [{}],
])('a fault like %j is refused', async (fault) => {
  expect((await caller.control('POST', '/faults', { faults: [fault] })).status).toBe(400);
  expect((await caller.control('POST', '/faults', fault)).status).toBe(400);
});

test('of several that match the first one counts, and each waits for its own turn', () => {
  const faults = new Faults();
  faults.add({ kind: 'request', operation: 'x', nth: 2, status: 501 });
  faults.add({ kind: 'request', status: 502 });
  expect([1, 2, 3].map(() => faults.forRequest('x', '/')?.status)).toEqual([502, 501, undefined]);
});

test('a port that is taken is an error, and nothing is left listening', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  await expect(startSimulator({ storagePort: port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  holder.close();
});
