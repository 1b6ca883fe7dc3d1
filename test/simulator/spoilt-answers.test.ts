import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller } from './caller';

let simulator: Simulator;
let caller: Caller;
beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true });
  caller = new Caller(simulator);
});
afterAll(() => simulator.close());
afterEach(() => caller.control('DELETE', '/faults'));

const projects = () => caller.call('GET', '/projects');

test('an answer is compressed, and says so', async () => {
  const plain = await projects();
  await caller.fault({ kind: 'request', operation: 'listProjects', gzip: true });
  const { statusCode, headers, body } = await request(`${simulator.apiUrl}/api/open/v1/projects`, { headers: { authorization: `Bearer ${simulator.apiKey}` } });
  expect([statusCode, headers['content-encoding']]).toEqual([200, 'gzip']);
  expect(gunzipSync(Buffer.from(await body.arrayBuffer())).equals(plain.bytes)).toBe(true);
});

test('an answer promises more than there is, or less', async () => {
  const { bytes } = await projects();
  await caller.fault({ kind: 'request', operation: 'listProjects', lengthOff: 5 });
  const { headers, body } = await request(`${simulator.apiUrl}/api/open/v1/projects`, { headers: { authorization: `Bearer ${simulator.apiKey}` }, bodyTimeout: 200 });
  expect(headers['content-length']).toBe(String(bytes.length + 5));
  await expect(body.text()).rejects.toThrow();
  await caller.fault({ kind: 'request', operation: 'listProjects', lengthOff: -5 });
  const shorter = await request(`${simulator.apiUrl}/api/open/v1/projects`, { headers: { authorization: `Bearer ${simulator.apiKey}` } });
  expect((await shorter.body.text()).length).toBe(bytes.length - 5);
});

test('an answer drips: in pieces, and whole in the end; a result too, whose length was known', async () => {
  const plain = await projects();
  await caller.fault({ kind: 'request', operation: 'listProjects', dripBytesPerSecond: 2_000 });
  const { body } = await request(`${simulator.apiUrl}/api/open/v1/projects`, { headers: { authorization: `Bearer ${simulator.apiKey}` } });
  const pieces: Buffer[] = [];
  for await (const piece of body as AsyncIterable<Buffer>) pieces.push(piece);
  expect(pieces.length).toBeGreaterThan(1);
  expect(Buffer.concat(pieces).equals(plain.bytes)).toBe(true);

  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf() }]);
  await caller.advance(10_000);
  const result = await caller.call('GET', `/jobs/${id}/result`);
  await caller.fault({ kind: 'request', operation: 'getJobResult', dripBytesPerSecond: 100_000 });
  expect((await caller.call('GET', `/jobs/${id}/result`)).bytes.equals(result.bytes)).toBe(true);
});

test('a spoilt answer has had its effect, and may be a scripted one as well', async () => {
  const jobs = async () => (await caller.call('GET', '/projects/proj_quickstart/jobs')).body.jobs.length;
  const before = await jobs();
  await caller.fault({ kind: 'request', operation: 'createJob', after: true, status: 200, html: true, gzip: true });
  const { headers } = await caller.call('POST', '/projects/proj_quickstart/jobs', {});
  expect([headers['content-type'], headers['content-encoding']]).toEqual(['text/html', 'gzip']);
  expect(await jobs()).toBe(before + 1);
});

test.each([{ dripBytesPerSecond: 0 }, { lengthOff: 1.5 }, { gzip: 'yes' }])('%j is refused', async (effect) => {
  expect((await caller.control('POST', '/faults', { kind: 'request', ...effect })).status).toBe(400);
});
