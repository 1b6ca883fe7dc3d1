import { Secret } from '../src/config/secret';
import { PayloadKey } from '../src/codec/payload-key';
import { createLogger, forTemporal } from '../src/log';
import { Seal } from '../src/store/seal';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  let lines = '';
  write(createLogger({ level: 'trace', to: { write: (line) => void (lines += line) } }));
  return lines;
}

describe('createLogger', () => {
  it('hides known fields at any of the usual depths', () => {
    const hidden = { uploadToken: 'S1', apiKey: 'S2', headers: { authorization: 'S3' }, resultUrl: 'S4' };
    const text = logged((log) => log.info({ ...hidden, a: { ...hidden, b: { ...hidden, c: hidden } } }, 'hello'));
    expect(text).not.toMatch(/S\d/);
    expect(JSON.parse(text)).toMatchObject({ msg: 'hello', apiKey: '[secret]' });
  });

  it('hides signatures and tokens in any text, an error included', () => {
    const error = new Error('PUT https://bucket.example/key?X-Amz-Signature=S1&b=S2 failed', { cause: new Error('Bearer S3') });
    const text = logged((log) => {
      log.error({ err: error }, 'https://x.example/a?token=S4');
      log.warn({ list: ['https://user:S5@x.example/'] });
    });
    expect(text).not.toMatch(/S\d/);
    expect(text).toContain('https://bucket.example/key?[secret] failed');
  });

  it('writes one line of valid JSON a record, whatever was cut out', () => {
    const text = logged((log) => log.info({ note: 'https://x.example/?a="b"\nnext' }, 'x'));
    expect(JSON.parse(text)).toMatchObject({ note: expect.stringContaining('https://x.example/?[secret]') as string });
  });

  it('hides them deeper still, in any spelling, in lists of headers, in bindings and in the fields of an error', () => {
    const error = Object.assign(new Error('refused'), { settings: { connectionOptions: { apiKey: 'S1', tls: { clientCertPair: { key: Buffer.from('S2') } } } }, request: { rawHeaders: ['X-Api-Key', 'S3'] }, cause: Object.assign(new Error('x'), { headers: { Authorization: 'S4' } }) });
    const text = logged((log) => {
      log.error(error);
      log.child({ Authorization: 'S5' }).info({ a: { b: { c: { d: { e: { 'Set-Cookie': 'S6', list: ['authorization', 'S7'] } } } } } });
      log.info({ text: JSON.stringify({ apiKey: 'S8' }), env: { PLANGREP_API_KEY: 'S9' } }, 'PLANGREP_SECRET_KEY=S0');
    });
    expect(text).not.toMatch(/S\d/);
    expect(text).toContain('refused');
  });

  it('blots out what this process knows to be secret, wherever somebody repeats it, as it is at the time', () => {
    let lines = '';
    let key = 'first-known';
    const log = createLogger({ to: { write: (line) => void (lines += line) }, secrets: () => [key] });
    log.warn(new Error(`They said: ${key}!`));
    key = 'second-known';
    log.warn({ odd: [`<${key}>`] }, key);
    expect(lines).not.toContain('-known');
    expect(lines).toContain('They said: [secret]!');
  });

  it('writes nothing of a line that it cannot look through', () => {
    let lines = '';
    const secrets = () => {
      throw new Error('no key file');
    };
    createLogger({ to: { write: (line) => void (lines += line) }, secrets }).info('S1');
    expect(JSON.parse(lines)).toMatchObject({ level: 50, msg: expect.stringContaining('left out') as string });
    expect(lines).not.toContain('S1');
  });

  it('shows no key of ours that somebody logs whole', () => {
    const bytes = Buffer.from('0123456789abcdefghijklmnopqrstuv');
    const things = { secret: new Secret('S1'), other: new Secret(bytes), seal: new Seal(bytes, [bytes]), codec: new PayloadKey('k', bytes), bytes };
    const text = logged((log) => log.info({ things, list: Object.values(things) }));
    expect(text).not.toMatch(/S1|0123456|MDEyMzQ1|48,49,50/);
  });

  it('serves as logger of the SDK', () => {
    const text = logged((log) => {
      const sdk = forTemporal(log);
      sdk.log('WARN', 'one', { taskQueue: 'q' });
      sdk.trace('two');
      sdk.debug('three');
      sdk.info('four');
      sdk.warn('five');
      sdk.error('six', { error: new Error('boom', { cause: new Error('Bearer S1') }) });
    });
    expect(text).toContain('boom: Bearer [secret]');
    expect(text.trim().split('\n').map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([40, 10, 20, 30, 40, 50]);
  });
});
