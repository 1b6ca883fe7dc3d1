import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashPlan, type Kill } from '../../scripts/crash/plan';
import { runCrash, type CrashReport } from '../../scripts/crash/run';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { closePageCounter } from '../../src/pdf/page-count';

/** A worker is noticed to be dead when its heartbeat times out, which takes a minute: the runs wait side by side. */
jest.setTimeout(300_000);

const scenes: { name: string; seed: number; kills: Kill[] }[] = [
  { name: 'a worker in mid-upload', seed: 2, kills: [{ target: 'worker', at: { on: 'request', operation: 'putObject', nth: 5, phase: 'done' } }] },
  { name: 'a worker in mid-archive', seed: 5, kills: [{ target: 'worker', at: { on: 'request', operation: 'getJobArtifact', nth: 6, phase: 'arrived' } }] },
  {
    name: 'the Temporal server in mid-upload and again in mid-archive',
    seed: 3,
    kills: [
      { target: 'temporal', at: { on: 'request', operation: 'putObject', nth: 3, phase: 'answered' } },
      { target: 'temporal', at: { on: 'request', operation: 'getJobArtifact', nth: 4, phase: 'answered' } },
    ],
  },
];

describe('kill -9 of', () => {
  const processes = new Processes();
  const stop = new AbortController();
  let folder: string;
  let reports: Map<string, Promise<CrashReport>>;

  beforeAll(async () => {
    const [found, made] = await Promise.all([findTemporalCli({ processes, print: () => undefined }), mkdtemp(join(tmpdir(), 'crash-'))]);
    folder = made;
    const run = ({ seed, kills }: (typeof scenes)[number]) =>
      runCrash({ ...crashPlan(seed), kills }, { processes, temporal: found.path, folder: join(folder, String(seed)) }, stop.signal);
    reports = new Map(scenes.map((scene) => [scene.name, run(scene)]));
    for (const report of reports.values()) report.catch(() => undefined); // told by the test that waits for it
  });
  afterAll(async () => {
    stop.abort();
    await Promise.allSettled(reports?.values() ?? []);
    await Promise.all([processes.stop(), closePageCounter()]);
    await rm(folder, { recursive: true, force: true });
  });

  test.each(scenes)('$name: one remote job per planned job, nothing paid twice, a clean verify', async ({ name, kills }) => {
    const report = await reports.get(name)!;
    expect(report.problems).toEqual([]);
    expect(report.kills).toEqual(kills);
    expect(report.jobs).toBeGreaterThan(1);
  });
});
