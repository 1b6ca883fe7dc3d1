import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve(__dirname, '../../docs');
const rows = readFileSync(join(folder, 'reliability.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|[-|]+\|$|^\| fault \|/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()))
  .filter((cells) => cells.length === 4);

/** Tests that a cell names: a link to the file, and part of a title in quotes. */
const named = (cell: string): { path: string; title: string }[] => [...cell.matchAll(/\]\((\.\.\/test\/[^)]+)\) "([^"]+)"/g)].map(([, path, title]) => ({ path: path!, title: title! }));

it('docs/reliability.md has a row for each fault', () => {
  expect(rows.length).toBeGreaterThan(90);
});

it.each(rows.map(([fault, , , test]) => [fault!, test!]))('%s: the test that the row names is there', (_fault, cell) => {
  const tests = named(cell);
  // What is named otherwise is a command beside a test, or one that takes hours.
  expect(tests.length > 0 || /`npm run \w+`/.test(cell)).toBe(true);
  const missing = tests.filter(({ path, title }) => !existsSync(join(folder, path)) || !readFileSync(join(folder, path), 'utf8').includes(title));
  expect(missing).toEqual([]);
});
