import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlangrepClient } from '../../src/plangrep/client';

const page = readFileSync(join(__dirname, '../../docs/plangrep-api.md'), 'utf8');
const tests = readFileSync(join(__dirname, 'open-points.test.ts'), 'utf8');
const cells = (line: string): string[] => line.split('|').slice(1, -1).map((cell) => cell.trim());
const rows = page.split('\n').filter((line) => /^\| U\d+ /.test(line)).map(cells);

test('the table of open points is whole', () => {
  expect(rows.map(([id]) => id)).toEqual(Array.from({ length: 37 }, (_, index) => `U${index + 1}`));
  expect(rows.filter((row) => row.length !== 5 || row.includes(''))).toEqual([]);
});

test('each open point that the client settles has a test of its name, and no other has', () => {
  const settled = rows.filter(([, , , keptIn]) => keptIn!.includes('plangrep')).map(([id]) => id);
  const tested = new Set([...tests.matchAll(/'(U\d+): /g)].map(([, id]) => id));
  expect(tested).toEqual(new Set(settled));
});

test('each call in the table of routes is a method of the client', () => {
  const calls = [...page.matchAll(/^\| `(\w+)` \| (?:GET|POST|PUT) /gm)].map(([, name]) => name);
  const methods = ['createJob', 'createProject', 'cancelJob', 'completeUploads', 'getArtifact', 'getJob', 'getProject', 'getResult', 'listJobs', 'listProjects', 'putSigned', 'registerUploads', 'resumeJob', 'uploadFiles'];
  expect(new Set(calls)).toEqual(new Set(methods));
  expect(calls).toHaveLength(methods.length);
  expect(methods.filter((name) => !(name in PlangrepClient.prototype))).toEqual([]);
});
