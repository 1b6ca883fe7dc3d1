import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { createEndpoint } from '../../src/codec/endpoint';
import { EncryptionCodec } from '../../src/codec/payload-codec';
import { PayloadKey } from '../../src/codec/payload-key';

const bytes = randomBytes(32);
const keys = { current: new PayloadKey('now', bytes), old: [new PayloadKey('then', randomBytes(32))] };
const codec = new EncryptionCodec(keys);
const token = randomBytes(24).toString('base64url');
const ui = 'http://127.0.0.1:8233';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const payload = { metadata: { encoding: base64('json/plain') }, data: base64('"in-the-clear"') };

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  body: { payloads?: { metadata: Record<string, string>; data?: string }[]; message?: string };
}

describe('the codec endpoint', () => {
  const apps: FastifyInstance[] = [];
  let open: string;
  let guarded: string;

  beforeAll(async () => {
    open = await serve(null);
    guarded = await serve(token);
  });
  afterAll(() => Promise.all(apps.map((app) => app.close())));

  async function serve(secret: string | null): Promise<string> {
    const app = createEndpoint({ codec, origins: [ui], token: secret });
    apps.push(app);
    return app.listen({ host: '127.0.0.1', port: 0 });
  }

  async function ask(path: string, { body = { payloads: [payload] }, headers = {}, at = open, method = 'POST' }: { body?: unknown; headers?: Record<string, string>; at?: string; method?: 'POST' | 'OPTIONS' | 'GET' | 'PUT' } = {}): Promise<Answer> {
    const content = method === 'GET' || method === 'OPTIONS' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const answer = await request(at + path, { method, ...content, headers: { ...(content.body !== undefined && { 'content-type': 'application/json' }), ...headers } });
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: answer.headers, text, body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {} };
  }

  /** Nothing of a key, in any spelling that it could slip out in. */
  function expectNoKey(text: string): void {
    for (const secret of [bytes.toString('base64'), bytes.toString('hex'), token]) expect(text).not.toContain(secret);
  }

  it('encrypts and decrypts, also below a namespace, and passes what is not encrypted', async () => {
    for (const below of ['', '/default', '/my%20space.acct']) {
      const encrypted = await ask(`${below}/encode`, { headers: { 'x-namespace': 'default' } });
      expect([encrypted.status, encrypted.headers['content-type'], encrypted.headers['cache-control']]).toEqual([200, 'application/json; charset=utf-8', 'no-store']);
      expect(encrypted.body.payloads?.[0]?.metadata).toEqual({ encoding: base64('binary/encrypted'), 'encryption-cipher': base64('AES-256-GCM'), 'encryption-key-id': base64('now') });
      expect((await ask(`${below}/decode`, { body: encrypted.body })).body).toEqual({ payloads: [payload] });
    }
    expect((await ask('/decode')).body).toEqual({ payloads: [payload] });
    expect((await ask('/decode', { body: {} })).body).toEqual({ payloads: [] });
    expect((await ask('/decode', { body: { payloads: [{}, { metadata: null, data: null }, { metadata: {}, data: '_-8' }] } })).body).toEqual({ payloads: [{}, {}, { metadata: {}, data: '/+8=' }] });
  });

  it('says which key is missing, and that data was changed', async () => {
    const [strange] = await new EncryptionCodec({ current: new PayloadKey('elsewhere', randomBytes(32)), old: [] }).encode([{ data: Buffer.from('x') }]);
    const body = { payloads: [{ metadata: Object.fromEntries(Object.entries(strange!.metadata!).map(([name, value]) => [name, Buffer.from(value).toString('base64')])), data: Buffer.from(strange!.data!).toString('base64') }] };
    const unknown = await ask('/decode', { body });
    expect([unknown.status, unknown.body.message]).toEqual([400, expect.stringMatching(/payload key elsewhere, .* PLANGREP_PAYLOAD_KEYS_OLD/)]);
    body.payloads[0]!.metadata['encryption-key-id'] = base64('now');
    expect(await ask('/decode', { body })).toMatchObject({ status: 400, body: { message: expect.stringContaining('payload key now cannot be read') as string } });
  });

  it('lets pages of the web UI call, with what browsers ask first, and no others', async () => {
    const asks = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-namespace' };
    for (const at of [open, guarded]) {
      const allowed = await ask('/decode', { method: 'OPTIONS', headers: { origin: ui, ...asks, 'access-control-request-private-network': 'true' }, at });
      expect(allowed).toMatchObject({ status: 204, headers: { 'access-control-allow-origin': ui, 'access-control-allow-methods': 'POST', 'access-control-allow-credentials': 'true', 'access-control-allow-private-network': 'true', vary: 'origin' } });
      expect(allowed.headers['access-control-allow-headers']).toMatch(/authorization.*content-type.*x-namespace/);
    }
    expect(await ask('/default/decode', { headers: { origin: ui } })).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': ui } });
    for (const origin of ['http://evil.example', 'null', `${ui}.evil.example`, 'https://127.0.0.1:8233', 'http://127.0.0.1', '']) {
      for (const method of ['POST', 'OPTIONS', 'GET'] as const) {
        const refused = await ask('/decode', { method, headers: { origin, ...asks } });
        expect([origin, refused.status, refused.headers['access-control-allow-origin']]).toEqual([origin, 403, undefined]);
        expect(refused.text).not.toContain(payload.data);
      }
    }
  });

  it('with a token takes nobody without it', async () => {
    expect(await ask('/decode', { at: guarded, headers: { authorization: `Bearer ${token}` } })).toMatchObject({ status: 200 });
    expect(await ask('/decode', { at: guarded, headers: { authorization: `bearer ${token}`, origin: ui } })).toMatchObject({ status: 200 });
    for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, token, `Basic ${token}`, `Bearer ${token.toUpperCase()}`]) {
      const refused = await ask('/decode', { at: guarded, headers: authorization === undefined ? {} : { authorization } });
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expectNoKey(refused.text);
    }
    expect(await ask('/decode', { at: guarded, headers: { origin: ui } })).toMatchObject({ status: 401, headers: { 'access-control-allow-origin': ui } });
    expect(await ask('/healthz', { at: guarded, method: 'GET' })).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it.each([
    ['another path', '/', {}, 404],
    ['a deeper path', '/a/b/decode', {}, 404],
    ['another method', '/decode', { method: 'PUT' as const }, 404],
    ['a body that is no JSON', '/decode', { body: '{"payloads":' }, 400],
    ['no body', '/decode', { body: '' }, 400],
    ['a list', '/decode', { body: [] }, 400],
    ['payloads that are none', '/decode', { body: { payloads: [1] } }, 400],
    ['data that is no base64', '/encode', { body: { payloads: [{ data: 'ä' }] } }, 400],
    ['metadata that is no text', '/encode', { body: { payloads: [{ metadata: { encoding: 1 } }] } }, 400],
    ['a name that would change objects', '/encode', { body: '{"payloads":[{"metadata":{"__proto__":"eA=="}}]}' }, 400],
    ['too many payloads', '/encode', { body: { payloads: Array.from({ length: 10_001 }, () => ({})) } }, 400],
    ['another content type', '/decode', { headers: { 'content-type': 'text/plain' } }, 415],
    ['more than the limit', '/decode', { body: `{"payloads":[{"data":"${'A'.repeat(13 * 1024 * 1024)}"}]}` }, 413],
  ])('answers %s with a message, and goes on', async (_what, path, options, status) => {
    const answer = await ask(path, options).catch((error: unknown) => ({ status: 413, body: { message: String(error) } }));
    expect([answer.status, typeof answer.body.message]).toEqual([status, 'string']);
    expect(await ask('/decode')).toMatchObject({ status: 200 });
  });

  it('answers any JSON, and any payload, with sense and without a key', async () => {
    const nearly = fc.record({ payloads: fc.array(fc.record({ metadata: fc.dictionary(fc.string(), fc.oneof(fc.base64String(), fc.string())), data: fc.oneof(fc.base64String(), fc.string(), fc.constant(null)) }, { requiredKeys: [] }), { maxLength: 3 }) });
    const encrypted = fc.record({ payloads: fc.array(fc.record({ metadata: fc.record({ encoding: fc.constant(base64('binary/encrypted')), 'encryption-key-id': fc.constantFrom(base64('now'), base64('then'), base64('\u0000')) }), data: fc.base64String() }), { minLength: 1, maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/encode', '/decode'), fc.oneof(fc.json(), nearly, encrypted), async (path, body) => {
        const answer = await ask(path, { body });
        expect([200, 400]).toContain(answer.status);
        expect(answer.body).toHaveProperty(answer.status === 200 ? 'payloads' : 'message');
        expectNoKey(answer.text);
      }),
      { numRuns: 300 },
    );
  });

  it('survives whatever comes over a raw connection', async () => {
    const { port } = apps[0]!.server.address() as AddressInfo;
    const head = 'POST /decode HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const texts = [...fc.sample(fc.string({ unit: 'binary', maxLength: 300 }), 20), `${head}content-length: 5\r\n\r\n{"a":1}`, `${head}content-length: -1\r\n\r\n`, `${head}transfer-encoding: chunked\r\n\r\nzz\r\n`, `${head}content-length: 999\r\n\r\n{`, 'GET http://evil/decode HTTP/1.1\r\n\r\n', `${head}x: ${'a'.repeat(100_000)}\r\n\r\n`];
    await Promise.all(
      texts.map(async (text) => {
        const socket = connect(port, '127.0.0.1');
        let heard = '';
        socket.setEncoding('latin1').on('data', (part: string) => (heard += part));
        socket.on('error', () => undefined);
        const closed = once(socket, 'close');
        socket.end(Buffer.from(text, 'latin1'));
        await closed;
        expectNoKey(heard);
      }),
    );
    expect(await ask('/decode')).toMatchObject({ status: 200 });
  });
});
