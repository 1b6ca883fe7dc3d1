import { bytesText, counted, durationText, summaryText, table } from '../../src/cli/text';
import { summary } from './summary';

test.each([[0, '0 bytes'], [999, '999 bytes'], [1000, '1.0 kB'], [12_345_678, '12.3 MB'], [10_000_000_000, '10.0 GB'], [5e15, '5000.0 TB']])(
  '%d bytes read %s',
  (bytes, text) => expect(bytesText(bytes)).toBe(text),
);

test.each([[-5, '0 s'], [499, '0 s'], [59_400, '59 s'], [60_000, '1 min 0 s'], [3_725_000, '1 h 2 min']])('%d ms read %s', (ms, text) =>
  expect(durationText(ms)).toBe(text),
);

test('counted', () => expect([counted(0, 'job'), counted(1, 'job'), counted(2, 'job')]).toEqual(['0 jobs', '1 job', '2 jobs']));

test('table aligns and leaves out what is not there', () => {
  expect(table([['a', '1'], ['long', '2'], ['none', null]])).toBe('  a     1\n  long  2');
});

describe('summaryText', () => {
  const now = new Date('2026-01-01T00:01:00Z');

  it('says what a running batch does', () => {
    const text = summaryText(summary({ nextExpiresAt: '2026-01-08T00:00:00Z' }), now);
    expect(text).toContain('Batch b1: running');
    expect(text).toContain('2 of 10 done: 2 processed');
    expect(text).toContain('1 min 0 s so far');
    expect(text).toContain('2026-01-08T00:00:00Z');
    expect(text).not.toContain('error');
  });

  it('says how a failed batch ended', () => {
    const text = summaryText(summary({ status: 'failed', closedAt: '2026-01-01T00:00:30Z', error: { code: 'Unauthorized', message: 'the key is refused' } }), now);
    expect(text).toContain('30 s\n');
    expect(text).toContain('Unauthorized: the key is refused');
  });
});
