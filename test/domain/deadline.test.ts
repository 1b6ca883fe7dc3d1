import fc from 'fast-check';
import { archivePriority, nextWarningAt, warningsDue } from '../../src/domain/deadline';

const life = { createdAt: '2027-03-01T00:00:00.000Z', expiresAt: '2027-03-11T00:00:00.000Z' };
const at = (text: string) => Date.parse(text);

test('warnings are due when half and when a tenth of the life are left', () => {
  expect([0, 1, 2, 3].map((warnings) => nextWarningAt(life, warnings))).toEqual(['2027-03-06T00:00:00.000Z', '2027-03-10T00:00:00.000Z', null, null]);
  expect(['2027-03-05T23:59:59Z', '2027-03-06T00:00:00Z', '2027-03-09T23:59:59Z', '2027-03-10T00:00:00Z', '2027-04-01T00:00:00Z'].map((text) => warningsDue(life, at(text)))).toEqual([0, 1, 1, 2, 2]);
});

test('archiving goes before others the less time is left', () => {
  expect(['2027-03-01T00:00:00Z', '2027-03-07T00:00:00Z', '2027-03-10T12:00:00Z'].map((text) => archivePriority(life, at(text)))).toEqual([3, 2, 1]);
});

test('the next warning lies ahead exactly as long as it is not due', () => {
  const instant = fc.integer({ min: 0, max: 10 * 86_400_000 });
  fc.assert(
    fc.property(instant, fc.integer({ min: 1, max: 86_400_000 * 30 }), instant, (start, spanMs, later) => {
      const short = { createdAt: new Date(start).toISOString(), expiresAt: new Date(start + spanMs).toISOString() };
      const next = nextWarningAt(short, warningsDue(short, start + later));
      expect(next === null || Date.parse(next) >= start + later).toBe(true);
    }),
  );
});
