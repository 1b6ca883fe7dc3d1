import { cureText, GateNews, reasonText, warningText } from '../../src/cli/gate';
import { gateReasons } from '../../src/contract/batch';
import { summary } from './summary';

const since = '2026-01-01T00:00:00Z';
const nextProbeAt = '2026-01-01T00:05:00Z';

describe.each(gateReasons)('a gate closed by %s', (reason) => {
  it('says why in words', () => expect(reasonText({ reason })).toMatch(/ /));

  it('names the command, and when it tries by itself', () => {
    expect(cureText('b1', { reason, since, nextProbeAt: null })).toMatch(/plangrep-batch resume b1$/);
    expect(cureText('b1', { reason, since, nextProbeAt })).toMatch(/It tries again by itself at 2026-01-01T00:05:00Z; at once: plangrep-batch resume b1$/);
  });
});

test('half of the time and a tenth are told apart', () => {
  expect(warningText({ job: 1, expiresAt: since, percentLeft: 50 })).toContain('half');
  expect(warningText({ job: 1, expiresAt: since, percentLeft: 10 })).toContain('a tenth');
});

describe('GateNews', () => {
  const told = (...looks: Parameters<typeof summary>[0][]): string[] => {
    const said: string[] = [];
    const news = new GateNews((text) => said.push(text.split('\n')[0]!));
    for (const look of looks) news.look(summary(look));
    return said;
  };
  const paused = { gate: { reason: 'paused', since, nextProbeAt: null } } as const;
  const blocked = { gate: { reason: 'insufficient_credits', since, nextProbeAt } } as const;
  const closing = 'Batch b1 starts no new jobs since 2026-01-01T00:00:00Z: it was paused.';

  it('is silent about a batch that works', () => expect(told({}, {}, {})).toEqual([]));
  it('tells each change once', () => expect(told({}, paused, paused, {}, {}, paused)).toEqual([closing, 'Batch b1 starts jobs again.', closing]));
  it('tells another reason, and a gate that closed again in between', () => {
    expect(told(paused, blocked)).toHaveLength(2);
    expect(told(blocked, { gate: { ...blocked.gate, since: nextProbeAt } })).toHaveLength(2);
    expect(told(blocked, { gate: { ...blocked.gate, nextProbeAt: '2026-01-01T00:15:00Z' } })).toHaveLength(1);
  });
  it('draws no conclusion from a batch that could not be asked, or is closed', () => {
    expect(told(paused, { error: { code: 'no_worker', message: 'x' } }, paused)).toEqual([closing]);
    expect(told(paused, { closedAt: nextProbeAt })).toEqual([closing]);
  });
  it('tells once what a step waits for that keeps failing, and that it waits no more', () => {
    const trouble = (failures: number) => ({ trouble: { step: 'archiveJob', job: 2, code: 'ArchiveUnavailable', message: 'On host: the archive /a is full. Free space.', failures } });
    expect(told(trouble(1), trouble(2), {}, {})).toEqual(['Batch b1 waits: archiveJob of job 2 failed once and is tried again by itself: On host: the archive /a is full. Free space.', 'Batch b1 waits no more.']);
  });
  it('warns of each mark of a deadline once', () => {
    const warning = (percentLeft: 50 | 10) => ({ warning: { job: 2, expiresAt: nextProbeAt, percentLeft } });
    expect(told(warning(50), warning(50), warning(10), {})).toEqual([expect.stringContaining('job 2 has half'), expect.stringContaining('job 2 has a tenth')]);
  });
});
