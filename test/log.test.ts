import { createLogger, forTemporal, withoutSecrets } from '../src/log';

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

  it('serves as logger of the SDK', () => {
    const text = logged((log) => {
      const sdk = forTemporal(log);
      sdk.log('WARN', 'one', { taskQueue: 'q' });
      sdk.trace('two');
      sdk.debug('three');
      sdk.info('four');
      sdk.warn('five');
      sdk.error('six');
    });
    expect(text.trim().split('\n').map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([40, 10, 20, 30, 40, 50]);
  });
});

test('withoutSecrets leaves other text alone', () => {
  expect(withoutSecrets('see https://plangrep.com/docs and /a?b=c')).toBe('see https://plangrep.com/docs and /a?b=c');
});
