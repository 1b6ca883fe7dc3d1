import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { format, inspect } from 'node:util';
import type { Client } from '@temporalio/client';
import { readConfig } from '../../src/config';
import { Secret } from '../../src/config/secret';
import { dataConverterOf } from '../../src/codec/data-converter';
import { PlangrepClient } from '../../src/plangrep/client';
import { readTemporalSettings, TemporalRefusedError } from '../../src/temporal-connection';
import { workerDependencies } from '../../src/worker';

const marked = 'marked_0123456789_secret';
const bytes = Buffer.from('0123456789-marked-bytes-abcdefgh');

/** Everything that people print, copy and serialise with. */
function waysToShow(value: unknown): string[] {
  const copied = (): unknown => {
    try {
      return structuredClone(value);
    } catch (error) {
      return error; // functions cannot be copied, and the message quotes them
    }
  };
  const spread = typeof value === 'object' && value !== null ? Object.assign({}, value) : value;
  return [
    inspect(value, { depth: Infinity, maxArrayLength: null, maxStringLength: null }),
    inspect(value, { depth: Infinity, showHidden: true, showProxy: true, customInspect: false, maxArrayLength: null, maxStringLength: null }),
    inspect(copied(), { depth: Infinity, showHidden: true }),
    inspect(spread, { depth: Infinity }),
    format('%s %o %O %j', value, value, value, spread),
    JSON.stringify(value, (_name, one: unknown) => (typeof one === 'bigint' ? String(one) : one)) ?? '',
  ];
}

function expectNoSecret(...shown: string[]): void {
  for (const text of shown) {
    expect(text).not.toContain(marked);
    for (const form of [bytes.toString('latin1'), bytes.toString('base64'), bytes.toString('hex'), bytes.toString('hex').replaceAll(/(..)(?!$)/g, '$1 '), [...bytes].join(','), [...bytes].join(', ')]) expect(text).not.toContain(form);
  }
}

describe('Secret', () => {
  it.each<[string, Secret<unknown>]>([
    ['a text', new Secret(marked)],
    ['bytes', new Secret(bytes)],
    ['an object', new Secret({ deep: { marked, bytes } })],
  ])('with %s never shows itself', (_what, secret) => {
    expectNoSecret(...waysToShow(secret), ...waysToShow({ a: [secret] }), ...waysToShow(new Map([[secret, secret]])), ...waysToShow(new Error('x', { cause: secret })));
    expect([String(secret), `${secret.toString()}`, JSON.stringify({ secret }), inspect(secret)]).toEqual(['[secret]', '[secret]', '{"secret":"[secret]"}', '[secret]']);
    expect(Object.keys(secret)).toEqual([]);
  });

  it('is the same as before when it is asked', () => expect(new Secret(marked).reveal()).toBe(marked));
});

describe('what a process holds', () => {
  const env = {
    PLANGREP_API_KEY: marked,
    PLANGREP_ARCHIVE: '/no/such/folder',
    PLANGREP_SECRET_KEY: bytes.toString('base64'),
    PLANGREP_SECRET_KEYS_OLD: bytes.toString('base64'),
    PLANGREP_PAYLOAD_KEY: `k1:${Buffer.from(bytes).reverse().toString('base64')}`,
    PLANGREP_CODEC_TOKEN: marked,
  };

  it('shows no secret: neither its configuration, nor what its activities work with', async () => {
    const config = readConfig(env, ['plangrep', 'archive', 'secretKey']);
    const deps = workerDependencies(config, {} as Client);
    const reversed = Buffer.from(bytes).reverse();
    for (const thing of [config, deps, deps.seal, deps.plangrep, dataConverterOf(config.payloadKeys)]) {
      const shown = waysToShow(thing);
      expectNoSecret(...shown);
      for (const text of shown) for (const form of [reversed.toString('base64'), reversed.toString('latin1'), reversed.toString('hex')]) expect(text).not.toContain(form);
    }
    await deps.plangrep.close();
  });

  it('keeps the credentials for Temporal to the connection', () => {
    const settings = readTemporalSettings({ TEMPORAL_CONFIG_FILE: '/no/such/file.toml', TEMPORAL_ADDRESS: 'a:1', TEMPORAL_API_KEY: marked, TEMPORAL_TLS_CLIENT_CERT_DATA: 'cert', TEMPORAL_TLS_CLIENT_KEY_DATA: marked });
    expect(settings.connectionOptions.apiKey).toBe(marked);
    const enumerable = [inspect(settings, { depth: Infinity }), JSON.stringify(settings), inspect({ ...settings }, { depth: Infinity, showHidden: true }), inspect(structuredClone(settings), { depth: Infinity })];
    expectNoSecret(...enumerable, ...waysToShow(new TemporalRefusedError(settings, 'it does not exist')));
  });
});

describe('errors of calls that carry the key', () => {
  let server: Server;
  let answer: (socket: Socket, heard: string) => void;
  let plangrep: PlangrepClient;
  const heard: string[] = [];

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined).setEncoding('latin1').on('data', (text: string) => {
        heard.push(text);
        answer(socket, text);
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    plangrep = new PlangrepClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: () => marked, version: '1' });
  });
  afterAll(async () => {
    await plangrep.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const http = (status: string, body: string, more = ''): string => `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${more}connection: close\r\n\r\n${body}`;

  it.each<[string, (socket: Socket, heard: string) => void]>([
    ['a cut connection', (socket) => void socket.destroy()],
    ['a reset', (socket) => void socket.resetAndDestroy()],
    ['an answer that is none', (socket, text) => void socket.end(text)],
    ['half an answer', (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{')],
    ['the request, echoed as an error', (socket, text) => void socket.end(http('500 Oops', JSON.stringify({ error: { code: marked, message: text } })))],
    ['the request, echoed as a refusal', (socket, text) => void socket.end(http('401 No', JSON.stringify({ error: { code: 'unauthorized', message: `${text} ${marked}` } }), `x-echo: ${marked}\r\n`))],
    ['the request, echoed as a result', (socket, text) => void socket.end(http('200 OK', JSON.stringify({ projects: [{ id: 1, name: text, status: marked }] })))],
    ['a page with the key', (socket) => void socket.end(http('200 OK', `<html>${marked}</html>`))],
  ])('after %s hold no header and no key', async (_what, how) => {
    answer = how;
    const error: unknown = await plangrep.listProjects().catch((reason: unknown) => reason);
    expect(heard.at(-1)).toContain(`Bearer ${marked}`);
    expect(error).toBeInstanceOf(Error);
    let cause: unknown = error;
    for (let depth = 0; cause instanceof Error && depth < 10; depth++, cause = cause.cause) expectNoSecret(cause.message, cause.stack ?? '', ...waysToShow(cause));
  });
});
