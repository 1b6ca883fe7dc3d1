import { mkdir } from 'node:fs/promises';
import type { BatchSummary } from '../../src/client';
import { brokenInvariants } from './invariants';
import { strikeAt } from './moment';
import { creditsPerPage, type CrashPlan, type Kill } from './plan';
import { Site, type SiteOptions } from './site';

/** How a run went. */
export interface CrashReport {
  seed: number;
  documents: number;
  jobs: number;
  /** Those of the plan that came to pass; the others' moments did not come. */
  kills: Kill[];
  /** Empty: all is well. */
  problems: string[];
  ms: number;
}

/** Longer than any number of kills takes: a worker that died is noticed after one minute, at most two. */
const limitMs = 20 * 60_000;

/**
 * One batch from its start to its end with every kill of the plan on its way, and a look at what that left. The folder is made and stays.
 * @throws the signal's reason, or why a process could not be started
 */
export async function runCrash(plan: CrashPlan, options: SiteOptions, signal: AbortSignal): Promise<CrashReport> {
  const startedAt = performance.now();
  await mkdir(options.folder, { recursive: true });
  const site = await Site.open(plan, options);
  const report = { seed: plan.seed, documents: plan.documents.length };
  try {
    const batchId = `crash-${plan.seed}`;
    const { summary, kills } = await runBatch(site, plan, batchId, AbortSignal.any([signal, AbortSignal.timeout(limitMs)]));
    const problems = await brokenInvariants(site, { plan, batchId, summary, kills });
    return { ...report, jobs: summary.jobs?.planned ?? 0, kills, problems, ms: performance.now() - startedAt };
  } finally {
    await site.close();
  }
}

async function runBatch(site: Site, plan: CrashPlan, batchId: string, signal: AbortSignal): Promise<{ summary: BatchSummary; kills: Kill[] }> {
  const over = new AbortController();
  const calledOff = AbortSignal.any([signal, over.signal]);
  const striking = strikeAll(site, plan.kills, calledOff);
  try {
    const { maxFiles, maxConcurrentJobs, upload } = plan;
    const classify = Object.keys(creditsPerPage).map((folder) => ({ glob: `${folder}/**`, classification: folder === 'drawings' ? ('plans' as const) : ('specifications' as const) }));
    await site.batches.start({ project: 'Quickstart', source: { folder: site.source }, classify, limits: { maxFiles }, maxConcurrentJobs, upload }, { id: batchId });
    const summary = await Promise.race([site.batches.wait(batchId, { signal }), site.failure, neverUnlessItFails(striking)]);
    over.abort();
    return { summary, kills: await striking };
  } finally {
    over.abort();
    await striking.catch(() => undefined);
  }
}

/** Starts the worker and kills what the plan says, one after the other; answers with those whose moment came. */
async function strikeAll(site: Site, kills: Kill[], calledOff: AbortSignal): Promise<Kill[]> {
  const struck: Kill[] = [];
  const lookOutFor = (kill: Kill | undefined): Promise<boolean> => (kill ? strikeAt(kill.at, site, () => site.kill(kill.target), calledOff) : Promise.resolve(false));
  let next = lookOutFor(kills[0]);
  await site.startWorker();
  for (const [index, kill] of kills.entries()) {
    if (!(await next)) break;
    struck.push(kill);
    // Before anything runs again that could bring its moment.
    next = lookOutFor(kills[index + 1]);
    await site.revive(kill.target);
  }
  return struck;
}

const neverUnlessItFails = (work: Promise<unknown>): Promise<never> => new Promise((_, reject) => void work.catch(reject));
