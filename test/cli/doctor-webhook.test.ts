import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkWebhook } from '../../src/cli/doctor-webhook';
import { readConfig } from '../../src/config';
import { startWebhook } from '../../src/webhook';
import { ScriptedTemporal } from '../webhook/scripted-temporal';

const keys = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [string, string];
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function receiver(temporal = new ScriptedTemporal()): Promise<string> {
  const config = readConfig({ PLANGREP_SECRET_KEY: keys[0] }, ['secretKey']);
  const webhook = await startWebhook({ config, temporal: temporal.client, port: 0, log: { warn: () => undefined } });
  closing.push(() => webhook.close());
  return webhook.url;
}

/** Some other program: answers each method with a status of its own. */
async function other(statuses: Record<string, number>): Promise<string> {
  const server: Server = createServer((request, response) => void request.resume().on('end', () => response.writeHead(statuses[request.method!] ?? 500).end()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => new Promise((done) => server.close(done).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const check = (url: string, env: Record<string, string> = { PLANGREP_SECRET_KEY: keys[0] }) => checkWebhook(readConfig({ PLANGREP_WEBHOOK_URL: url, ...env }, []));

test('polling only is no finding', async () => {
  expect(await check('')).toMatchObject({ ok: true, message: expect.stringContaining('polled only') as string });
});

test('a receiver of ours takes a webhook, and no workflow is told anything', async () => {
  const temporal = new ScriptedTemporal();
  expect(await check(await receiver(temporal))).toMatchObject({ name: 'webhook', ok: true, message: expect.stringContaining('takes webhooks') as string });
  expect(temporal.signals.every(({ workflowId }) => workflowId.startsWith('batch/doctor-'))).toBe(true);
  expect(await check(await receiver(), {})).toMatchObject({ ok: true, message: expect.stringContaining('nobody can tell') as string });
});

test.each([
  ['nobody there', async () => 'http://127.0.0.1:1', 'does not answer: ECONNREFUSED', 'Start plangrep-batch webhook'],
  ['a proxy with nothing behind it', () => other({ GET: 502, POST: 502 }), '/healthz answers 502', 'Let the proxy'],
  ['a program that takes everything', () => other({ GET: 200, POST: 200 }), 'answers 200 to a webhook that is none', 'Something else answers'],
  ['a program that knows nothing', () => other({ GET: 200, POST: 404 }), 'does not know addresses made with this secret key', 'the same PLANGREP_SECRET_KEY'],
])('%s', async (_, start, message, fix) => {
  expect(await check(await start())).toMatchObject({ ok: false, message: expect.stringContaining(message) as string, fix: expect.stringContaining(fix) as string });
});

test('a receiver with another key, and one without Temporal', async () => {
  expect(await check(await receiver(), { PLANGREP_SECRET_KEY: keys[1] })).toMatchObject({ ok: false, message: expect.stringContaining('secret key') as string });
  const down = new ScriptedTemporal();
  down.up = false;
  expect(await check(await receiver(down))).toMatchObject({ ok: false, message: expect.stringContaining('cannot reach Temporal') as string });
});
