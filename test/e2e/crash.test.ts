import { readdir, readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Target } from '../../scripts/crash/passages';
import { crashPlan, type CrashPlan, type Kill } from '../../scripts/crash/plan';
import { points, scenarios, type Scenario } from '../../scripts/crash/points';
import { recordTogether } from '../../scripts/crash/record';
import { runCrash, transpilePreload, type CrashReport } from '../../scripts/crash/run';
import type { SiteOptions } from '../../scripts/crash/site';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { closePageCounter } from '../../src/pdf/page-count';

const root = resolve(__dirname, '../..');
const at = (point: string, targets: Target[] = ['worker'], nth = 1): Kill => ({ at: { point, nth }, targets });

/** Runs that take their shape from a seed, and their kills from here. */
const scenes: { name: string; seed: number; scenario: Scenario; kills: Kill[] }[] = [
  {
    name: 'a worker between an upload and its answer, the server in mid-archive, the receiver before its signal, and all of them at once',
    seed: 8,
    scenario: 'signed',
    kills: [
      at('putObject sent', ['worker'], 3),
      at('write result.json placed'),
      at('getJobArtifact answered', ['server'], 5),
      at('signal before', ['receiver']),
      at('write manifest.jsonl staged', ['worker', 'receiver', 'server']),
    ],
  },
  {
    name: 'a worker whose job was just made, again while documents are sent anew, and at the very end',
    seed: 4,
    scenario: 'resend',
    kills: [at('createJob answered'), at('worker start', ['worker'], 2), at('activity resendDocuments done', ['worker', 'server']), at('remove work/* before')],
  },
];

const processes = new Processes();
const stop = new AbortController();
let folder: string;
let options: SiteOptions;
let running: Promise<unknown>[] = [];
let reports: Promise<CrashReport>[];
let recorded: Promise<CrashReport>;

/** Everything runs side by side: most of it is waiting. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crash-'));
  const [temporal, preload] = await Promise.all([findTemporalCli({ processes, print: () => undefined }), transpilePreload(join(folder, 'preload'))]);
  options = { processes, temporal: temporal.path, preload, folder };
  recorded = recordTogether(scenarios, { ...options, stop }, 'recorded');
  reports = scenes.map(({ seed, kills }, index) => runCrash(planOf(seed, kills), { ...options, folder: join(folder, String(index)) }, stop.signal));
  running = [recorded, ...reports];
  for (const run of running) run.catch(() => undefined); // told by the test that waits for it
});

afterAll(async () => {
  stop.abort(new Error('the test is over'));
  await Promise.allSettled(running);
  await Promise.all([processes.stop(), closePageCounter()]);
  await rm(folder, { recursive: true, force: true });
});

const planOf = (seed: number, kills: Kill[]): CrashPlan => ({ ...crashPlan(seed), kills, webhooks: true, workers: 'one', patient: false, rough: false, jobMs: 300 });

test.each(scenes.map((scene, index) => ({ ...scene, index })))('kill -9 of $name: nothing is lost, doubled or paid twice', async ({ index, kills, seed, scenario }) => {
  const report = await reports[index]!;
  expect(report.problems).toEqual([]);
  expect(report.kills).toEqual(kills);
  expect(crashPlan(seed).batches[0]!.scenario).toBe(scenario);
}, 300_000);

test('every remote call, store write, activity and webhook that passes is in the catalogue of crash points, and nothing else is', async () => {
  const { passed } = await recorded;
  // Starting over is what kills are for.
  expect([...passed.keys()].sort()).toEqual([...points]);
}, 300_000);

test('the built product knows of no crash point', async () => {
  const built = (await readdir(join(root, 'lib'), { recursive: true })).filter((path) => path.endsWith('.js'));
  const sources = (await readdir(join(root, 'src'), { recursive: true })).filter((path) => path.endsWith('.ts'));
  const files = [...built.map((path) => join(root, 'lib', path)), ...sources.map((path) => join(root, 'src', path))];
  expect(built.length).toBeGreaterThan(100);
  const knowing = await Promise.all(files.map(async (file) => (/crash_(folder|role|lib|quick)|scripts\/crash/i.test(await readFile(file, 'utf8')) ? [file] : [])));
  expect(knowing.flat()).toEqual([]);
});
