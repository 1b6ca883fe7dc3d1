import { condition, isCancellation, ParentClosePolicy, sleep, startChild, workflowInfo, WorkflowIdReusePolicy } from '@temporalio/workflow';
import { TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Limits, Outcome } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { jobWorkflowId } from '../contract/messages';
import type { BatchState, JobInput, JobReport } from '../contract/messages';
import { attributePairs } from './attributes';
import { showProgress } from './batch-state';
import { jobWorkflow } from './job';
import { batchActivities } from './proxies';

/** How often the open set is compared with Temporal, in ms: it repairs what a terminated job never reported. */
const reconcileEveryMs = 10 * 60_000;

/**
 * Keeps up to `maxConcurrentJobs` jobs open until all have closed. True when the history is full: jobs that are open
 * then stay open, and the next run goes on with the same set.
 */
export async function runWindow(batch: BatchState): Promise<boolean> {
  const lost = watchLostJobs(batch);
  for (;;) {
    while (hasFreeSlot(batch)) await startNext(batch, lost.suspect);
    if (lost.suspected()) await reconcile(batch);
    else if (batch.open.length === 0) return false;
    else if (workflowInfo().continueAsNewSuggested) return true;
    else await condition(() => hasFreeSlot(batch) || batch.open.length === 0 || lost.pending());
  }
}

const isEnding = (batch: BatchState): boolean => batch.progress.error !== null;
const hasFreeSlot = (batch: BatchState): boolean =>
  !isEnding(batch) && batch.open.length < batch.input.maxConcurrentJobs && (batch.waiting.length > 0 || batch.nextJob <= batch.plannedJobs);

/** A job's report, from itself or from {@link reconcile}. Repeats and reports of jobs that are not open change nothing. */
export function closeJob(batch: BatchState, report: JobReport): void {
  if (!batch.open.includes(report.job)) return;
  batch.open = batch.open.filter((job) => job !== report.job);
  if (report.kind === 'overLimits') {
    batch.lowered = lowest(batch.lowered, report.limits);
    batch.waiting.unshift(report.job);
  } else {
    addTotals(batch, report);
  }
  if (report.kind === 'unauthorized') {
    batch.progress.error ??= { code: failureTypes.unauthorized, message: 'Plangrep refuses the API key (401 or 403)' };
  }
  showJobs(batch);
}

function addTotals({ progress }: BatchState, report: JobReport): void {
  progress.jobs.done += 1;
  progress.pages += report.pages;
  progress.credits += report.credits;
  for (const [outcome, count] of Object.entries(report.counts) as [Outcome, number][]) {
    progress.counts[outcome] = (progress.counts[outcome] ?? 0) + count;
    progress.documentsDone += count;
  }
}

function showJobs(batch: BatchState): void {
  batch.progress.jobs.open = batch.open.length;
  showProgress(batch);
}

/** Starts the next job: one that waits goes before one of the plan. */
async function startNext(batch: BatchState, suspect: () => void): Promise<void> {
  const job = batch.waiting.shift() ?? batch.nextJob++;
  if (batch.lowered && (await split(batch, job, batch.lowered))) return;
  batch.open.push(job);
  await startJob(batch, job, suspect);
  showJobs(batch);
}

/** Under limits that turned out lower than planned, a job becomes several, which wait in its place. False when it fits. */
async function split(batch: BatchState, job: number, limits: Limits): Promise<boolean> {
  const { batchId, nextFollowUp, progress } = batch;
  const { jobs, rejected = 0 } = await batchActivities.store.splitJob({ batchId, job, limits, next: nextFollowUp });
  if (jobs[0] === job) return false;
  batch.nextFollowUp = Math.max(nextFollowUp, ...jobs.map((part) => part + 1));
  batch.waiting.unshift(...jobs);
  progress.jobs.planned += jobs.length - 1;
  progress.counts.rejected = (progress.counts.rejected ?? 0) + rejected;
  progress.documentsDone += rejected;
  return true;
}

/** A job that runs already, under a batch that was terminated and started again, simply joins the open set. */
async function startJob({ batchId, projectId, attributes, input }: BatchState, job: number, suspect: () => void): Promise<void> {
  const argument: JobInput = { batchId, job, projectId, attributes, upload: input.upload === 'form' ? 'form' : 'signed' };
  try {
    const child = await startChild(jobWorkflow, {
      workflowId: jobWorkflowId(batchId, job),
      args: [argument],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Job ${job} of batch ${batchId}`,
      typedSearchAttributes: new TypedSearchAttributes(attributePairs(attributes, { BatchId: batchId })),
    });
    child.result().then(() => {}, suspect);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Notices jobs that end without a report: at once when this run started them, else within {@link reconcileEveryMs}. */
function watchLostJobs(batch: BatchState) {
  let pending = false;
  const suspect = () => {
    pending = true;
  };
  const tick = async () => {
    for (;;) {
      await sleep(reconcileEveryMs);
      suspect();
    }
  };
  tick().catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
  });
  const suspected = () => {
    const was = pending;
    pending = false;
    return was && batch.open.length > 0;
  };
  return { suspect, suspected, pending: () => pending };
}

async function reconcile(batch: BatchState): Promise<void> {
  const reports = await batchActivities.store.findClosedJobs({ batchId: batch.batchId, jobs: batch.open });
  for (const report of reports) closeJob(batch, report);
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
