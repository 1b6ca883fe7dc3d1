import fc from 'fast-check';
import { maxHintedPollMs, maxPollMs, pollDelayMs } from '../../src/domain/pacing';

const now = Date.parse('2026-01-02T03:04:05Z');
const delays = (webhooks: boolean) => [1, 2, 3, 4, 5, 500].map((attempt) => pollDelayMs(attempt, { minPollMs: 15_000, webhooks }, now));

test('without webhooks looks grow apart from the minimum to a minute', () => {
  expect(delays(false)).toEqual([15_000, 22_500, 33_750, 50_625, 60_000, 60_000]);
});

test('with webhooks they are for lost ones only: ten minutes', () => {
  expect(delays(true)).toEqual([15_000, 60_000, 240_000, 600_000, 600_000, 600_000]);
});

test('a deadline within the delay gets a look right after it; one that has passed changes nothing', () => {
  const polling = { minPollMs: 15_000, webhooks: true };
  const at = (...marks: number[]) => pollDelayMs(9, polling, now, marks.map((ms) => now + ms));
  expect(at(100_000)).toBe(101_000);
  expect(at(300_000, 100_000)).toBe(101_000);
  expect(at(-1, 0)).toBe(600_000);
  expect(at(3_000)).toBe(15_000);
});

test('no look comes sooner than the minimum, and none is later than the slowest or than a mark', () => {
  const mark = fc.integer({ min: -10_000_000, max: 10_000_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1_000, max: 900_000 }), fc.boolean(), fc.array(mark, { maxLength: 2 }), (attempt, minPollMs, webhooks, marks) => {
      const polling = { minPollMs, webhooks };
      const delay = pollDelayMs(attempt, polling, now, marks.map((ms) => now + ms));
      expect(delay).toBeGreaterThanOrEqual(minPollMs);
      expect(delay).toBeLessThanOrEqual(Math.max(minPollMs, webhooks ? maxHintedPollMs : maxPollMs));
      for (const ms of marks.filter((each) => each > 0)) expect(delay).toBeLessThanOrEqual(Math.max(minPollMs, ms + 1_000));
      expect(pollDelayMs(attempt + 1, polling, now)).toBeGreaterThanOrEqual(pollDelayMs(attempt, polling, now));
    }),
  );
});
