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

  it('says why a batch waits, what opens it again, what is in danger, and what was passed over', () => {
    const gate = { reason: 'insufficient_credits', since: '2026-01-01T00:00:30Z', nextProbeAt: '2026-01-01T00:05:30Z' } as const;
    const text = summaryText(summary({ status: 'blocked_credits', gate, warning: { job: 3, expiresAt: '2026-01-02T00:00:00Z', percentLeft: 10 }, counts: { processed: 2, skipped: 4 }, retryOf: 'b0' }), now);
    expect(text).toMatch(/waits +no new job starts since 2026-01-01T00:00:30Z: Plangrep has no credits left for it\n/);
    expect(text).toMatch(/what to do +Add credits at Plangrep\. It tries again by itself at 2026-01-01T00:05:30Z; at once: plangrep-batch resume b1\n/);
    expect(text).toMatch(/warning +job 3 has a tenth of its time left or less; what is not archived by 2026-01-02T00:00:00Z is lost\n/);
    expect(text).toContain('2 processed, 4 skipped');
    expect(text).toMatch(/retries +b0\n/);
  });

  it('says nothing of gate and deadlines once the batch is closed', () => {
    const gate = { reason: 'paused', since: '2026-01-01T00:00:30Z', nextProbeAt: null } as const;
    const text = summaryText(summary({ status: 'cancelled', closedAt: '2026-01-01T00:00:30Z', gate, warning: { job: 3, expiresAt: '2026-01-02T00:00:00Z', percentLeft: 50 } }), now);
    expect(text).not.toMatch(/waits|what to do|warning/);
  });
});
