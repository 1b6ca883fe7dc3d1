import { mkdtempSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { ConfigError, readConfig, type Need } from '../src/config';

const key = Buffer.alloc(32, 7).toString('base64');
const full = { PLANGREP_API_KEY: 'pgk_1', PLANGREP_PROJECT: 'Tower', PLANGREP_ARCHIVE: '/srv/archive', PLANGREP_SECRET_KEY: key };
const everything: Need[] = ['plangrep', 'project', 'archive', 'secretKey'];

function problems(env: NodeJS.ProcessEnv, need: Need[] = []): string[] {
  try {
    readConfig(env, need);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable, message }) => `${variable} ${message}`);
  }
}

describe('readConfig', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plangrep-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has a default for all that can have one', () => {
    const config = readConfig({}, []);
    expect(config).toMatchObject({
      plangrep: { baseUrl: 'https://plangrep.com', requestsPerSecond: 2, transferRequestsPerSecond: 10, minPollMs: 15_000, projectPollMs: 10_000 },
      project: null,
      archive: null,
      secretKey: null,
      oldSecretKeys: [],
      credits: { drawingPage: 10, documentPage: 1 },
      webhook: { url: null },
      webUiUrl: null,
    });
    expect(() => config.plangrep.apiKey()).toThrow('PLANGREP_API_KEY is not set');
  });

  it('gives what was set, frozen', () => {
    const config = readConfig({ ...full, PLANGREP_REQUESTS_PER_SECOND: '0.5', PLANGREP_SECRET_KEYS_OLD: `${key}, ${key}` }, everything);
    expect(config.plangrep.apiKey()).toBe('pgk_1');
    expect(config.project).toBe('Tower');
    expect(config.archive).toBe('/srv/archive');
    expect(config.secretKey.reveal()).toEqual(Buffer.alloc(32, 7));
    expect(config.oldSecretKeys).toHaveLength(2);
    expect(config.plangrep.requestsPerSecond).toBe(0.5);
    expect([config, config.plangrep, config.credits, config.oldSecretKeys, config.webhook, config.webhook.scheme].every(Object.isFrozen)).toBe(true);
  });

  it('lists all problems at once, each with its variable', () => {
    const found = problems(
      { PLANGREP_BASE_URL: 'ftp://x', PLANGREP_SECRET_KEY: 'short', PLANGREP_MIN_POLL_SECONDS: 'soon', PLANGREP_ARCHIVE: 's3://bucket/x' },
      ['plangrep', 'project'],
    );
    const variables = ['PLANGREP_API_KEY', 'PLANGREP_ARCHIVE', 'PLANGREP_BASE_URL', 'PLANGREP_MIN_POLL_SECONDS', 'PLANGREP_PROJECT', 'PLANGREP_SECRET_KEY'];
    expect(new Set(found.map((line) => line.split(' ')[0]))).toEqual(new Set(variables));
    expect(found).toHaveLength(variables.length);
  });

  it('says how a secret key is made', () => {
    expect(problems({}, ['secretKey'])[0]).toContain('openssl rand -base64 32');
    expect(problems({ PLANGREP_SECRET_KEY: 'AAAA' })[0]).toContain('openssl rand -base64 32');
  });

  it.each([
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['hex', 'ab'.repeat(32)],
    ['spaces inside', `${key.slice(0, 20)} ${key.slice(20)}`],
  ])('refuses a secret key of %s and does not repeat it', (_name, value) => {
    const [problem] = problems({ PLANGREP_SECRET_KEY: value });
    expect(problem).toMatch(/^PLANGREP_SECRET_KEY must be 32 bytes in base64/);
    expect(problem).not.toContain(value);
  });

  describe('payload keys', () => {
    const [now, then] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')];

    it('encrypt nothing unless one is set', () => {
      expect(readConfig({}, []).payloadKeys).toEqual({ current: null, old: [] });
      const { payloadKeys } = readConfig({ PLANGREP_PAYLOAD_KEY: now, PLANGREP_PAYLOAD_KEYS_OLD: `then:${then}, ${now}` }, []);
      expect(payloadKeys.current?.id).toMatch(/^[0-9a-f]{8}$/);
      expect(payloadKeys.old.map(({ id }) => id)).toEqual(['then', payloadKeys.current?.id]);
      expect(readConfig({ PLANGREP_PAYLOAD_KEYS_OLD: then }, []).payloadKeys).toMatchObject({ current: null, old: [{}] });
    });

    it('come from a file too', () => {
      const path = join(folder, 'payload');
      writeFileSync(path, `named:${now}\n`);
      expect(readConfig({ PLANGREP_PAYLOAD_KEY_FILE: path }, []).payloadKeys.current?.id).toBe('named');
      expect(problems({ PLANGREP_PAYLOAD_KEY_FILE: path, PLANGREP_PAYLOAD_KEY: now })).toEqual(['PLANGREP_PAYLOAD_KEY and PLANGREP_PAYLOAD_KEY_FILE are both set: set one of them']);
    });

    it('are refused without being repeated', () => {
      for (const wrong of [`${now}x`, `bad name:${now}`, `:${now}`, Buffer.alloc(31, 1).toString('base64')]) {
        const [problem] = problems({ PLANGREP_PAYLOAD_KEY: wrong, PLANGREP_PAYLOAD_KEYS_OLD: '' });
        expect(problem).toMatch(/^PLANGREP_PAYLOAD_KEY must be 32 bytes in base64, or a name/);
        expect(problem).not.toContain(wrong.slice(-20));
      }
    });

    it('have a name each, and do not seal as well', () => {
      expect(problems({ PLANGREP_PAYLOAD_KEY: `k:${now}`, PLANGREP_PAYLOAD_KEYS_OLD: `k:${then}` })).toEqual(['PLANGREP_PAYLOAD_KEYS_OLD has two keys called k: give each key a name of its own, NAME:BASE64']);
      expect(problems({ PLANGREP_PAYLOAD_KEY: `k:${now}`, PLANGREP_PAYLOAD_KEYS_OLD: `k:${now}` })).toEqual([]);
      for (const seals of [{ PLANGREP_SECRET_KEY: now }, { PLANGREP_SECRET_KEY: key, PLANGREP_SECRET_KEYS_OLD: now }]) {
        const [problem] = problems({ ...seals, PLANGREP_PAYLOAD_KEY: `k:${now}` });
        expect(problem).toMatch(/^PLANGREP_PAYLOAD_KEY holds the secret key \(PLANGREP_SECRET_KEY\) as k: make another one/);
        expect(problem).not.toContain(now);
      }
    });
  });

  it('takes a token for the codec endpoint that is long enough', () => {
    expect(readConfig({}, []).codecToken).toBeNull();
    expect(readConfig({ PLANGREP_CODEC_TOKEN: 'a-long-enough-token' }, []).codecToken?.reveal()).toBe('a-long-enough-token');
    expect(problems({ PLANGREP_CODEC_TOKEN: 'short' })).toEqual(['PLANGREP_CODEC_TOKEN must have at least 16 characters']);
    expect(problems({ PLANGREP_CODEC_TOKEN: 'two words of enough length' })).toHaveLength(1);
  });

  it.each(['PLANGREP_API_KEY_FILE', 'PLANGREP_SECRET_KEY_FILE', 'PLANGREP_PAYLOAD_KEY_FILE', 'PLANGREP_CODEC_TOKEN_FILE'])('does not repeat a secret that was put into %s by mistake', (variable) => {
    for (const secret of [key, 'pgk_live_0123456789abcdef', key.replaceAll('A', '/')]) expect(problems({ [variable]: secret }).join('\n')).toBe(`${variable} cannot be read: ENOENT: there is no such file`);
  });

  it('remembers which files hold secrets', () => {
    const path = join(folder, 'secret');
    writeFileSync(path, key);
    expect(readConfig({ PLANGREP_SECRET_KEY_FILE: path }, []).secretFiles).toEqual([{ variable: 'PLANGREP_SECRET_KEY_FILE', path }]);
  });

  it.each([
    ['https://plangrep.com/', 'https://plangrep.com'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://localhost:1/', 'http://localhost:1'],
    ['http://[::1]:80', 'http://[::1]'],
    ['https://host/prefix/', 'https://host/prefix'],
  ])('takes the base URL %s', (given, baseUrl) => {
    expect(readConfig({ PLANGREP_BASE_URL: given }, []).plangrep.baseUrl).toBe(baseUrl);
  });

  it.each(['http://plangrep.com', 'http://127.0.0.1.example.com', 'http://10.0.0.1', 'https://user:word@host', 'https://host/?a=b', 'plangrep.com', '//x'])(
    'refuses the base URL %s',
    (given) => expect(problems({ PLANGREP_BASE_URL: given })).toHaveLength(1),
  );

  it('polls at least every 5 s elsewhere and every 1 s on loopback', () => {
    const local = { PLANGREP_BASE_URL: 'http://127.0.0.1:1' };
    expect(problems({ PLANGREP_MIN_POLL_SECONDS: '4' })).toEqual(['PLANGREP_MIN_POLL_SECONDS must be at least 5']);
    expect(problems({ PLANGREP_MIN_POLL_SECONDS: '5' })).toEqual([]);
    expect(problems({ ...local, PLANGREP_MIN_POLL_SECONDS: '0.5' })).toHaveLength(1);
    expect(readConfig({ ...local, PLANGREP_MIN_POLL_SECONDS: '1' }, []).plangrep).toMatchObject({ minPollMs: 1000, projectPollMs: 1000 });
  });

  it.each(['-1', '0', '1e9', 'two', '1001', 'NaN'])('refuses %s requests a second', (value) => {
    expect(problems({ PLANGREP_REQUESTS_PER_SECOND: value })).toHaveLength(1);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(problems({ ...full, PLANGREP_API_KEY: '', PLANGREP_PROJECT: ' ' }, everything)).toHaveLength(2);
    expect(readConfig({ PLANGREP_BASE_URL: '' }, []).plangrep.baseUrl).toBe('https://plangrep.com');
  });

  it('makes the archive absolute', () => {
    expect(readConfig({ PLANGREP_ARCHIVE: 'some/where' }, []).archive).toBe(join(process.cwd(), 'some/where'));
  });

  it('reads a key file again when it changed, and keeps the last key while it is gone', () => {
    const path = join(folder, 'key');
    writeFileSync(path, 'first\n');
    const { plangrep } = readConfig({ PLANGREP_API_KEY_FILE: path }, ['plangrep']);
    expect(plangrep.apiKey()).toBe('first');
    writeFileSync(path, 'other\n');
    utimesSync(path, 1, 1);
    expect(plangrep.apiKey()).toBe('other');
    unlinkSync(path);
    expect(plangrep.apiKey()).toBe('other');
  });

  it('names a key file that is missing or empty', () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '\n');
    expect(problems({ PLANGREP_API_KEY_FILE: join(folder, 'none') })[0]).toMatch(/^PLANGREP_API_KEY_FILE cannot be read: ENOENT/);
    expect(problems({ PLANGREP_API_KEY_FILE: empty })[0]).toMatch(/is empty$/);
  });

  it('takes the secret key from a file', () => {
    const path = join(folder, 'secret');
    writeFileSync(path, `${key}\n`);
    expect(readConfig({ PLANGREP_SECRET_KEY_FILE: path }, ['secretKey']).secretKey.reveal()).toHaveLength(32);
    expect(problems({ PLANGREP_SECRET_KEY: key, PLANGREP_SECRET_KEY_FILE: path })[0]).toContain('both set');
  });

  it('never shows a secret', () => {
    const config = readConfig(full, everything);
    for (const shown of [inspect(config, { depth: 9 }), JSON.stringify(config), String(config.secretKey)]) {
      expect(shown).not.toContain(key);
      expect(shown).not.toContain('pgk_1');
      expect(shown).not.toContain('<Buffer');
    }
    expect(inspect(config.secretKey)).toBe('[secret]');
  });
});
