import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BatchSummary } from '../../src/client';
import type { FaultOptions } from '../../src/simulator/faults';
import { transpile } from '../../test/support/transpiled';
import { runBatch } from './batches';
import { brokenInvariants } from './invariants';
import type { BatchPlan, CrashPlan, Kill } from './plan';
import { Site, type SiteOptions } from './site';

/** How a run went. */
export interface CrashReport {
  seed: number;
  /** Kills of the plan that came to pass; the others' moments did not come. */
  kills: Kill[];
  missed: Kill[];
  /** How often each point was passed. */
  passed: Map<string, number>;
  /** Empty: all is well. */
  problems: string[];
  ms: number;
}

/** Longer than any number of kills takes on a busy machine; with patience each costs a minute, at most two. */
const limitMs = { quick: 15 * 60_000, patient: 30 * 60_000 };

/** Writes what the killed processes are preloaded with as JavaScript, once for all runs; answers with its path. */
export async function transpilePreload(folder: string): Promise<string> {
  await mkdir(join(folder, 'crash'), { recursive: true });
  await transpile(['crash/preload', 'crash/passages', 'crash/names'], folder);
  return join(folder, 'crash/preload.js');
}

/**
 * The batches of a plan from their start to their end with every kill on their way, and a look at what that left. The folder is made and stays.
 * @throws the signal's reason, or why a process could not be started
 */
export async function runCrash(plan: CrashPlan, options: SiteOptions, signal: AbortSignal): Promise<CrashReport> {
  const startedAt = performance.now();
  await mkdir(options.folder, { recursive: true });
  await writeFile(join(options.folder, 'plan.json'), JSON.stringify(plan, null, 2));
  const site = await Site.open(plan, options);
  const over = new AbortController();
  try {
    const limit = plan.patient ? limitMs.patient : limitMs.quick;
    const problems = await toTheEnd(site, plan, AbortSignal.any([signal, over.signal, AbortSignal.timeout(limit)])).catch((error: Error) => {
      if (signal.aborted) throw error;
      return [error.name === 'TimeoutError' ? `the run was not over after ${limit / 60_000} minutes` : `the run broke off: ${error.stack ?? error.message}`];
    });
    const struck = await site.struck();
    const [kills, missed] = [true, false].map((came) => plan.kills.filter((_, id) => struck[id] === came)) as [Kill[], Kill[]];
    return { seed: plan.seed, kills, missed, passed: await site.passed(), problems, ms: performance.now() - startedAt };
  } finally {
    over.abort(new Error('the run is over'));
    await site.close();
  }
}

/** Of every twenty requests one is refused and one loses its answer. */
const roughFaults: FaultOptions[] = [
  { kind: 'request', status: 503, rate: 0.05, times: 0 },
  { kind: 'request', drop: 'after', rate: 0.05, times: 0 },
];

async function toTheEnd(site: Site, plan: CrashPlan, signal: AbortSignal): Promise<string[]> {
  if (plan.rough) await site.control('faults', { faults: roughFaults });
  await site.startWorkers();
  const timed = strikeInTime(site, plan.kills, signal);
  timed.catch(() => undefined);
  const running = runAll(site, plan.batches, signal);
  running.catch(() => undefined);
  const ended = await Promise.race([running, site.failure]);
  const problems: string[] = [];
  for (const { batch, summaries } of ended) problems.push(...(await brokenInvariants(site, { plan, batch, summaries })));
  return problems;
}

/** All at the same time, but one that lacks credits comes first: credits are the account's, so the others would lack them as well. */
async function runAll(site: Site, batches: BatchPlan[], signal: AbortSignal): Promise<{ batch: BatchPlan; summaries: BatchSummary[] }[]> {
  const run = (some: BatchPlan[]): Promise<{ batch: BatchPlan; summaries: BatchSummary[] }[]> =>
    Promise.all(some.map(async (batch) => ({ batch, summaries: await runBatch(site, batch, signal) })));
  const poor = await run(batches.filter(({ scenario }) => scenario === 'credits'));
  return [...poor, ...(await run(batches.filter(({ scenario }) => scenario !== 'credits')))];
}

/** Kills that wait for no point. */
async function strikeInTime(site: Site, kills: Kill[], signal: AbortSignal): Promise<void> {
  const strikes = kills.map(async ({ at, targets }, id) => {
    if (!('afterMs' in at)) return;
    await pause(at.afterMs, null, { signal });
    // Whoever is being started again is waited for.
    while (!site.strike(id, targets)) await pause(50, null, { signal });
  });
  await Promise.all(strikes);
}
