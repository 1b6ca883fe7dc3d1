import type { Counts, Limits, Outcome } from '../contract/batch';
import type { BatchState, JobReport } from '../contract/messages';
import { showProgress } from './batch-state';
import { countFailure, isThrough, leaveGate } from './gate';

/** A job's report, from itself or found out by its batch. Repeats and reports of jobs that are not open change nothing. */
export function closeJob(batch: BatchState, report: JobReport): void {
  const { job, kind } = report;
  if (!batch.open.includes(job)) return;
  leaveGate(batch, job);
  batch.warnings = batch.warnings.filter((warning) => warning.job !== job);
  if (kind === 'lost') {
    if (!batch.lost.includes(job)) batch.lost.push(job);
    return;
  }
  for (const set of ['open', 'adopted', 'lost'] as const) batch[set] = batch[set].filter((other) => other !== job);
  if (kind === 'overLimits') {
    batch.lowered = lowest(batch.lowered, report.limits);
    batch.waiting.unshift(job);
  } else {
    isThrough(batch);
    batch.progress.jobs.done += 1;
    batch.progress.pages += report.pages;
    batch.progress.credits += report.credits;
    addCounts(batch, report.counts, 1);
    // The next ones in line go first: so halves of one job never come in a row before the others had their turn.
    if (report.resend) batch.resends.push({ job, how: report.resend });
    if (!isExpected(batch, job, report.failedWith !== null)) countFailure(batch, report.failedWith);
  }
  showProgress(batch);
}

/** One half of a failed job is bound to fail, for that is how the document that spoils it is found; that both do is news. */
function isExpected(batch: BatchState, job: number, failed: boolean): boolean {
  const pair = batch.halves.find((halves) => halves.includes(job));
  if (!pair) return false;
  const rest = failed ? [] : pair.filter((half) => half !== job);
  batch.halves = [...batch.halves.filter((halves) => halves !== pair), ...(rest.length > 0 ? [rest] : [])];
  return failed;
}

/** Adds outcomes to the batch's, or takes back those of documents that are sent again. */
export function addCounts({ progress }: BatchState, counts: Counts, sign: 1 | -1): void {
  for (const [outcome, count] of Object.entries(counts) as [Outcome, number][]) {
    const left = (progress.counts[outcome] ?? 0) + sign * count;
    if (left === 0) delete progress.counts[outcome];
    else progress.counts[outcome] = left;
    progress.documentsDone += sign * count;
  }
}

function lowest(one: Limits | null, other: Limits | null): Limits {
  const keys = ['maxFiles', 'maxBytes', 'maxPages'] as const;
  return Object.fromEntries(
    keys.flatMap((key) => {
      const values = [one?.[key], other?.[key]].filter((value) => value !== undefined);
      return values.length > 0 ? [[key, Math.min(...values)]] : [];
    }),
  );
}
