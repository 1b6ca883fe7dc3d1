import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import { planDocuments } from '../../../src/activities/plan';
import { batchInputSchema, type Source } from '../../../src/contract/batch';
import { closeHashing } from '../../../src/hashing';
import { answer, measure, type Measured } from './measure';

/** Sources to plan one after another. */
export interface PlanRequest {
  sources: Source[];
}

/** What a plan says, and what it asked the file system. */
export interface PlanAnswer {
  lines: number;
  rejected: number;
  duplicates: number;
  jobs: number;
  lowerBound: number;
  /** Calls that say something about one path: `lstat`, `stat`, `access` and `realpath`. */
  looks: number;
  /** Documents opened: neither the list itself nor folders, which are read by their handles. */
  opened: number;
}

const calls = { looks: 0, opened: 0 };

/** Counts calls of a function of Node's file system, which all modules call through the same object. */
function countCalls(name: 'lstat' | 'stat' | 'access' | 'realpath' | 'open', as: keyof typeof calls, counts = (_args: unknown[]): boolean => true): void {
  const original = fs[name] as (...args: unknown[]) => unknown;
  const counting = (...args: unknown[]): unknown => {
    if (counts(args)) calls[as] += 1;
    return original(...args);
  };
  Object.assign(fs, { [name]: counting });
}

async function planSource(source: Source): Promise<PlanAnswer> {
  const before = { ...calls };
  let lines = 0;
  const { rejected, duplicates, jobs, lowerBoundJobs } = await planDocuments(batchInputSchema.parse({ project: 'bench', source }), { sink: () => void (lines += 1) });
  const lists = 'list' in source ? 1 : 0;
  return { lines, rejected, duplicates, jobs: jobs.length, lowerBound: lowerBoundJobs, looks: calls.looks - before.looks, opened: calls.opened - before.opened - lists };
}

answer<PlanRequest, Measured<PlanAnswer>[]>(async ({ sources }) => {
  for (const name of ['lstat', 'stat', 'access', 'realpath'] as const) countCalls(name, 'looks');
  countCalls('open', 'opened', ([, flags]) => typeof flags !== 'number' || (flags & constants.O_DIRECTORY) === 0);
  const measured: Measured<PlanAnswer>[] = [];
  for (const source of sources) measured.push(await measure(() => planSource(source)));
  await closeHashing();
  return measured;
});
