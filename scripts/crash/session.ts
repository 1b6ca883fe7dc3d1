import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crashPlan, killText, type CrashPlan } from './plan';
import { runCrash, type CrashReport } from './run';
import type { SiteOptions } from './site';
import { summaryOf } from './sum';

/** Which runs are asked for. */
export interface Request {
  /** The first seed. */
  seed: number;
  runs: number;
  parallel: number;
  keepGoing: boolean;
  /** No run waits until Temporal itself finds out that a worker is dead. */
  quick: boolean;
  /** Kills here, whatever the seeds say. */
  point: string | null;
  /** A file that gets a line for each run. */
  json: string | null;
}

/** What all runs have in common. */
export interface Session extends Request, SiteOptions {
  /** Ends all runs. */
  stop: AbortController;
  print: (line: string) => void;
}

/** A seed and how its run went; no report when it did not come to its end. */
interface Outcome {
  plan: CrashPlan;
  report: CrashReport | null;
  problems: string[];
}

/** Runs seed after seed, several at the same time. Answers with the exit code. */
export async function runSeeds(session: Session): Promise<number> {
  const seeds = Array.from({ length: session.runs }, (_, index) => session.seed + index);
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined && !session.stop.signal.aborted; seed = seeds.shift()) {
      const outcome = await runSeed(seed, session);
      if (outcome === null) return;
      outcomes.push(outcome);
      session.print(line(outcome));
      if (session.json) await appendFile(session.json, `${JSON.stringify(jsonLine(outcome))}\n`);
      if (outcome.problems.length > 0 && !session.keepGoing) session.stop.abort(new Error('another run failed'));
    }
  };
  await Promise.all(Array.from({ length: Math.min(session.parallel, session.runs) }, lane));
  return conclude(outcomes, session);
}

/** Null: the run was stopped. */
async function runSeed(seed: number, { processes, temporal, preload, folder, stop: { signal }, point, quick }: Session): Promise<Outcome | null> {
  const planned = crashPlan(seed, point);
  const plan = quick ? { ...planned, patient: false } : planned;
  const own = join(folder, String(seed));
  try {
    const report = await runCrash(plan, { processes, temporal, preload, folder: own }, signal);
    if (report.problems.length === 0) await rm(own, { recursive: true, force: true });
    return { plan, report, problems: report.problems };
  } catch (error) {
    if (!signal.aborted) return { plan, report: null, problems: [(error as Error).message] };
    await rm(own, { recursive: true, force: true });
    return null;
  }
}

const scenariosOf = ({ batches }: CrashPlan): string => batches.map(({ scenario }) => scenario).join(', ');

function line({ plan, report, problems }: Outcome): string {
  const [batch] = plan.batches;
  const shape = `${scenariosOf(plan)}: ${batch!.documents.length} documents, ${batch!.maxConcurrentJobs} jobs at a time, ${plan.workers} workers${plan.webhooks ? ', webhooks' : ''}${plan.patient ? ', patient' : ''}${plan.rough ? ', rough' : ''}`;
  const result = problems.length === 0 ? 'ok    ' : 'FAILED';
  const time = report ? `, ${Math.round(report.ms / 1000)} s` : '';
  const kills = report?.kills.map(killText).join('; ') || 'none';
  const missed = report?.missed.length ? ` (did not come: ${report.missed.map(killText).join('; ')})` : '';
  return `seed ${String(plan.seed).padEnd(5)}${result} ${shape}${time}; kills: ${kills}${missed}${problems.map((problem) => `\n    ${problem}`).join('')}`;
}

function jsonLine({ plan, report, problems }: Outcome): object {
  const { seed, workers, webhooks, patient, rough } = plan;
  return { seed, scenario: scenariosOf(plan), workers, webhooks, patient, rough, ms: report && Math.round(report.ms), kills: report?.kills ?? [], missed: report?.missed ?? plan.kills, problems };
}

function conclude(outcomes: Outcome[], { seed, runs, point, folder, print }: Session): number {
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  print(`From seed ${seed} on, of ${runs} runs that were asked for:`);
  for (const text of summaryOf(outcomes.map(({ report, problems }) => ({ kills: report?.kills ?? [], problems })))) print(text);
  for (const { plan } of failed) {
    print(`again: npm run crash -- --seed ${plan.seed}${point === null ? '' : ` --point "${point}"`}; what it left: ${join(folder, String(plan.seed))}`);
  }
  return failed.length > 0 ? 1 : 0;
}
