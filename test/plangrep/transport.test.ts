import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PlangrepClient } from '../../src/plangrep/client';
import { BodyLengthError, PlangrepError, TransportError } from '../../src/plangrep/errors';
import { ScriptedServer, key, shown, thrownBy } from './scripted-server';

const api = new ScriptedServer();
const other = new ScriptedServer();
beforeAll(() => Promise.all([api.start(), other.start()]));
afterAll(() => Promise.all([api.stop(), other.stop()]));

const bytes = (text: string) => Readable.from([Buffer.from(text)]);
const put = (url: string, over: { body?: Readable; sizeBytes?: number; headers?: Record<string, string>; signal?: AbortSignal } = {}, client = api.client()) =>
  client.putSigned(url, { headers: {}, body: bytes('abc'), sizeBytes: 3, ...over });

describe('the API key', () => {
  test('goes to the API, and is asked for at every call', async () => {
    api.json(200, { projects: [] });
    const keys = ['first', 'second'];
    const client = api.client({ apiKey: () => keys.shift()! });
    await client.listProjects();
    await client.listProjects();
    expect(api.seen.slice(-2).map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer second']);
  });

  test('goes to no signed URL, not even on the API\'s own origin', async () => {
    other.answer((response) => response.end());
    api.answer((response) => response.end());
    await put(`${other.url}/put/1?sig=x`, { headers: { 'Content-Type': 'application/pdf', 'x-amz-checksum-sha256': 'abc=' } });
    await put(`${api.url}/put/2?sig=x`);
    const [elsewhere, here] = [other.seen.at(-1)!, api.seen.at(-1)!];
    expect(elsewhere).toMatchObject({ method: 'PUT', url: '/put/1?sig=x', headers: { 'content-type': 'application/pdf', 'x-amz-checksum-sha256': 'abc=', 'content-length': '3' } });
    expect(elsewhere.headers['transfer-encoding']).toBeUndefined();
    for (const { headers } of [elsewhere, here]) expect(JSON.stringify(headers)).not.toContain(key);
  });

  test.each([301, 302, 303, 307, 308])('follows no %i', async (status) => {
    const from = other.seen.length;
    other.json(200, { job: { id: 'a', status: 'b' } });
    api.answer((response) => response.writeHead(status, { location: `${other.url}/api/open/v1/jobs/job_1?sig=x` }).end());
    const calls = [api.client().getJob('job_1'), api.client().getResult('job_1'), api.client().cancelJob('job_1'), put(`${api.url}/put?sig=x`)];
    for (const error of (await Promise.all(calls.map(thrownBy))) as PlangrepError[]) {
      expect(error).toMatchObject({ kind: 'rejected', status });
      expect(error.message).not.toMatch(/sig=|location/);
    }
    expect(other.seen).toHaveLength(from);
  });

  test('is in no error', async () => {
    api.answer((response) => response.writeHead(401).end(JSON.stringify({ error: { code: key, message: `bad key ${key}` } })));
    const error = (await thrownBy(api.client().listProjects())) as PlangrepError;
    expect(error).toMatchObject({ kind: 'auth', code: null });
    expect(shown(error)).not.toContain(key);
  });
});

describe('base URLs', () => {
  test('a path before the API\'s own is kept', async () => {
    api.json(200, { projects: [] });
    await api.client({ baseUrl: `${api.url}/proxy/` }).listProjects();
    expect(api.seen.at(-1)!.url).toBe('/proxy/api/open/v1/projects');
  });

  test.each(['', 'plangrep.com', 'ftp://h', 'https://user:pw@h', 'https://h?x=1', 'https://h#x'])('%j is none', (baseUrl) => {
    expect(() => new PlangrepClient({ baseUrl, apiKey: () => key, version: '0' })).toThrow(TypeError);
  });
});

describe('what stops a call', () => {
  test('a server that is silent before it answers', async () => {
    api.raw(() => undefined);
    expect(await thrownBy(api.client({ idleTimeoutMs: 50 }).getJob('job_1'))).toMatchObject({ kind: 'transport', code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  test('a server that is silent within its answer', async () => {
    api.raw((_request, response) => response.writeHead(200, { 'content-length': '100' }).write('{"job":'));
    expect(await thrownBy(api.client({ idleTimeoutMs: 50 }).getJob('job_1'))).toMatchObject({ kind: 'transport', code: 'UND_ERR_BODY_TIMEOUT' });
  });

  test('a storage that takes no more bytes', async () => {
    api.raw((request) => request.pause());
    const chunk = Buffer.alloc(1024 * 1024);
    const body = Readable.from((function* () { for (;;) yield chunk; })());
    const call = put(`${api.url}/put?sig=x`, { body, sizeBytes: 1024 ** 4 }, api.client({ idleTimeoutMs: 200 }));
    expect(await thrownBy(call)).toMatchObject({ kind: 'transport', code: 'UND_ERR_HEADERS_TIMEOUT', origin: 'storage' });
    expect(body.destroyed).toBe(true);
  });

  test('an answer that is no HTTP', async () => {
    const plain = createPlainServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6 secret-banner\r\n')).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const client = api.client({ baseUrl: `http://127.0.0.1:${(plain.address() as AddressInfo).port}` });
    const error = (await thrownBy(client.getJob('job_1'))) as TransportError;
    expect(error).toBeInstanceOf(TransportError);
    expect(shown(error)).not.toContain('secret-banner');
    plain.close();
  });

  test('a signal, with its own reason, before and while the call runs', async () => {
    const reason = new Error('cancelled by its owner');
    expect(await thrownBy(api.client().getJob('job_1', { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    api.raw(() => controller.abort(reason));
    expect(await thrownBy(api.client().getJob('job_1', { signal: controller.signal }))).toBe(reason);
    const second = new AbortController();
    api.raw((_request, response) => response.writeHead(200).write('{', () => second.abort(reason)));
    expect(await thrownBy(api.client().getJob('job_1', { signal: second.signal }))).toBe(reason);
  });

  test('a signal while a body is sent: the body is let go', async () => {
    const controller = new AbortController();
    const body = new Readable({ read() { this.push(Buffer.alloc(1000)); } });
    api.raw((request) => request.once('data', () => controller.abort()));
    const error = await thrownBy(put(`${api.url}/put?sig=x`, { body, sizeBytes: 1024 ** 4, signal: controller.signal }));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(body.destroyed).toBe(true);
  });

  test('closing the client', async () => {
    const client = api.client();
    const arrived = new Promise<void>((resolve) => api.raw(() => resolve()));
    const call = thrownBy(client.getJob('job_1'));
    await arrived;
    await client.close();
    await client.close();
    expect(await call).toBeInstanceOf(TransportError);
  });
});

describe('a streamed request body', () => {
  test('arrives byte for byte, with its length', async () => {
    api.answer((response) => response.writeHead(200, { etag: '"e"' }).end());
    const chunks = [Buffer.from('a'), Buffer.alloc(300_000, 7), Buffer.from('z')];
    expect(await put(`${api.url}/put?sig=x`, { body: Readable.from(chunks), sizeBytes: 300_002 })).toEqual({ etag: '"e"' });
    expect(api.seen.at(-1)!.body.equals(Buffer.concat(chunks))).toBe(true);
    expect(await put(`${api.url}/put?sig=x`, { body: Readable.from([]), sizeBytes: 0 })).toEqual({ etag: '"e"' });
    expect(api.seen.at(-1)!.headers).toMatchObject({ 'content-length': '0' });
  });

  test.each([
    [2, 3, 2],
    [5, 3, 5],
    [0, 3, 0],
  ])('of %i bytes instead of %i is an error of the file', async (has, sizeBytes, seenBytes) => {
    api.answer((response) => response.end());
    const error = await thrownBy(put(`${api.url}/put?sig=x`, { body: bytes('x'.repeat(has)), sizeBytes }));
    expect(error).toBeInstanceOf(BodyLengthError);
    expect(error).toMatchObject({ expectedBytes: sizeBytes, seenBytes });
  });

  test('that cannot be read fails with its own error', async () => {
    api.answer((response) => response.end());
    const broken = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    const body = Readable.from((async function* () { yield Buffer.from('a'); throw broken; })());
    expect(await thrownBy(put(`${api.url}/put?sig=x`, { body }))).toBe(broken);
  });

  test('is not sent twice, whatever goes wrong', async () => {
    let opened = 0;
    const body = () => Readable.from((function* () { opened += 1; yield Buffer.from('abc'); })());
    for (const status of [500, 503, 307]) {
      api.answer((response) => response.writeHead(status, { location: '/' }).end());
      expect(await thrownBy(put(`${api.url}/put?sig=x`, { body: body() }))).toBeInstanceOf(PlangrepError);
    }
    api.raw((request) => request.socket.destroy());
    expect(await thrownBy(put(`${api.url}/put?sig=x`, { body: body() }))).toBeInstanceOf(TransportError);
    expect(opened).toBe(4);
  });

  test('is given up when the refusal comes early', async () => {
    const body = new Readable({ read() { this.push(Buffer.alloc(65_536)); } });
    api.raw((request, response) => {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
      request.resume();
    });
    expect(await thrownBy(put(`${api.url}/put?sig=x`, { body, sizeBytes: 1024 ** 4 }))).toMatchObject({ status: 403, origin: 'storage' });
    expect(body.destroyed).toBe(true);
  });

  test('a success before all of it was sent is none', async () => {
    const body = new Readable({ read() { this.push(Buffer.alloc(65_536)); } });
    api.raw((request, response) => {
      response.writeHead(200).end();
      request.resume();
    });
    expect(await thrownBy(put(`${api.url}/put?sig=x`, { body, sizeBytes: 1024 ** 4 }))).toMatchObject({ kind: 'transport', code: 'EARLY_ANSWER', origin: 'storage' });
  });

  test.each(['not a url', 'ftp://h/x', '/relative'])('to %j goes nowhere', async (url) => {
    const body = bytes('abc');
    expect(await thrownBy(put(url, { body }))).toMatchObject({ kind: 'contract', origin: 'storage' });
    expect(body.destroyed).toBe(true);
  });

  test('does not leave by plain http when the API is reached by https', async () => {
    const client = api.client({ baseUrl: 'https://127.0.0.1:1' });
    expect(await thrownBy(put(`${other.url}/put?sig=x`, {}, client))).toMatchObject({ kind: 'contract' });
  });
});

describe('a download', () => {
  const cut = (start: (response: import('node:http').ServerResponse) => void) => api.raw((_request, response) => start(response));

  test('has its length and type', async () => {
    api.answer((response) => response.writeHead(200, { 'content-type': 'image/png', 'content-length': '3' }).end('abc'));
    const { body, ...facts } = await api.client().getArtifact('job_1', 'a');
    expect(facts).toEqual({ sizeBytes: 3, contentType: 'image/png' });
    expect((await buffer(body)).toString()).toBe('abc');
  });

  test('without a length says so', async () => {
    api.answer((response) => response.writeHead(200).end('abc'));
    const download = await api.client().getArtifact('job_1', 'a');
    expect(download).toMatchObject({ contentType: null });
    expect((await buffer(download.body)).toString()).toBe('abc');
  });

  test.each<[string, (response: import('node:http').ServerResponse) => void]>([
    ['fewer bytes than announced', (response) => response.writeHead(200, { 'content-length': '10' }).write('abc', () => response.socket!.end())],
    ['a reset', (response) => response.writeHead(200, { 'content-length': '10' }).write('abc', () => response.socket!.resetAndDestroy())],
    ['chunks without an end', (response) => response.writeHead(200).write('abc', () => response.socket!.end())],
  ])('with %s breaks', async (_what, script) => {
    cut(script);
    const { body } = await api.client().getResult('job_1');
    const error = await thrownBy(buffer(body));
    expect(error).toBeInstanceOf(TransportError);
    expect((error as Error).message).toMatch(/^GET \/api\/open\/v1\/jobs\/job_1\/result got no complete answer/);
  });

  test('stops with the signal', async () => {
    cut((response) => response.writeHead(200).write('abc'));
    const controller = new AbortController();
    const { body } = await api.client().getResult('job_1', { signal: controller.signal });
    const reading = thrownBy(buffer(body));
    const reason = new Error('cancelled');
    controller.abort(reason);
    expect(await reading).toBe(reason);
  });

  test('can be dropped at once while the server is silent', async () => {
    const closed = new Promise((resolve) => cut((response) => {
      response.on('close', resolve);
      response.writeHead(200).write('abc');
    }));
    const { body } = await api.client().getResult('job_1');
    await once(body, 'readable');
    body.destroy();
    await closed;
  });
});
