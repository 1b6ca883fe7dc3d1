import fc from 'fast-check';
import { isSecretName, redacted, withoutSecrets } from '../src/redaction';

const marked = 'mArKeD-S3cr3t/+=';

describe('withoutSecrets', () => {
  it.each([
    `PUT https://bucket.example/key?X-Amz-Signature=${marked}&b=2`,
    `https://user:${marked.replaceAll('/', '')}@x.example/`,
    `Bearer ${marked}`,
    `authorization: Basic ${Buffer.from(`user:${marked}`).toString('base64')}`,
    `Authorization: ${marked}`,
    `X-Api-Key: ${marked}`,
    `PLANGREP_API_KEY=${marked} PLANGREP_PROJECT=Tower`,
    `PLANGREP_SECRET_KEYS_OLD=${marked}`,
    `PLANGREP_PAYLOAD_KEY=k1:${marked}`,
    `{"apiKey":"${marked}"}`,
    `{\\"uploadToken\\": \\"${marked}\\"}`,
    `password = '${marked}'`,
    `set-cookie: session=${marked}`,
  ])('blots out what is secret in %s', (text) => {
    expect(withoutSecrets(text)).not.toMatch(/mArKeD/);
    expect(withoutSecrets(text)).not.toContain(Buffer.from(`user:${marked}`).toString('base64'));
  });

  it.each(['see https://plangrep.com/docs and /a?b=c', 'Basic documents are missing', 'Cannot read PLANGREP_API_KEY_FILE: ENOENT', 'priorityKey=3 key=batches/a/plan.json', 'job_1 is completed', 'the token is missing'])('leaves %s alone', (text) =>
    expect(withoutSecrets(text)).toBe(text),
  );

  it('blots out known secrets wherever they stand', () => {
    expect(withoutSecrets('no room for s3cret here, as3cretb', ['s3cret', ''])).toBe('no room for [secret] here, a[secret]b');
  });

  it('takes time in proportion to the text', () => {
    // Each of these makes a careless pattern look at the whole rest of the text from every place; that would take minutes.
    for (const part of ['http://', 'https://a', 'bearer ', 'basic a', 'token', 'token\\', 'token = ', 'a@', 'secret="', '\\']) expect(withoutSecrets(part.repeat(200_000 / part.length)).length).toBeGreaterThan(0);
  });
});

describe('isSecretName', () => {
  it.each(['apiKey', 'X-Api-Key', 'PLANGREP_API_KEY', 'authorization', 'Proxy-Authorization', 'Set-Cookie', 'webhookSigningSecret', 'uploadToken', 'X-Amz-Signature', 'PLANGREP_SECRET_KEYS_OLD', 'privateKey', 'password', 'headers', 'rawHeaders', 'uploadUrl', 'connectionOptions'])('knows %s', (name) =>
    expect(isSecretName(name)).toBe(true),
  );
  it.each(['key', 'idempotencyKey', 'fairnessKey', 'taskQueue', 'PLANGREP_API_KEY_FILE', 'keyId', 'header', 'webUrl', 'tokens_used', 'message'])('lets %s be seen', (name) => expect(isSecretName(name)).toBe(false));
});

describe('redacted', () => {
  const names = fc.constantFrom('apiKey', 'API_KEY', 'x-api-key', 'authorization', 'Authorization', 'cookie', 'Set-Cookie', 'token', 'uploadToken', 'access_token', 'password', 'client_secret', 'secretKey', 'headers', 'rawHeaders', 'uploadUrl', 'signedUrl', 'body', 'PLANGREP_PAYLOAD_KEY', 'privateKey', 'connectionOptions', 'signature');
  const secret = fc.oneof(fc.constant(marked), fc.constant([marked, marked]), fc.record({ deep: fc.constant({ deeper: [marked] }) }));
  const tree = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    hidden: fc.tuple(names, secret).map(([name, value]) => ({ [name]: value })),
    pair: fc.tuple(fc.constantFrom('authorization', 'X-Api-Key', 'cookie'), secret),
    text: fc.constantFrom(`Bearer ${marked}`, `https://x.example/a?s=${marked}`, `api_key=${marked}`, JSON.stringify({ token: marked }), JSON.stringify(JSON.stringify({ token: marked }))),
    node: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('hidden'), tie('pair'), tie('text'), fc.array(tie('node'), { maxLength: 4 }), fc.dictionary(fc.string(), tie('node'), { maxKeys: 4 })),
  })).node;

  it('never leaves a marked secret under a usual name, in a usual text, however deep', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = JSON.stringify(redacted(JSON.parse(JSON.stringify(value ?? null))));
        expect(text.includes(marked)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves all else as it was', () => {
    const plain = { level: 30, time: 't', msg: 'Activity failed', activityType: 'createJob', attempt: 2, list: [1, [2, 'three']], gone: null, err: { type: 'BusyError', message: 'busy', stack: 'BusyError: busy\n    at x.ts:1:2' }, counts: [0, 1, 2], __proto__: null };
    expect(redacted(JSON.parse(JSON.stringify(plain)))).toEqual(JSON.parse(JSON.stringify(plain)));
    const odd = JSON.parse('{"__proto__":{"token":"x"},"a":1}') as object;
    expect(JSON.stringify(redacted(odd))).toBe('{"__proto__":{"token":"[secret]"},"a":1}');
  });

  it('shows that a secret is absent, and of bytes only how many', () => {
    expect(redacted({ apiKey: null, token: false, key: JSON.parse(JSON.stringify({ a: Buffer.from('abc'), b: new Uint8Array([1, 2]) })) as unknown })).toEqual({ apiKey: null, token: false, key: { a: expect.stringContaining('bytes]') as string, b: '[2 bytes]' } });
    expect(redacted({})).toEqual({});
  });
});
