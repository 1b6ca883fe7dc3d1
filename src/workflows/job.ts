import { ActivityFailure, ApplicationFailure, CancellationScope, CancelledFailure, continueAsNew, isCancellation, log, TimeoutFailure, upsertMemo } from '@temporalio/workflow';
import type { ClosedJob, CreatedJob, EndedJob, JobEnding } from '../contract/activities';
import type { Limits, Reason } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { jobFinishedSignal, webhookSecretMemo } from '../contract/messages';
import type { JobInput, JobReport, JobState } from '../contract/messages';
import { hasResult } from '../domain/job-state';
import { recordAttributes } from './attributes';
import { openJob, recordStatus, refOf, showJob, stateOf, tell } from './open-job';
import type { OpenJob } from './open-job';
import { jobActivities, remoteActivities } from './proxies';
import { step } from './step';
import { awaitEnd } from './wait';

/**
 * One remote job from its creation to its archived result: create, upload, complete, wait, archive, report. It reports to its batch
 * whether it went well or not, and fails only for bugs. Cancelled, it cancels the remote job, unless that has finished first, and
 * reports all the same. `carried` is what an earlier run of the same job handed over.
 */
export async function jobWorkflow(input: JobInput, carried?: JobState): Promise<JobReport> {
  const job = openJob(input, carried);
  try {
    const report = await runStages(job);
    // A cancellation that comes with the last event of a full history must not be left behind in it.
    if (!report && CancellationScope.current().consideredCancelled) throw new CancelledFailure('The job was cancelled');
    if (!report) return await continueAsNew<typeof jobWorkflow>(input, stateOf(job));
    await tell(job, jobFinishedSignal, report);
    return report;
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => tell(job, jobFinishedSignal, await cancel(job)));
    throw error;
  }
}

/** Null: the history is full while the job waits. */
async function runStages(job: OpenJob): Promise<JobReport | null> {
  try {
    if (!job.remote) {
      const created = await create(job);
      if (!created) return await close(job, { kind: 'archived' });
      if (created.lowered) return await giveBack(job, created.lowered);
      if (!(await upload(job))) return await close(job, ended('failed', 'remote_error', 'No document of this job could be sent, so it was cancelled.'));
    }
    showJob(job, 'waiting for Plangrep');
    const end = await awaitEnd(job);
    return end && (await finish(job, end));
  } catch (error) {
    const ending = endingOfFailure(error);
    // What has ended, or expired, needs no cancelling.
    if (job.remote && job.watch.phase !== 'ended' && !isExpiry(ending)) await abandon(job);
    return close(job, ending);
  }
}

/** The remote job; null when this job was closed before. A creation is never interrupted: what it made must be known. */
async function create(job: OpenJob): Promise<CreatedJob | null> {
  const { batchId, job: number, projectId, attributes } = job.input;
  showJob(job, 'creating');
  const created = await step(job, () => CancellationScope.nonCancellable(() => jobActivities(number).create.createJob({ batchId, job: number, projectId })));
  if (!created) return null;
  job.remote = created;
  job.status = 'awaiting_uploads';
  recordAttributes(attributes, { PlangrepJobId: created.jobId, ResultExpiresAt: created.expiresAt });
  if (created.webhookSecret !== null) upsertMemo({ [webhookSecretMemo]: created.webhookSecret });
  return created;
}

/** Sends the documents and closes the upload. False: there was none to send, and the remote job is cancelled. */
async function upload(job: OpenJob): Promise<boolean> {
  const { projectId, upload: mode, skipProcessed } = job.input;
  job.status = 'uploading';
  showJob(job, 'sending documents');
  const { sent } = await step(job, () => onRemote(job).upload.uploadDocuments({ ...refOf(job), projectId, upload: mode, skipProcessed }));
  if (sent === 0) {
    await step(job, () => onRemote(job).cancel.cancelJob(refOf(job)));
    return false;
  }
  await step(job, () => onRemote(job).complete.completeUploads(refOf(job)));
  job.status = 'preflighting';
  return true;
}

/** Archives what there is, and writes down what became of each document. */
async function finish(job: OpenJob, end: EndedJob): Promise<JobReport> {
  job.status = end.status;
  if (end.status !== 'completed') recordStatus(job);
  if (!hasResult(end.status)) return close(job, endingOf(end));
  showJob(job, 'archiving');
  return report(job, await step(job, () => onRemote(job).archive.archiveJob({ ...refOf(job), projectId: job.input.projectId })));
}

/** Closes a job without a result. */
async function close(job: OpenJob, ending: JobEnding): Promise<JobReport> {
  const { batchId, job: number, projectId } = job.input;
  const remote = job.remote && refOf(job).remote;
  return report(job, await jobActivities(number).close.closeJob({ batchId, job: number, projectId, remote, ending }));
}

function report(job: OpenJob, closed: ClosedJob): JobReport {
  showJob(job, `closed: ${Object.entries(closed.counts).map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`);
  const { counts, pages, credits, resend, failedWith } = closed;
  return { job: job.input.job, kind: 'closed', limits: null, counts, pages, credits, resend, failedWith };
}

/** The remote job takes less than planned: cancel it before any upload; the batch splits the documents. */
async function giveBack(job: OpenJob, limits: Limits): Promise<JobReport> {
  await step(job, () => onRemote(job).cancel.cancelJob(refOf(job)));
  return { job: job.input.job, kind: 'overLimits', limits, counts: {}, pages: 0, credits: 0, resend: null, failedWith: null };
}

/** Cancels the remote job and sees it end. One that finished first is archived: it has been paid for. */
async function cancel(job: OpenJob): Promise<JobReport> {
  const cancelled = ended('cancelled', 'cancelled', 'The batch, or this job, was cancelled.');
  if (!job.remote) return close(job, cancelled);
  showJob(job, 'cancelling');
  try {
    await step(job, () => onRemote(job).cancel.cancelJob(refOf(job)));
    const end = await step(job, () => onRemote(job).read.awaitJob({ ...refOf(job), until: [] }));
    if (end.kind === 'ended' && hasResult(end.status)) return await finish(job, end);
    job.status = 'cancelled';
    recordStatus(job);
    return await close(job, cancelled);
  } catch (error) {
    return close(job, endingOfFailure(error));
  }
}

/** A remote job that nobody will finish must not keep a reservation; that it can't be cancelled changes nothing here. */
async function abandon(job: OpenJob): Promise<void> {
  try {
    await onRemote(job).cancel.cancelJob(refOf(job));
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('The remote job could not be cancelled', { job: job.input.job, jobId: job.remote!.jobId });
  }
}

const onRemote = ({ input, remote, warnings }: OpenJob) => remoteActivities(input.job, remote!, warnings);

const isExpiry = (ending: JobEnding): boolean => ending.kind === 'ended' && ending.outcome === 'expired';
const ended = (outcome: 'failed' | 'cancelled' | 'expired', code: Reason['code'], message: string): JobEnding => ({ kind: 'ended', outcome, reason: { code, message } });

function endingOf({ status, error, creditsDebited }: EndedJob): JobEnding {
  if (status === 'cancelled') return ended('cancelled', 'cancelled', 'The job was cancelled at Plangrep.');
  if (status === 'expired') return ended('expired', 'expired', 'The job expired before it was done.');
  return { kind: 'failed', error, creditsDebited };
}

/** What a failed step means for the job's documents. Anything that is not an expected failure is a bug and passes. */
function endingOfFailure(error: unknown): JobEnding {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (isCancellation(error)) throw error;
  if (cause instanceof TimeoutFailure) return ended('expired', 'expired', 'The deadline passed before the job was done.');
  if (!(cause instanceof ApplicationFailure)) throw error;
  if (cause.type === failureTypes.expired) return ended('expired', 'expired', cause.message);
  return ended('failed', 'remote_error', cause.message);
}
