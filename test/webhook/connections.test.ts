import { affordable } from '../../src/webhook/connections';

test.each([
  ['Max open files            256                  256                  files', 192],
  ['Max open files            1048576              1048576              files', 1_000],
  ['Max open files            unlimited            unlimited            files', 1_000],
  ['Max open files            10                   10                   files', 1],
  ['', 1_000],
])('with "%s" so many connections are taken: %s', (line, connections) => {
  expect(affordable(1_000, () => `Limit                     Soft Limit           Hard Limit           Units\nMax processes             256                  256\n${line}\n`)).toBe(connections);
});

test('where nobody tells, as many as are wanted', () => {
  const nobody = (): string => {
    throw new Error('ENOENT');
  };
  expect(affordable(1_000, nobody)).toBe(1_000);
});
