import { mkdtemp, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closePageCounter } from '../src/pdf/page-count';
import { crashPlan, momentText, type CrashPlan, type Kill } from './crash/plan';
import { runCrash, type CrashReport } from './crash/run';
import { cli } from './local-stack';
import { interruption, Processes } from './processes';
import { findTemporalCli } from './temporal-binaries';

const help = `Usage: npm run crash -- [--seed N] [--runs M] [--parallel P] [--keep-going]

Runs batches over real processes, kills workers and now and then the Temporal server with -9 at moments that follow
from a seed, starts them again, and checks from outside that nothing was lost, doubled or paid twice.

  --seed N       the first seed. Default 1
  --runs M       so many seeds from there on. Default 1
  --parallel P   runs at the same time: each mostly waits until Temporal notices that a worker died. Default 4
  --keep-going   goes on after a run that failed

Exits with 1 when a run failed. It needs lib/, which "npm run build" makes.
`;

/** What the command line asks for. */
interface Request {
  seed: number;
  runs: number;
  parallel: number;
  keepGoing: boolean;
}

/** What all runs have in common. */
interface Session extends Request {
  processes: Processes;
  temporal: string;
  folder: string;
  /** Ends all runs. */
  stop: AbortController;
}

/** A seed and how its run went; null when it did not come to its end. */
interface Outcome {
  plan: CrashPlan;
  report: CrashReport | null;
  problems: string[];
}

const print = (line: string): void => console.log(line);

function parse(args: string[]): Request | null {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string' }, runs: { type: 'string' }, parallel: { type: 'string' }, 'keep-going': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return null;
  const number = (name: 'seed' | 'runs' | 'parallel', otherwise: number, least: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} takes a whole number from ${least} on`);
    return value;
  };
  return { seed: number('seed', 1, 0), runs: number('runs', 1, 1), parallel: number('parallel', 4, 1), keepGoing: values['keep-going'] ?? false };
}

async function main(args: string[]): Promise<number> {
  const request = parse(args);
  if (!request) {
    process.stdout.write(help);
    return 0;
  }
  if (!(await stat(cli).catch(() => null))) throw new Error('there is no lib/: run "npm run build" first');
  const processes = new Processes();
  const interrupted = interruption(processes);
  const stop = new AbortController();
  interrupted.addEventListener('abort', () => stop.abort(new Error('interrupted')));
  const folder = await mkdtemp(join(tmpdir(), 'plangrep-crash-'));
  try {
    const { path: temporal } = await findTemporalCli({ processes, print });
    const outcomes = await runAll({ ...request, processes, temporal, folder, stop });
    if (interrupted.aborted) return interrupted.reason as number;
    return conclude(outcomes, request, folder);
  } finally {
    await Promise.all([processes.stop(), closePageCounter()]);
    // What a failed run left is evidence.
    await rmdir(folder).catch(() => undefined);
    if (interrupted.aborted) await rm(folder, { recursive: true, force: true });
  }
}

async function runAll(session: Session): Promise<Outcome[]> {
  const seeds = Array.from({ length: session.runs }, (_, index) => session.seed + index);
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined && !session.stop.signal.aborted; seed = seeds.shift()) {
      const outcome = await runSeed(seed, session);
      if (outcome === null) return;
      outcomes.push(outcome);
      print(line(outcome));
      if (outcome.problems.length > 0 && !session.keepGoing) session.stop.abort(new Error('another run failed'));
    }
  };
  await Promise.all(Array.from({ length: Math.min(session.parallel, session.runs) }, lane));
  return outcomes;
}

/** Null: the run was stopped. */
async function runSeed(seed: number, { processes, temporal, folder, stop: { signal } }: Session): Promise<Outcome | null> {
  const plan = crashPlan(seed);
  const own = join(folder, String(seed));
  try {
    const report = await runCrash(plan, { processes, temporal, folder: own }, signal);
    if (report.problems.length === 0) await rm(own, { recursive: true, force: true });
    return { plan, report, problems: report.problems };
  } catch (error) {
    if (!signal.aborted) return { plan, report: null, problems: [(error as Error).message] };
    await rm(own, { recursive: true, force: true });
    return null;
  }
}

const killText = ({ target, at }: Kill): string => `${target} at ${momentText(at)}`;

function line({ plan, report, problems }: Outcome): string {
  const kills = report?.kills ?? plan.kills;
  const missed = plan.kills.length - kills.length;
  const shape = `${plan.documents.length} documents by ${plan.upload}${report ? ` in ${report.jobs} jobs` : ''}, ${plan.maxConcurrentJobs} at a time`;
  const result = problems.length === 0 ? 'ok    ' : 'FAILED';
  const time = report ? `, ${Math.round(report.ms / 1000)} s` : '';
  const text = kills.map(killText).join('; ') || 'none';
  return `seed ${String(plan.seed).padEnd(5)}${result} ${shape}${time}; kills: ${text}${missed > 0 ? ` (${missed} did not come)` : ''}${problems.map((problem) => `\n    ${problem}`).join('')}`;
}

function conclude(outcomes: Outcome[], { seed, runs }: Request, folder: string): number {
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  const kills = outcomes.reduce((sum, { report }) => sum + (report?.kills.length ?? 0), 0);
  print(`${outcomes.length} of ${runs} runs from seed ${seed} on, ${kills} kills, ${failed.length} failed`);
  for (const { plan } of failed) print(`again: npm run crash -- --seed ${plan.seed}; what it left: ${join(folder, String(plan.seed))}`);
  return failed.length > 0 ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  },
);
