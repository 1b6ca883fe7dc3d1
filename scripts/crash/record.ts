import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { recordedPlan } from './plan';
import type { Passed, Scenario } from './points';
import { runCrash, type CrashReport } from './run';
import type { SiteOptions } from './site';

/** A session that records. */
export interface Recording extends SiteOptions {
  stop: AbortController;
}

/** Runs each of the scenarios by itself, without a kill, and answers how often it passes which point. @throws Error when one of them fails */
export async function record(scenarios: readonly Scenario[], recording: Recording): Promise<Record<string, Passed>> {
  const recorded: Record<string, Passed> = {};
  for (const scenario of scenarios) {
    const { passed } = await recordTogether([scenario], recording, scenario);
    for (const [point, times] of passed) recorded[point] = { ...recorded[point], [scenario]: times };
  }
  return Object.fromEntries(Object.entries(recorded).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Runs scenarios side by side, without a kill; leaves nothing when all is well. @throws Error when one of them fails */
export async function recordTogether(scenarios: readonly Scenario[], { stop, ...options }: Recording, name: string): Promise<CrashReport> {
  const folder = join(options.folder, name);
  await mkdir(folder, { recursive: true });
  const report = await runCrash(recordedPlan(scenarios), { ...options, folder }, stop.signal);
  if (report.problems.length > 0) throw new Error(`The run without a kill failed; it left ${folder}:\n  ${report.problems.join('\n  ')}`);
  await rm(folder, { recursive: true, force: true });
  return report;
}
