import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { defaultScheme, signWebhook, verifyWebhook } from '../../src/plangrep/signature';
import type { SignatureScheme } from '../../src/plangrep/signature';

// Computed with: openssl dgst -sha256 -hmac wss_demo webhook.body.json
const vector = 'sha256=2cd7326fbc517adb477fcdc19ebc3af448867bc757e43357155d1435bf3c50d1';
const body = readFileSync(join(__dirname, '../fixtures/plangrep/webhook.body.json'));
const secret = 'wss_demo';
const now = 1_893_456_000_000;

const verify = (signature: string | string[] | undefined, over: { body?: Buffer; secret?: string } = {}) =>
  verifyWebhook({ headers: { 'x-plangrep-signature': signature }, body: over.body ?? body }, over.secret ?? secret, now);

test('the signature is the one that openssl computes', () => {
  expect(signWebhook(secret, body)).toBe(vector);
  expect(signWebhook(secret, body.toString('utf8'))).toBe(vector);
  expect(verify(vector)).toBe(true);
});

test.each<[string, string | string[] | undefined]>([
  ['missing', undefined],
  ['empty', ''],
  ['without prefix', vector.slice(7)],
  ['another prefix', vector.replace('sha256=', 'sha512=')],
  ['cut short', vector.slice(0, -2)],
  ['odd length', vector.slice(0, -1)],
  ['longer', `${vector}00`],
  ['longer by half a byte', `${vector}0`],
  ['one digit changed', vector.replace(/1$/, '2')],
  ['no hex', 'sha256=zz'],
  ['several, none right', 'sha256=00, sha256=11'],
])('refused: %s', (_what, signature) => {
  expect(verify(signature)).toBe(false);
});

test('one of several signatures is enough, in one header or in two, in any case of hex', () => {
  expect(verify(`sha256=00, ${vector}`)).toBe(true);
  expect(verify(['sha256=00', vector])).toBe(true);
  expect(verify(`sha256=${vector.slice(7).toUpperCase()}`)).toBe(true);
});

test('another body or another secret is refused', () => {
  expect(verify(vector, { body: Buffer.concat([body, Buffer.from(' ')]) })).toBe(false);
  expect(verify(vector, { secret: 'wss_other' })).toBe(false);
  expect(verifyWebhook({ headers: { 'x-plangrep-signature': signWebhook('', body) }, body }, '', now)).toBe(false);
});

describe('a scheme of another kind', () => {
  const timed: SignatureScheme = { ...defaultScheme, header: 'Webhook-Signature', timestamp: { header: 'Webhook-Timestamp', separator: '.', toleranceMs: 300_000 } };
  const send = (timestamp: string, signature: string) => ({ headers: { 'webhook-signature': signature, 'webhook-timestamp': timestamp }, body });

  test('with a signed time', () => {
    // Computed with: (printf '1893456000.'; cat webhook.body.json) | openssl dgst -sha256 -hmac wss_demo
    const signature = 'sha256=6db7e36d61d8422581114b071cd2ec0d4d5046fd24b9029db1c38a45b7769827';
    expect(signWebhook(secret, body, timed, '1893456000')).toBe(signature);
    expect(verifyWebhook(send('1893456000', signature), secret, now, timed)).toBe(true);
    expect(verifyWebhook(send('1893456001', signature), secret, now, timed)).toBe(false);
  });

  test.each([
    ['1893455700', true],
    ['1893455699', false],
    ['1893456300', true],
    ['1893456301', false],
    ['', false],
    ['soon', false],
    ['-1', false],
  ])('a time of %s', (timestamp, fresh) => {
    expect(verifyWebhook(send(timestamp, signWebhook(secret, body, timed, timestamp)), secret, now, timed)).toBe(fresh);
  });

  test.each([Infinity, NaN, 0, -1])('a tolerance of %s is a mistake', (toleranceMs) => {
    const endless = { ...timed, timestamp: { ...timed.timestamp!, toleranceMs } };
    expect(() => verifyWebhook(send('1893456000', vector), secret, now, endless)).toThrow(RangeError);
  });

  test('SHA-512 in base64', () => {
    const scheme: SignatureScheme = { ...defaultScheme, prefix: '', algorithm: 'sha512', encoding: 'base64' };
    // Computed with: openssl dgst -sha512 -hmac wss_demo -binary webhook.body.json | base64
    const signature = 'fgTas6ipjSg84VgvpKzlwR9g9IeyBBFxpAq/9r+gaDYRCLgAaYlooXnd6+theIvd33TqgpzLQpQ/txx7Pj66lA==';
    expect(signWebhook(secret, body, scheme)).toBe(signature);
    const verifies = (text: string) => verifyWebhook({ headers: { 'x-plangrep-signature': text }, body }, secret, now, scheme);
    expect([signature, signature.slice(0, -2)].map(verifies)).toEqual([true, true]);
    // Other spellings of the same bytes, which lenient decoders take.
    expect([`${signature.slice(0, -3)}B==`, `${signature.slice(0, -2)}A`, `${signature}=`, `${signature}AAAA`, signature.replace('+', '-')].map(verifies)).toEqual([false, false, false, false, false]);
  });
});

test('what is signed is accepted, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ minLength: 1 }), fc.string(), (bytes, signer, noise) => {
      const signature = signWebhook(signer, bytes);
      expect(verifyWebhook({ headers: { 'x-plangrep-signature': signature }, body: bytes }, signer, now)).toBe(true);
      fc.pre(!noise.includes(signature));
      expect(verifyWebhook({ headers: { 'x-plangrep-signature': noise }, body: bytes }, signer, now)).toBe(false);
    }),
  );
});

const junk = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(vector, `${vector}0`, 'sha256=', ',', ' ', '\t', 'sha256=sha256=', vector.slice(7), vector.toUpperCase()));

test('whatever stands in the headers: nothing is thrown, and only the right signature is one', () => {
  const scheme: SignatureScheme = { ...defaultScheme, timestamp: { header: 'x-time', separator: '.', toleranceMs: 300_000 } };
  const headers = fc.record({ signature: fc.oneof(fc.array(junk).map((parts) => parts.join(',')), fc.array(junk), fc.constant(undefined)), time: fc.oneof(junk, fc.array(junk), fc.constant(String(now / 1000))) });
  fc.assert(
    fc.property(headers, fc.uint8Array(), ({ signature, time }, bytes) => {
      const given = [signature ?? []].flat().flatMap((text) => text.split(/[,\s]+/));
      const untimed = verifyWebhook({ headers: { 'x-plangrep-signature': signature }, body }, secret, now);
      // In hex of any case.
      expect(untimed).toBe(given.some((text) => text.startsWith('sha256=') && text.toLowerCase() === vector));
      expect(verifyWebhook({ headers: { 'x-plangrep-signature': signature, 'x-time': time }, body: bytes }, secret, now, scheme)).toBe(false);
    }),
    { numRuns: 500 },
  );
});
