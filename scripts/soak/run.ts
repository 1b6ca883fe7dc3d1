import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { steadyFaults } from './faults';
import { Family, type SoakContext } from './family';
import { longHistories, openWorkflows, surveyHistories } from './histories';
import { Tally } from './ledger';
import { Operator } from './operator';
import { familyPlan } from './plan';
import { coursesOf, cpuOf, faultsOf, growth, tallied, type SoakReport } from './report';
import { Sampler } from './samples';
import { SoakSite, type SoakSiteOptions } from './site';

/** How a soak is run. */
export interface SoakOptions extends SoakSiteOptions {
  seed: number;
  /** Time in which batches start; they are waited for after it. */
  minutes: number;
  /** Families of batches at the same time. */
  open: number;
  /** Minutes between two restarts of the second worker; 0: none. */
  restartMinutes: number;
  /** Multiplies the pauses between starts. */
  pace: number;
  /** The samples' file. */
  samples: string;
  /** Aborted by whoever wants no more: nothing more starts, and what runs is waited for. */
  interrupted: AbortSignal;
}

const [sampleMs, progressMs] = [15_000, 60_000];
/** How long a batch may take; at the end a probe of the gate may be all that it waits for. */
const batchLimitMs = 40 * 60_000;

/** Runs batches over real processes for a while, and looks whether all went well. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const site = await SoakSite.open(options);
  const tally = new Tally();
  const operator = new Operator(site);
  const sampler = new Sampler({ watched: () => site.watched(), database: site.database, batches: () => ({ openBatches: tally.open, endedBatches: tally.ended }) }, options.samples);
  const over = new AbortController();
  const context: SoakContext = { site, operator, tally, seed: options.seed, batchLimitMs, signal: over.signal };
  const beside = [sampling(sampler, tally, options, over.signal), restarting(site, options, over.signal)];
  const failure = Promise.race([site.failure, ...beside.map((one) => one.then(() => new Promise<never>(() => undefined)))]);
  try {
    await Promise.race([failure, startingAndEnding(context, options)]).catch((error: Error) => tally.finds([`the soak broke off: ${error.stack ?? error.message}`]));
    await sampler.take();
    return await concluded({ site, operator, tally, sampler }, options);
  } finally {
    over.abort();
    await Promise.allSettled(beside);
    await site.close();
  }
}

async function startingAndEnding(context: SoakContext, options: SoakOptions): Promise<void> {
  const { site, operator, tally } = context;
  await site.addFaults(steadyFaults);
  const stopping = new AbortController();
  const stop = stopping.signal;
  // It may have come while everything was started.
  if (options.interrupted.aborted) stopping.abort();
  options.interrupted.addEventListener('abort', () => stopping.abort());
  const ending = setTimeout(() => stopping.abort(), options.minutes * 60_000);
  const credits = operator.keepCredits(options.seed, stop);
  const running = new Set<Promise<void>>();
  for (let number = 1; !stop.aborted; number++) {
    const plan = familyPlan(options.seed, number);
    const family = new Family(context, plan).run().catch((error: Error) => tally.finds([`family ${number} (${plan.source}): ${error.stack ?? error.message}`]));
    running.add(family);
    void family.then(() => running.delete(family));
    await pause(plan.pauseMs * options.pace, undefined, { signal: stop }).catch(() => undefined);
    if (running.size >= options.open && !stop.aborted) await Promise.race(running);
  }
  clearTimeout(ending);
  options.print(`No more starts; ${tally.open} batches are waited for`);
  await Promise.all([credits, ...running]);
}

async function sampling(sampler: Sampler, tally: Tally, { print }: SoakOptions, signal: AbortSignal): Promise<void> {
  for (let ms = 0; !signal.aborted; ms += sampleMs) {
    const { minutes, processes, databaseBytes } = await sampler.take();
    if (ms % progressMs === 0) {
      const memory = Object.entries(processes).map(([name, { rss, descriptors }]) => `${name} ${Math.round(rss / 2 ** 20)} MiB ${descriptors} fds`);
      print(`${minutes.toFixed(0).padStart(4)} min  ${tally.ended} batches ended, ${tally.open} open, ${tally.documents} documents, ${tally.findings.length} findings; ${memory.join(', ')}; database ${Math.round(databaseBytes / 1e6)} MB`);
    }
    await pause(sampleMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Every second time the second worker gets no time to drain. */
async function restarting(site: SoakSite, { restartMinutes, print }: SoakOptions, signal: AbortSignal): Promise<void> {
  if (restartMinutes === 0) return;
  for (let number = 1; ; number++) {
    await pause(restartMinutes * 60_000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const how = number % 2 === 0 ? 'killed' : 'drained';
    await site.restartSecond(how);
    print(`The second worker was ${how} and started again`);
  }
}

interface Parts {
  site: SoakSite;
  operator: Operator;
  tally: Tally;
  sampler: Sampler;
}

async function concluded({ site, operator, tally, sampler }: Parts, options: SoakOptions): Promise<SoakReport> {
  const courses = coursesOf(sampler.samples);
  tally.finds([...growth(courses), ...(tally.open > 0 ? [`${tally.open} batches were started and did not end`] : [])]);
  const histories = await surveyHistories(site.client).catch((error: Error) => (tally.finds([`histories could not be read: ${error.message}`]), {}));
  tally.finds([...longHistories(histories), ...(await leftOver(site))]);
  const counters = await site.counters().catch(() => ({ requests: {}, webhooks: { delivered: 0, failed: 0, dropped: 0 } }));
  const logged = Object.fromEntries([...sampler.tails].map(([name, { errors, lastError }]) => [name, { errors, last: lastError }]));
  return {
    seed: options.seed,
    minutes: sampler.minutes,
    interrupted: options.interrupted.aborted,
    ...tallied(tally),
    faults: faultsOf(counters),
    webhooks: counters.webhooks,
    operator: { gatesOpened: operator.opened, creditOutages: operator.outages, unanswered: operator.unanswered },
    restarts: site.restarts,
    courses,
    cpu: cpuOf(sampler.samples),
    databaseBytes: sampler.samples.at(-1)?.databaseBytes ?? 0,
    histories,
    logged,
    findings: tally.findings,
  };
}

/** Temporary files whose writer was killed are taken away by the next one who writes in that folder; there may be a few until then. */
async function leftOver(site: SoakSite): Promise<string[]> {
  try {
    const open = await closedIn(site, 30);
    const files = [...(await site.filesBelow('work')), ...(await site.filesBelow('ledger')).filter((path) => site.restarts.killed === 0 && /\/\.tmp-/.test(path))];
    return [...open.map((id) => `workflow ${id} is still open`), ...files.map((path) => `${join(site.archive, path)} was left behind`)];
  } catch (error) {
    return [`what was left could not be looked at: ${(error as Error).message}`];
  }
}

/** Temporal lists an end about a second after it came. */
async function closedIn(site: SoakSite, looks: number): Promise<string[]> {
  const open = await openWorkflows(site.client);
  if (open.length === 0 || looks === 0) return open;
  await pause(1_000);
  return closedIn(site, looks - 1);
}
