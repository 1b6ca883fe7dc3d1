import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { request } from 'undici';
import { codec, type CodecFlags } from '../../src/cli/codec';
import { listening, runHere, withEnvironment } from '../support/cli-output';

const bytes = randomBytes(32).toString('base64');
const keys = { PLANGREP_PAYLOAD_KEY: `now:${bytes}`, PLANGREP_PAYLOAD_KEYS_OLD: `then:${randomBytes(32).toString('base64')}` };
const token = { PLANGREP_CODEC_TOKEN: 'a-token-of-24-characters' };

/** Runs the command while `body` looks at what its first line says, and ends it. */
async function whileServing(flags: CodecFlags, env: Record<string, string>, body: (said: Record<string, unknown>) => Promise<void> = async () => {}): Promise<{ said: Record<string, unknown>; stderr: string }> {
  const heard = listening(true);
  await withEnvironment(env, async () => {
    const serving = codec({ port: 0, ...flags }, heard.output);
    await Promise.race([heard.seen(/\n/), serving]);
    await body(heard.lines()[0]!);
    process.emit('SIGTERM');
    expect(await serving).toBe(0);
  });
  return { said: heard.lines()[0]!, stderr: heard.stderr() };
}

test('says where it listens, with the names of its keys and never a key', async () => {
  const { said, stderr } = await whileServing({}, keys);
  expect(said).toEqual({ codec: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string, keys: ['now', 'then'], origins: ['http://127.0.0.1:8233', 'http://localhost:8233'], token: false });
  expect(stderr).toContain('decrypts with now, then');
  expect(stderr + JSON.stringify(said)).not.toContain(bytes);
});

test('needs a key, one that only decrypts included', async () => {
  expect(await runHere(['codec', '--port', '0'])).toMatchObject({ code: 1, stderr: expect.stringContaining('PLANGREP_PAYLOAD_KEY is not set') as string });
  const { PLANGREP_PAYLOAD_KEYS_OLD } = keys;
  expect((await whileServing({}, { PLANGREP_PAYLOAD_KEYS_OLD })).said).toMatchObject({ keys: ['then'] });
});

test.each(['0.0.0.0', '::', '10.1.2.3', 'temporal.example.com', '127.0.0.1.example.com'])('is not opened to others on %s without a token', async (host) => {
  const { code, stderr } = await runHere(['codec', '--port', '0', '--host', host], keys);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/others could reach the codec endpoint.*\nSet PLANGREP_CODEC_TOKEN/)]);
});

test.each(['127.0.0.1', 'localhost'])('listens on %s without a token, and with one wherever it is told to', async (host) => {
  expect((await whileServing({ host }, keys)).said).toMatchObject({ token: false });
  const { said } = await whileServing({ host: '0.0.0.0' }, { ...keys, ...token }, async ({ codec: url }) => {
    const decode = String(url).replace('0.0.0.0', '127.0.0.1') + '/decode';
    const headers = { 'content-type': 'application/json' };
    expect((await request(decode, { method: 'POST', headers, body: '{}' })).statusCode).toBe(401);
    expect((await request(decode, { method: 'POST', headers: { ...headers, authorization: 'Bearer a-token-of-24-characters' }, body: '{}' })).statusCode).toBe(200);
  });
  expect(said).toMatchObject({ token: true });
});

test.each<[string, CodecFlags, Record<string, string>, string[]]>([
  ['as the flag names it', { origin: ['https://temporal.example.com/namespaces', 'http://ui:8080'] }, {}, ['https://temporal.example.com', 'http://ui:8080']],
  ['as the variable names it', {}, { PLANGREP_WEB_UI_URL: 'https://ui.example.com/temporal' }, ['https://ui.example.com']],
  ['on this machine under both names', {}, { PLANGREP_WEB_UI_URL: 'http://localhost:9000' }, ['http://localhost:9000', 'http://127.0.0.1:9000']],
  ['nowhere, when it is not known', {}, { TEMPORAL_ADDRESS: 'temporal.example.com:7233' }, []],
])('the web UI is %s', async (_where, flags, env, origins) => {
  const { said, stderr } = await whileServing(flags, { ...keys, ...env });
  expect(said).toMatchObject({ origins });
  if (origins.length === 0) expect(stderr).toContain('name it with --origin, or set PLANGREP_WEB_UI_URL');
});

test('an origin that is none, and an address that this machine does not have, are mistakes in the flags', async () => {
  expect(await runHere(['codec', '--port', '0', '--origin', 'temporal'], keys)).toMatchObject({ code: 1, stderr: expect.stringContaining('--origin must be an address') as string });
  expect(await runHere(['codec', '--port', '0', '--host', '192.0.2.1'], { ...keys, ...token })).toMatchObject({ code: 1, stderr: expect.stringContaining('Cannot listen on 192.0.2.1') as string });
});

test('answers what it has begun when it is told to end', async () => {
  await whileServing({}, keys, async ({ codec: url }) => {
    const socket = connect(Number(new URL(String(url)).port), '127.0.0.1');
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
    socket.write('POST /decode HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n');
    await once(socket, 'data'); // the request has been taken, and waits for its body
    setImmediate(() => socket.end('{}'));
    const closed = once(socket, 'close');
    process.emit('SIGTERM');
    await closed;
    expect(heard).toMatch(/HTTP\/1\.1 200 OK[^]*\{"payloads":\[\]\}/);
  });
});
