import fc from 'fast-check';
import { parseRetryAfter } from '../../src/plangrep/retry-after';

const now = Date.parse('1994-11-06T08:49:00Z');
const day = 24 * 3600;

test.each<[string | string[] | undefined, number | null]>([
  ['0', 0],
  ['5', 5000],
  [' 5 ', 5000],
  ['1.5', 1500],
  [['7', '9'], 7000],
  [String(day), day * 1000],
  [String(day + 1), null],
  ['-1', null],
  ['99999999999999999999', null],
  ['1e3', null],
  ['0x10', null],
  ['Infinity', null],
  ['NaN', null],
  ['', null],
  [undefined, null],
  [[], null],
  ['5 seconds', null],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Sun, 06 Nov 1994 08:48:59 GMT', null],
  ['Mon, 07 Nov 1994 08:49:01 GMT', null],
  ['1994-11-06T08:49:37Z', null],
  ['2', 2000],
  ['Sun, 99 Nov 1994 08:49:37 GMT', null],
])('%j', (header, delayMs) => {
  expect(parseRetryAfter(header, now)).toBe(delayMs);
});

test.each<[string, string | string[] | undefined, number | null]>([
  ['is hours behind ours', 'Sun, 06 Nov 1994 03:49:00 GMT', 5 * 3600 * 1000 + 37_000],
  ['is hours ahead of ours', 'Sun, 06 Nov 1994 08:49:07 GMT', 30_000],
  ['is not told', undefined, 37_000],
  ['is told in no way that counts', 'soon', 37_000],
  ['is told twice', ['Sun, 06 Nov 1994 08:49:36 GMT', 'x'], 1_000],
])('a date counts by the clock of whoever gave it, which %s', (_what, date, delayMs) => {
  expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', now, date)).toBe(delayMs);
});

test('whatever comes, the delay is between nothing and a day', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.date({ noInvalidDate: true }).map((date) => date.toUTCString())), (header) => {
      const delayMs = parseRetryAfter(header, now);
      expect(delayMs === null || (delayMs >= 0 && delayMs <= day * 1000)).toBe(true);
    }),
  );
});
