import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller } from './caller';

interface Received {
  signature: string | string[] | undefined;
  raw: string;
  status: string;
}
let simulator: Simulator;
let caller: Caller;
let receiver: Server;
let received: Received[];
let answer: number;

beforeEach(async () => {
  received = [];
  answer = 200;
  receiver = createServer((request, response) => {
    void take(request).finally(() => response.writeHead(answer).end());
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  simulator = await startSimulator({ scriptedClock: true, jobMs: 10, pageMs: 0 });
  caller = new Caller(simulator);
});
afterEach(async () => {
  await simulator.close();
  receiver.closeAllConnections();
  receiver.close();
});
afterAll(closePageCounter);

async function take(request: IncomingMessage): Promise<void> {
  const raw = Buffer.concat((await request.toArray()) as Buffer[]).toString();
  const body = JSON.parse(raw) as { event: string; job: { status: string } };
  expect([request.method, request.headers['content-type'], body.event]).toEqual(['POST', 'application/json', 'job.status_changed']);
  received.push({ signature: request.headers['x-plangrep-signature'], raw, status: body.job.status });
}

const hook = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;

test('every change is sent, in order, signed over the raw body with the job\'s secret', async () => {
  const { body } = await caller.call('POST', '/projects/proj_quickstart/jobs', { webhookUrl: hook() });
  const directUploads = await caller.upload(body.job.id, [{ fileName: 'a.pdf', content: makePdf() }]);
  await caller.complete(body.job.id, { directUploads });
  await caller.advance(100);
  await simulator.webhooksSettled();
  expect(received.map(({ status }) => status)).toEqual(['uploading', 'preflighting', 'processing', 'completed']);
  for (const { signature, raw } of received) {
    expect(signature).toBe(`sha256=${createHmac('sha256', body.webhookSigningSecret!).update(raw).digest('hex')}`);
  }
  expect((JSON.parse(received.at(-1)!.raw) as { job: object }).job).toMatchObject({ id: body.job.id, status: 'completed', successfulPageCount: 1 });
  expect(simulator.state.counters.webhooks).toEqual({ delivered: 4, failed: 0, dropped: 0 });
});

test('a receiver that refuses or is not there changes nothing for the job', async () => {
  answer = 500;
  const refused = await caller.createJob({ webhookUrl: hook() });
  const nobody = await caller.createJob({ webhookUrl: 'http://127.0.0.1:9/hook' });
  for (const { id } of [refused, nobody]) expect((await caller.call('POST', `/jobs/${id}/cancel`)).body.job.status).toBe('cancelled');
  await simulator.webhooksSettled();
  expect(simulator.state.counters.webhooks).toEqual({ delivered: 0, failed: 2, dropped: 0 });
});

test('without a URL, or with webhooks off, there is no secret or no webhook', async () => {
  expect((await caller.call('POST', '/projects/proj_quickstart/jobs', {})).body.webhookSigningSecret).toBeUndefined();
  const silent = await startSimulator({ webhooks: false });
  const other = new Caller(silent);
  const { id } = await other.createJob({ webhookUrl: hook() });
  await other.call('POST', `/jobs/${id}/cancel`);
  await silent.webhooksSettled();
  await silent.close();
  expect(received).toEqual([]);
});

/** Runs a job of one document to its end and says which statuses were told, in order. */
async function told(externalId = 'e'): Promise<string[]> {
  received = [];
  await caller.submit([{ fileName: 'a.pdf', content: makePdf() }], { webhookUrl: hook(), externalId });
  await caller.advance(100);
  await simulator.webhooksSettled();
  return received.map(({ status }) => status);
}

test.each([
  [{ delivery: 'dropped' }, []],
  [{ delivery: 'dropped', status: 'preflighting' }, ['uploading', 'processing', 'completed']],
  [{ delivery: 'dropped', rate: 0.5 }, ['uploading', 'processing']],
  [{ delivery: 'dropped', times: 1 }, ['preflighting', 'processing', 'completed']],
  [{ delivery: 'duplicated', status: 'completed', copies: 3 }, ['uploading', 'preflighting', 'processing', 'completed', 'completed', 'completed']],
  [{ delivery: 'reordered' }, ['completed', 'processing', 'preflighting', 'uploading']],
  [{ delivery: 'reordered', status: 'processing' }, ['uploading', 'preflighting', 'completed', 'processing']],
  [{ delivery: 'delayed', status: 'uploading', delayMs: 9 }, ['preflighting', 'processing', 'uploading', 'completed']],
  [{ delivery: 'dropped', externalId: 'another' }, ['uploading', 'preflighting', 'processing', 'completed']],
] as const)('with %j these are told: %j', async (fault, expected) => {
  await caller.fault({ kind: 'webhook', ...fault });
  expect(await told()).toEqual(expected);
});

test('lost for a day, and then told again', async () => {
  await caller.fault({ kind: 'webhook', delivery: 'dropped', forMs: 86_400_000 });
  expect(await told()).toEqual([]);
  await caller.advance(86_400_000);
  expect(await told()).toHaveLength(4);
  expect(simulator.state.counters.webhooks).toEqual({ delivered: 4, failed: 0, dropped: 4 });
});

test('a forged webhook has a signature made with another secret', async () => {
  await caller.fault({ kind: 'webhook', delivery: 'forged', status: 'cancelled' });
  const { body } = await caller.call('POST', '/projects/proj_quickstart/jobs', { webhookUrl: hook() });
  await caller.call('POST', `/jobs/${body.job.id}/cancel`);
  await simulator.webhooksSettled();
  const [{ signature, raw }] = received as [Received];
  expect(signature).toMatch(/^sha256=[0-9a-f]{64}$/);
  expect(signature).not.toBe(`sha256=${createHmac('sha256', body.webhookSigningSecret!).update(raw).digest('hex')}`);
});
