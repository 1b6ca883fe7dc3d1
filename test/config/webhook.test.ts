import { ConfigError, readConfig } from '../../src/config';
import { defaultScheme } from '../../src/plangrep/signature';

const webhook = (env: Record<string, string>) => readConfig(env, []).webhook;
const named = (part: string, value: string) => ({ [`PLANGREP_WEBHOOK_${part}`]: value });

function problems(env: Record<string, string>): string[] {
  try {
    readConfig(env, []);
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ variable }) => variable);
  }
}

it('without variables there is no address, and the scheme is the assumed one', () => {
  expect(webhook({})).toEqual({ url: null, scheme: defaultScheme });
  expect(webhook(named('URL', ''))).toEqual({ url: null, scheme: defaultScheme });
});

it.each([
  ['https://hooks.example.com', 'https://hooks.example.com'],
  ['https://example.com/plangrep/hooks/', 'https://example.com/plangrep/hooks'],
  ['http://127.0.0.1:8090', 'http://127.0.0.1:8090'],
  ['http://localhost:8090/', 'http://localhost:8090'],
])('takes the address %s', (given, url) => expect(webhook(named('URL', given)).url).toBe(url));

it.each(['http://example.com', 'http://10.0.0.1', 'https://user:word@example.com', 'https://example.com/?a=b', 'https://example.com/#x', 'example.com', 'ftp://example.com'])(
  'refuses the address %s',
  (given) => expect(problems(named('URL', given))).toEqual(['PLANGREP_WEBHOOK_URL']),
);

it('every part of the scheme can be set', () => {
  const { scheme } = webhook({
    ...named('SIGNATURE_HEADER', 'X-Signed'),
    ...named('SIGNATURE_PREFIX', 'v1='),
    ...named('SIGNATURE_ALGORITHM', 'sha512'),
    ...named('SIGNATURE_ENCODING', 'base64'),
    ...named('TIMESTAMP_HEADER', 'X-Time'),
    ...named('TIMESTAMP_SEPARATOR', ':'),
    ...named('TIMESTAMP_TOLERANCE_SECONDS', '60'),
  });
  expect(scheme).toEqual({ header: 'x-signed', prefix: 'v1=', algorithm: 'sha512', encoding: 'base64', timestamp: { header: 'x-time', separator: ':', toleranceMs: 60_000 } });
});

it('what is not set follows: the prefix the algorithm, five minutes around a signed time', () => {
  expect(webhook(named('SIGNATURE_ALGORITHM', 'sha512')).scheme.prefix).toBe('sha512=');
  expect(webhook(named('SIGNATURE_PREFIX', 'none')).scheme.prefix).toBe('');
  expect(webhook(named('TIMESTAMP_HEADER', 't')).scheme.timestamp).toEqual({ header: 't', separator: '.', toleranceMs: 300_000 });
  expect(webhook({ ...named('TIMESTAMP_HEADER', 't'), ...named('TIMESTAMP_SEPARATOR', 'none') }).scheme.timestamp?.separator).toBe('');
});

it.each([
  ['SIGNATURE_HEADER', 'two words'],
  ['SIGNATURE_HEADER', 'a:b'],
  ['SIGNATURE_PREFIX', 'a,b'],
  ['SIGNATURE_PREFIX', 'a b'],
  ['SIGNATURE_ALGORITHM', 'md5'],
  ['SIGNATURE_ENCODING', 'utf8'],
  ['TIMESTAMP_HEADER', 'two words'],
  ['TIMESTAMP_SEPARATOR', 'far too long a text'],
  ['TIMESTAMP_TOLERANCE_SECONDS', '0'],
  ['TIMESTAMP_TOLERANCE_SECONDS', '86401'],
  ['TIMESTAMP_TOLERANCE_SECONDS', 'Infinity'],
])('refuses %s %s', (part, value) => expect(problems(named(part, value))).toEqual([`PLANGREP_WEBHOOK_${part}`]));
