import { ActivityFailure, CancellationScope, CancelledFailure, condition, getExternalWorkflowHandle, isCancellation, log, ParentClosePolicy, sleep, startChild, workflowInfo, WorkflowIdReusePolicy } from '@temporalio/workflow';
import { ChildWorkflowCancellationType } from '@temporalio/workflow';
import { TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { RemoteJob } from '../contract/activities';
import type { Limits } from '../contract/batch';
import { gateOpenedSignal, jobWorkflowId, resumeJobSignal } from '../contract/messages';
import type { BatchState, JobInput } from '../contract/messages';
import { attributePairs } from './attributes';
import { showProgress } from './batch-state';
import { isOpen, keepGate, throughGate } from './gate';
import { jobWorkflow } from './job';
import { batchActivities, jobActivities } from './proxies';
import { addCounts, closeJob } from './report';

/** How often the open set is compared with Temporal, in ms: it repairs what a terminated job never reported. Doubles to the second while nothing comes of it. */
const reconcileMs = { first: 10 * 60_000, last: 80 * 60_000 };

/**
 * Keeps up to `maxConcurrentJobs` jobs open until all have closed. True when the history is full: jobs that are open
 * then stay open, and the next run goes on with the same set. @throws CancelledFailure as soon as the batch is cancelled
 */
export function runWindow(batch: BatchState): Promise<boolean> {
  const lost = new LostJobs();
  // Whether a job heard what was said at the end of an earlier run is not known; told twice, it goes on once.
  batch.goingOn = null;
  return beside([() => lost.watch(), () => keepGate(batch, lost.suspect)], async () => {
    for (;;) {
      // The start of a job is not interrupted, and may be all that this loop ever waits for.
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The batch was cancelled');
      if (isDone(batch)) return false;
      if (isFull()) return true;
      if (batch.lost.length > 0) await recover(batch, lost.suspect);
      else if (lost.takeSuspicion()) await reconcile(batch);
      else if (hasFreeSlot(batch)) await startNext(batch, lost.suspect);
      else await condition(() => hasFreeSlot(batch) || isDone(batch) || batch.lost.length > 0 || lost.suspected || isFull());
    }
  });
}

/** Does `work`, and chores beside it until it has ended. */
export async function beside<T>(chores: (() => Promise<never>)[], work: () => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  for (const chore of chores) scope.run(chore).catch(unlessCancelled);
  try {
    return await work();
  } finally {
    scope.cancel();
  }
}

function unlessCancelled(error: unknown): void {
  if (!isCancellation(error)) throw error;
}

/** Asked before every step: a window that never fills, because its jobs end as fast as they are started, waits for nothing else. */
const isFull = (): boolean => workflowInfo().continueAsNewSuggested;
const isEnding = (batch: BatchState): boolean => batch.cancelled || batch.progress.error !== null;
const hasMore = ({ waiting, resends, nextJob, plannedJobs }: BatchState): boolean => waiting.length > 0 || resends.length > 0 || nextJob <= plannedJobs;
const hasFreeSlot = (batch: BatchState): boolean => !isEnding(batch) && isOpen(batch) && batch.open.length < batch.input.maxConcurrentJobs && hasMore(batch);
const isDone = (batch: BatchState): boolean => batch.open.length === 0 && (isEnding(batch) || !hasMore(batch));

/** Asks every open job to end: each cancels its remote job, sees it end, and reports. */
export async function cancelOpenJobs(batch: BatchState): Promise<void> {
  for (const job of batch.open) {
    try {
      await getExternalWorkflowHandle(jobWorkflowId(batch.batchId, job)).cancel();
    } catch {
      log.warn('A job is not there to be cancelled', { batchId: batch.batchId, job });
    }
  }
}

/** Starts the next job: documents that are sent again go before jobs that wait, and those before jobs of the plan. */
async function startNext(batch: BatchState, suspect: () => void): Promise<void> {
  const resend = batch.resends.shift();
  if (resend) return sendAgain(batch, resend);
  const job = batch.waiting.shift() ?? batch.nextJob++;
  if (batch.lowered && (await split(batch, job, batch.lowered))) return;
  batch.open.push(job);
  await startJob(batch, job, suspect);
  showProgress(batch);
}

/** Documents of a closed job become jobs of their own, at the end of those that wait; their outcomes so far do not count any more. */
async function sendAgain(batch: BatchState, { job, how }: BatchState['resends'][number]): Promise<void> {
  const { jobs, counts, nextFollowUp } = await jobActivities(job).resend.resendDocuments({ batchId: batch.batchId, job, how, next: batch.nextFollowUp });
  batch.nextFollowUp = nextFollowUp;
  batch.waiting.push(...jobs);
  if (how === 'halves') batch.halves.push(jobs);
  batch.progress.jobs.planned += jobs.length;
  addCounts(batch, counts, -1);
}

/** Under limits that turned out lower than planned, a job becomes several, which wait in its place. False when it fits. */
async function split(batch: BatchState, job: number, limits: Limits): Promise<boolean> {
  const { batchId, nextFollowUp, progress } = batch;
  const { jobs, rejected = 0 } = await jobActivities(job).split.splitJob({ batchId, job, limits, next: nextFollowUp });
  if (jobs[0] === job) return false;
  batch.nextFollowUp = Math.max(nextFollowUp, ...jobs.map((part) => part + 1));
  batch.waiting.unshift(...jobs);
  progress.jobs.planned += jobs.length - 1;
  if (rejected > 0) addCounts(batch, { rejected }, 1);
  return true;
}

/** A job that runs already, under a batch that was terminated and started again, simply joins the open set. */
async function startJob({ batchId, projectId, attributes, input }: BatchState, job: number, suspect: () => void): Promise<void> {
  const argument: JobInput = { batchId, job, projectId, attributes, upload: input.upload === 'form' ? 'form' : 'signed', skipProcessed: input.skipProcessed };
  const start = () =>
    startChild(jobWorkflow, {
      workflowId: jobWorkflowId(batchId, job),
      args: [argument],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      // A cancelled batch asks its jobs itself, those of earlier runs too.
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Job ${job} of batch ${batchId}`,
      typedSearchAttributes: new TypedSearchAttributes(attributePairs(attributes, { BatchId: batchId })),
    });
  try {
    const child = await CancellationScope.nonCancellable(start);
    child.result().then(() => {}, suspect);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    await askAnew(batchId, job, suspect);
  }
}

/** Whether a job that joined the open set waits for the gate is not known: told to go on, it does, or says again that it waits. */
async function askAnew(batchId: string, job: number, suspect: () => void): Promise<void> {
  const handle = getExternalWorkflowHandle(jobWorkflowId(batchId, job));
  try {
    await Promise.all([handle.signal(gateOpenedSignal), handle.signal(resumeJobSignal)]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    suspect();
  }
}

/**
 * Notices jobs that end without a report: at once when this run started them, else when the open set is compared with Temporal. Short
 * runs would never get to that by the clock, so each begins with it.
 */
class LostJobs {
  suspected = workflowInfo().continuedFromExecutionRunId !== undefined;
  readonly suspect = (): void => {
    this.suspected = true;
  };

  async watch(): Promise<never> {
    for (let waitMs = reconcileMs.first; ; waitMs = Math.min(2 * waitMs, reconcileMs.last)) {
      await sleep(waitMs);
      this.suspect();
    }
  }

  takeSuspicion(): boolean {
    const was = this.suspected;
    this.suspected = false;
    return was;
  }
}

async function reconcile(batch: BatchState): Promise<void> {
  if (batch.open.length === 0) return;
  const reports = await batchActivities.store.findClosedJobs({ batchId: batch.batchId, jobs: batch.open });
  for (const report of reports) closeJob(batch, report);
}

/** A job whose workflow was lost is started again, once, and finds its remote job; the second time its documents are given up. */
async function recover(batch: BatchState, suspect: () => void): Promise<void> {
  const { batchId, projectId } = batch;
  const job = batch.lost[0]!;
  if (!batch.adopted.includes(job) && !isEnding(batch)) {
    batch.lost.shift();
    batch.adopted.push(job);
    return startJob(batch, job, suspect);
  }
  // It stays among the lost until it is closed: a cancellation may come in between.
  const remote = await abandon(batch, job);
  const reason = { code: 'job_workflow_lost', message: 'The workflow of this job was ended from outside before the job was done.' } as const;
  const closed = await jobActivities(job).close.closeJob({ batchId, job, projectId, remote, ending: { kind: 'ended', outcome: 'failed', reason } });
  closeJob(batch, { job, kind: 'closed', limits: null, ...closed });
}

/** The remote job that nobody will finish; null when there is none, or when it cannot be cancelled, which changes nothing for its documents. */
async function abandon(batch: BatchState, job: number): Promise<RemoteJob | null> {
  const { batchId } = batch;
  try {
    return await throughGate(batch, () => jobActivities(job).abandon.abandonJob({ batchId, job }));
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('The remote job of a lost job could not be cancelled', { batchId, job });
    return null;
  }
}
