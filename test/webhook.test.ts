import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { request } from 'undici';
import { readConfig } from '../src/config';
import { jobWorkflowId } from '../src/contract/messages';
import { webhookPath } from '../src/contract/webhook-path';
import { createLogger } from '../src/log';
import { signWebhook } from '../src/plangrep/signature';
import { Seal } from '../src/store/seal';
import { startWebhook, type Webhook, type WebhookOptions } from '../src/webhook';
import { maxBodyBytes } from '../src/webhook/body';
import { ScriptedTemporal } from './webhook/scripted-temporal';

const key = Buffer.alloc(32, 7);
const seal = new Seal(key);
const job = jobWorkflowId('tower', 1);
const secret = 'wss_the-secret';
const path = webhookPath(job, seal.sign(job));
const ended = (updatedAt: string | null = '2026-01-01T00:00:00Z', status = 'completed') => JSON.stringify({ event: 'job.status_changed', job: { id: 'job_1', status, updatedAt } });

let temporal: ScriptedTemporal;
let webhook: Webhook;
let log: string;

beforeEach(() => {
  temporal = new ScriptedTemporal();
  log = '';
});
afterEach(async () => {
  jest.restoreAllMocks();
  await webhook.close();
});

async function start(env: Record<string, string> = {}, more: Partial<WebhookOptions> = {}): Promise<void> {
  const config = readConfig({ PLANGREP_SECRET_KEY: key.toString('base64'), ...env }, ['secretKey']);
  const logger = createLogger({ to: { write: (line) => (log += line) } });
  webhook = await startWebhook({ config, temporal: temporal.client, port: 0, log: logger, ...more });
}

async function post(body: string | Buffer, to = path, headers: Record<string, string> = {}): Promise<number> {
  const response = await request(webhook.url + to, { method: 'POST', body, headers });
  await response.body.dump();
  return response.statusCode;
}
const signed = (body: string, by = secret) => ({ 'X-Plangrep-Signature': signWebhook(by, body) });
/** Later, for everything that asks how late it is. */
function later(ms: number): void {
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}

test('a webhook of a job makes its workflow look: what it says is passed on, and nothing else', async () => {
  await start();
  expect(await post(ended())).toBe(204);
  expect(temporal.signals).toEqual([{ workflowId: job, status: 'completed', updatedAt: '2026-01-01T00:00:00Z' }]);
});

test('every other address gets the same answer, and is asked nothing further', async () => {
  await start();
  const other = jobWorkflowId('tower', 2);
  const id = Buffer.from(job).toString('base64url');
  const requests: [string, string][] = [
    ['POST', webhookPath(other, seal.sign(job))],
    ['POST', webhookPath(job, seal.sign(other))],
    ['POST', path.slice(0, -1)],
    ['POST', `${path}/`],
    ['POST', webhookPath('batch/tower', seal.sign('batch/tower'))],
    ['POST', webhookPath(job, new Seal(Buffer.alloc(32, 8)).sign(job))],
    ['POST', `/jobs/${id}/`],
    ['POST', `/jobs/${id}=/${seal.sign(job)}`],
    ['POST', '/'],
    ['POST', '/healthz'],
    ['POST', '//jobs'],
    ['POST', '/jobs/%zz/%00'],
    ['GET', path],
    ['PUT', path],
    ['DELETE', path],
    ['OPTIONS', '*'],
    ['GET', '/metrics'],
    ['GET', '/'],
  ];
  const answers = await Promise.all(
    requests.map(async ([method, to]) => {
      const response = await raw(`${method} ${to} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return response.replace(/^date: .*\r\n/im, '');
    }),
  );
  expect(answers[0]).toMatch(/^HTTP\/1\.1 404 .*\r\n\r\nnot found\n$/s);
  expect(new Set(answers).size).toBe(1);
  expect([temporal.describes, temporal.signals]).toEqual([0, []]);
  expect(log).toBe('');
});

test('a proxy may take the prefix of the public address off, or leave it, and add a query', async () => {
  await start({ PLANGREP_WEBHOOK_URL: 'https://example.com/plangrep/hooks/' });
  expect(await post(ended('1'), `/plangrep/hooks${path}`)).toBe(204);
  expect(await post(ended('1'), `${path}?via=proxy`)).toBe(204);
  expect(await post(ended('1'), `/other${path}`)).toBe(404);
  expect(await post(ended('1'), `/plangrep/hooks/plangrep/hooks${path}`)).toBe(404);
  expect((await request(`${webhook.url}/plangrep/hooks/healthz`)).statusCode).toBe(200);
});

describe('the signature', () => {
  const known = () => temporal.memos.set(job, seal.seal(secret, job));

  test('counts when the secret is known: without it, with another, or over other bytes there is no webhook', async () => {
    known();
    await start();
    const body = ended();
    expect(await post(body)).toBe(404);
    expect(await post(body, path, signed(body, 'wss_other'))).toBe(404);
    expect(await post(`${body} `, path, signed(body))).toBe(404);
    expect(temporal.signals).toEqual([]);
    expect(await post(body, path, signed(body))).toBe(204);
    expect(temporal.signals).toHaveLength(1);
    expect(temporal.describes).toBe(1);
    expect(log.trim().split('\n')).toEqual([expect.stringContaining('does not fit the secret')]);
  });

  test('a secret that is known a little later counts from then on', async () => {
    await start();
    expect(await post(ended('1', 'failed'))).toBe(204);
    known();
    later(2_001);
    expect(await post(ended('2'))).toBe(404);
    expect(await post(ended('2'), path, signed(ended('2')))).toBe(204);
    expect(temporal.describes).toBe(2);
  });

  test('a secret that was replaced is read again', async () => {
    known();
    await start();
    expect(await post(ended(), path, signed(ended()))).toBe(204);
    temporal.memos.set(job, seal.seal('wss_new', job));
    later(2_001);
    expect(await post(ended('2', 'failed'), path, signed(ended('2', 'failed'), 'wss_new'))).toBe(204);
    expect(temporal.describes).toBe(2);
  });

  test.each([
    ['sealed with a lost key', () => new Seal(Buffer.alloc(32, 9)).seal(secret, job)],
    ['of another job', () => seal.seal(secret, 'batch/other/job/00001')],
    ['no text', () => ({})],
  ])('a secret that is %s is as good as none', async (_, memo) => {
    temporal.memos.set(job, memo());
    await start();
    expect(await post(ended())).toBe(204);
  });

  test('its scheme can be another', async () => {
    known();
    await start({ PLANGREP_WEBHOOK_SIGNATURE_HEADER: 'X-Signed', PLANGREP_WEBHOOK_SIGNATURE_PREFIX: 'v1=', PLANGREP_WEBHOOK_SIGNATURE_ENCODING: 'base64', PLANGREP_WEBHOOK_TIMESTAMP_HEADER: 'X-Time' });
    const scheme = { header: 'x-signed', prefix: 'v1=', algorithm: 'sha256', encoding: 'base64', timestamp: { header: 'x-time', separator: '.', toleranceMs: 1 } } as const;
    const at = (seconds: number) => ({ 'X-Time': String(seconds), 'X-Signed': signWebhook(secret, ended(), scheme, String(seconds)) });
    const now = Math.floor(Date.now() / 1000);
    expect(await post(ended(), path, at(now - 1000))).toBe(404);
    expect(await post(ended(), path, at(now))).toBe(204);
  });
});

test('an address that an earlier key made is still good', async () => {
  const old = Buffer.alloc(32, 5);
  await start({ PLANGREP_SECRET_KEYS_OLD: old.toString('base64') });
  expect(await post(ended(), webhookPath(job, new Seal(old).sign(job)))).toBe(204);
});

describe('bodies', () => {
  const ofSize = (bytes: number) => ended().replace('job_1', 'x'.repeat(bytes - ended().length + 5));

  test('256 KiB are taken, one byte more is not, whether announced or not; a wrong token hears nothing of it', async () => {
    await start();
    const chunked = (body: string, to: string) => raw(`POST ${to} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    expect(ofSize(maxBodyBytes)).toHaveLength(maxBodyBytes);
    expect(await post(ofSize(maxBodyBytes))).toBe(204);
    expect(await post(ofSize(maxBodyBytes + 1))).toBe(413);
    expect(await chunked(ofSize(maxBodyBytes + 1), path)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await post(ofSize(maxBodyBytes + 1), `${path}x`)).toBe(404);
    expect(temporal.signals).toHaveLength(1);
    expect(webhook.counters.requests).toMatchObject({ signalled: 1, too_large: 2, unknown_address: 1 });
  });

  test.each([
    ['nothing', ''],
    ['no JSON', '{"job":'],
    ['another shape', '[1]'],
    ['no text at all', Buffer.from([0xff, 0xfe, 0x00])],
    ['a deep nest', '['.repeat(100_000)],
  ])('%s makes the workflow look, too', async (_, body) => {
    await start();
    expect(await post(body)).toBe(204);
    expect(temporal.signals).toEqual([{ workflowId: job, status: null, updatedAt: null }]);
  });

  test('a job that is on its way is no reason to', async () => {
    await start();
    for (const status of ['provisioning', 'awaiting_uploads', 'uploading', 'preflighting', 'processing']) expect(await post(ended('1', status))).toBe(204);
    expect(temporal.signals).toEqual([]);
    expect(webhook.counters.requests.ignored).toBe(5);
  });
});

test('duplicates, at once or later, in any order, are told once', async () => {
  await start();
  const statuses = ['blocked_insufficient_credits', 'completed', 'blocked_insufficient_credits', 'completed', 'completed'];
  const answers = await Promise.all(statuses.map((status) => post(ended('1', status))));
  later(60_000);
  answers.push(await post(ended('1')));
  expect(answers).toEqual(Array(6).fill(204));
  expect(temporal.signals.map(({ status }) => status).sort()).toEqual(['blocked_insufficient_credits', 'completed']);
});

test('what Temporal did not take is not remembered as told: 503, and the sender\'s next attempt counts', async () => {
  await start();
  temporal.up = false;
  expect(await post(ended())).toBe(503);
  temporal.memos.set(job, null);
  temporal.up = true;
  expect(await post(ended(null, 'failed'))).toBe(204);
  temporal.up = false;
  expect([await post(ended()), await post(ended())]).toEqual([503, 503]);
  temporal.up = true;
  expect(await post(ended())).toBe(204);
  expect(await post(ended())).toBe(204);
  expect(temporal.signals.map(({ status }) => status)).toEqual(['failed', 'completed']);
  expect(log.trim().split('\n')).toHaveLength(1);
});

test('the workflow of a job that is over gets nothing, which is no error', async () => {
  await start();
  temporal.closed.add(job);
  expect([await post(ended()), await post(ended())]).toEqual([204, 204]);
  expect([temporal.signals, log]).toEqual([[], '']);
});

test('health, readiness and counters', async () => {
  await start({}, { metricsPort: 0 });
  const get = async (what: string) => (await request(webhook.url + what)).statusCode;
  expect([await get('/healthz'), await get('/readyz')]).toEqual([200, 200]);
  temporal.up = false;
  expect(await get('/readyz')).toBe(200);
  later(1_001);
  expect([await get('/healthz'), await get('/readyz')]).toEqual([200, 503]);
  await post('', '/x');
  expect(webhook.counters.page()).toContain('plangrep_webhook_requests_total{outcome="unknown_address"} 1\n');
});

test('closing answers what is under way, tells what waits, and takes nothing more', async () => {
  await start();
  await post(ended('1'));
  expect(await post(ended('2'))).toBe(204);
  let release = (): void => undefined;
  temporal.held = new Promise((done) => (release = done));
  const underWay = post(ended('1', 'failed'));
  while (temporal.attempts < 2) await new Promise(setImmediate);
  const closed = webhook.close();
  release();
  expect(await underWay).toBe(204);
  await closed;
  expect(temporal.signals.map(({ status, updatedAt }) => `${status} ${updatedAt}`).sort()).toEqual(['completed 1', 'completed 2', 'failed 1']);
  await expect(post(ended())).rejects.toThrow('ECONNREFUSED');
});

describe('slow senders', () => {
  const limits = { headersMs: 100, requestMs: 200, connections: 3, checkMs: 20 };

  test.each([
    ['nothing', ''],
    ['half a header', 'POST / HT'],
    ['half a body', `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123`],
    ['half a body to a wrong address', 'POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123'],
  ])('who sends %s is cut off', async (_, sent) => {
    await start({}, { limits });
    await raw(sent);
    expect(temporal.signals).toEqual([]);
  });

  test('more connections than allowed: the one that was of no use for longest makes room, and one with a webhook in hand stays', async () => {
    await start({}, { limits: { ...limits, headersMs: 60_000, requestMs: 60_000 } });
    let release = (): void => undefined;
    temporal.held = new Promise((done) => (release = done));
    const underWay = post(ended());
    while (temporal.attempts < 1) await new Promise(setImmediate);
    const silent = await socket();
    const first = closed(silent);
    const others = [await socket(), await socket()];
    await first;
    expect(await raw('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(webhook.counters.droppedConnections).toBe(2);
    release();
    expect(await underWay).toBe(204);
    for (const one of others) one.destroy();
  });
});

test('no log line holds token, secret or body', async () => {
  temporal.memos.set(job, seal.seal(secret, job));
  await start();
  const body = ended();
  await post(body, path, signed(body, 'wss_other'));
  temporal.up = false;
  await post(body, path, signed(body));
  await post(body, webhookPath(job, `${seal.sign(job).slice(1)}A`));
  expect(log.trim().split('\n')).toHaveLength(2);
  for (const hidden of [seal.sign(job), secret, 'wss_', 'sha256=', 'job_1', '"token"', '/jobs/']) expect(log).not.toContain(hidden);
});

async function socket(): Promise<Socket> {
  const { port } = new URL(webhook.url);
  const one = connect(Number(port), '127.0.0.1');
  one.on('error', () => undefined);
  await once(one, 'connect');
  return one;
}

/** All that comes back until the receiver closes the connection. */
async function raw(text: string): Promise<string> {
  const one = await socket();
  let answer = '';
  one.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  one.write(text);
  await closed(one);
  return answer;
}

/** However a connection ends. */
const closed = (one: Socket): Promise<void> => new Promise((done) => void one.once('close', () => done()));
