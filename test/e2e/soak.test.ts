import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { SoakReport } from '../../scripts/soak/report';
import type { Sample } from '../../scripts/soak/samples';

const root = resolve(__dirname, '../..');

test('a soak that is ended by Ctrl-C waits for what it started, and reports that nothing was lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'soak-'));
  const json = join(folder, 'report.json');
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'scripts/soak.ts'), '--minutes', '10', '--pace', '0', '--open', '2', '--folder', join(folder, 'data'), '--json', json], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    // A second Ctrl-C would end it at once.
    if (/ min /.test(line) && lines.filter((one) => / min /.test(one)).length === 1) child.kill('SIGINT');
  });
  const code = await new Promise((ended) => child.once('exit', ended));
  const report = JSON.parse(await readFile(json, 'utf8')) as SoakReport;
  expect(report).toMatchObject({ interrupted: true, findings: [] });
  expect(code).toBe(130);
  expect(report.batches.started).toBeGreaterThan(0);
  expect(report.batches.ended).toBe(report.batches.started);
  expect(lines).toContain('Nothing was lost, doubled or paid twice.');
  const samples = (await readFile(join(folder, 'data/samples.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Sample);
  expect(Object.keys(samples[0]!.processes).sort()).toEqual(['receiver', 'simulator', 'temporal', 'worker', 'worker-2']);
  await rm(folder, { recursive: true });
});
