import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PlangrepClient } from '../../src/plangrep/client';
import type { PlangrepClientOptions } from '../../src/plangrep/client';
import { ScriptedServer, thrownBy } from './scripted-server';

// A remote side that sends a little now and then is never silent: without a bound on the whole it holds a call, and the slot of a worker, for ever.

const api = new ScriptedServer();
const servers: Server[] = [];
const clients: PlangrepClient[] = [];
beforeAll(() => api.start());
afterAll(() => api.stop());
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) server.close();
});

/** A client of a server that answers each connection's first request with `head` and then, every few milliseconds, with another `drop`, as long as anybody listens. */
async function dripping(head: string, drop: string, options: Partial<PlangrepClientOptions> = {}): Promise<PlangrepClient> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(head);
      const timer = setInterval(() => socket.write(drop), 10);
      socket.on('close', () => clearInterval(timer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  const client = new PlangrepClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: () => 'k', version: '0', callTimeoutMs: 150, idleTimeoutMs: 60_000, ...options });
  clients.push(client);
  return client;
}

const endless = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n';
const jobs = async (client: PlangrepClient) => {
  for await (const job of client.listJobs('proj_1')) if (job.id === '') return;
};

describe('a call has a time in which its answer must be whole', () => {
  test.each<[string, string, string]>([
    ['JSON that drips', endless, ' '],
    ['headers that never end', 'HTTP/1.1 200 OK\r\nx-a: ', 'a'],
    ['announcements that an answer will come', 'HTTP/1.1 103 Early Hints\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('%s', async (_what, head, drop) => {
    const client = await dripping(head, drop);
    const calls = [client.getJob('job_1'), client.createJob('proj_1', {}, { idempotencyKey: 'k' }), client.cancelJob('job_1'), jobs(client)];
    for (const error of await Promise.all(calls.map(thrownBy))) expect(error).toMatchObject({ kind: 'transport', code: 'TOO_SLOW', message: expect.stringContaining('no complete answer within 0.15 s') as string });
  });

  test('headers without end that come fast end it sooner', async () => {
    const client = await dripping(`HTTP/1.1 200 OK\r\n${'x-a: aaaaaaaaaaaaaaaa\r\n'.repeat(2_000)}`, 'x-a: b\r\n', { callTimeoutMs: 60_000 });
    expect(await thrownBy(client.getJob('job_1'))).toMatchObject({ kind: 'transport', code: 'UND_ERR_HEADERS_OVERFLOW' });
  });

  test('and a download one in which it must begin', async () => {
    const client = await dripping('HTTP/1.1 200 OK\r\nx-a: ', 'a');
    expect(await thrownBy(client.getResult('job_1'))).toMatchObject({ kind: 'transport', code: 'TOO_SLOW' });
  });

  test('a list of jobs that never ends, and one whose pages never end', async () => {
    const job = '{"id":"job_1","status":"completed"}';
    expect(await thrownBy(jobs(await dripping(`HTTP/1.1 200 OK\r\n\r\n{"jobs":[${job}`, `,${job}`)))).toMatchObject({ kind: 'transport', code: 'TOO_SLOW' });
    let page = 0;
    api.answer((response) => response.end(JSON.stringify({ jobs: [], nextCursor: String((page += 1)) })));
    expect(await thrownBy(jobs(api.client({ callTimeoutMs: 100 })))).toMatchObject({ kind: 'transport', code: 'TOO_SLOW' });
  });

  test('a refusal counts though its words drip', async () => {
    const client = await dripping('HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 1000000\r\n\r\n', ' ', { refusalTimeoutMs: 50 });
    expect(await thrownBy(client.getJob('job_1'))).toMatchObject({ kind: 'busy', status: 503, retryAfterMs: 7000 });
  });

  test('whoever gives up first is told so', async () => {
    const reason = new Error('cancelled');
    const client = await dripping(endless, ' ', { callTimeoutMs: 60_000 });
    expect(await thrownBy(client.getJob('job_1', { signal: AbortSignal.timeout(50) }))).toMatchObject({ name: 'TimeoutError' });
    expect(await thrownBy(client.getJob('job_1', { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});

describe('a download must bring something in the time in which it may be silent', () => {
  test('one that drips is given up, however large it is to be', async () => {
    const client = await dripping(endless, '{}', { callTimeoutMs: 60_000, idleTimeoutMs: 200 });
    const { body } = await client.getResult('job_1');
    expect(await thrownBy(buffer(body))).toMatchObject({ kind: 'transport', code: 'TOO_SLOW', message: 'GET /api/open/v1/jobs/job_1/result brought less than 16384 bytes in 0.2 s' });
  });

  test('one that takes many times as long goes on as long as it brings enough', async () => {
    const piece = 'x'.repeat(20_000);
    const client = await dripping(`HTTP/1.1 200 OK\r\ncontent-length: ${150 * piece.length}\r\n\r\n`, piece, { callTimeoutMs: 60_000, idleTimeoutMs: 1_000 });
    expect(await buffer((await client.getArtifact('job_1', 'a.png')).body)).toHaveLength(150 * piece.length);
  });

  test('time in which nobody reads does not count', async () => {
    const bytes = 4 * 1024 * 1024;
    api.raw((_request, response) => Readable.from([Buffer.alloc(bytes)]).pipe(response.writeHead(200, { 'content-length': bytes })));
    const { body } = await api.client({ idleTimeoutMs: 40 }).getArtifact('job_1', 'a.png');
    let looks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if ((looks += 1) < 30) return;
        clearInterval(timer);
        resolve();
      }, 10);
    });
    expect(await buffer(body)).toHaveLength(bytes);
  });
});
