import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { SoakReport } from '../../scripts/soak/report';
import type { Sample } from '../../scripts/soak/samples';

const root = resolve(__dirname, '../..');

let folder: string;
let soak: ChildProcess;
let ended: Promise<unknown>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'soak-'));
});

afterEach(async () => {
  // One that did not end by itself ends at once when Ctrl-C is pressed twice.
  for (; soak.exitCode === null && soak.signalCode === null; await Promise.race([ended, delay(1_000)])) soak.kill('SIGINT');
  await rm(folder, { recursive: true, force: true });
});

/** Starts a soak of ten minutes and presses Ctrl-C as soon as there is a cue. */
async function interruptedSoak(cue: (lines: string[]) => boolean): Promise<{ code: unknown; lines: string[]; report: SoakReport }> {
  const json = join(folder, 'report.json');
  soak = spawn(process.execPath, ['--import', 'tsx', join(root, 'scripts/soak.ts'), '--minutes', '10', '--pace', '0', '--open', '2', '--folder', join(folder, 'data'), '--json', json], { stdio: ['ignore', 'pipe', 'inherit'] });
  ended = new Promise((resolved) => soak.once('exit', resolved));
  const lines: string[] = [];
  createInterface({ input: soak.stdout! }).on('line', (line) => lines.push(line));
  while (!cue(lines) && soak.exitCode === null) await delay(50);
  soak.kill('SIGINT');
  return { code: await ended, lines, report: JSON.parse(await readFile(json, 'utf8')) as SoakReport };
}

test('a soak that is ended by Ctrl-C waits for what it started, and reports that nothing was lost', async () => {
  const { code, lines, report } = await interruptedSoak(() => existsSync(join(folder, 'data/archive/batches')));
  expect(report).toMatchObject({ interrupted: true, findings: [] });
  expect(code).toBe(130);
  expect(report.batches.started).toBeGreaterThan(0);
  expect(report.batches.ended).toBe(report.batches.started);
  expect(lines).toContain('Nothing was lost, doubled or paid twice.');
  const samples = (await readFile(join(folder, 'data/samples.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Sample);
  expect(Object.keys(samples[0]!.processes).sort()).toEqual(['receiver', 'simulator', 'temporal', 'worker', 'worker-2']);
});

test('Ctrl-C while everything is being started is heard as well', async () => {
  const { code, report } = await interruptedSoak((lines) => lines.some((line) => line.startsWith('Everything is in ')));
  expect(code).toBe(130);
  expect(report).toMatchObject({ interrupted: true, findings: [], batches: { started: 0 } });
});
