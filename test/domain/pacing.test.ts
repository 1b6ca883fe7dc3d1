import fc from 'fast-check';
import { maxPollMs, pollDelayMs } from '../../src/domain/pacing';

test('polls start at the minimum, never come faster than it, and grow to a minute', () => {
  expect([1, 2, 3, 4, 5].map((attempt) => pollDelayMs(attempt, 15_000))).toEqual([15_000, 22_500, 33_750, 50_625, 60_000]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1_000, max: 600_000 }), (attempt, minPollMs) => {
      const delay = pollDelayMs(attempt, minPollMs);
      expect(delay).toBeGreaterThanOrEqual(minPollMs);
      expect(delay).toBeLessThanOrEqual(Math.max(minPollMs, maxPollMs));
      expect(pollDelayMs(attempt + 1, minPollMs)).toBeGreaterThanOrEqual(delay);
    }),
  );
});
