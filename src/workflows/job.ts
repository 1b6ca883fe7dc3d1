import { ActivityFailure, ApplicationFailure, getExternalWorkflowHandle, isCancellation, log, setCurrentDetails, TimeoutFailure } from '@temporalio/workflow';
import type { CreatedJob, EndedJob, JobEnding, RemoteJob } from '../contract/activities';
import { failureTypes } from '../contract/failures';
import { batchWorkflowId, jobFinishedSignal } from '../contract/messages';
import type { JobInput, JobReport } from '../contract/messages';
import { hasResult } from '../domain/job-state';
import { recordAttributes } from './attributes';
import { batchActivities, jobActivities } from './proxies';

/** How the stages went: the ending for the job's documents, and what the batch must know beside it. */
interface Story {
  remote: RemoteJob | null;
  ending: JobEnding;
  kind: JobReport['kind'];
}

/**
 * One remote job from its creation to its archived result: create, upload, complete, wait, archive, report.
 * It reports to its batch whether it went well or not, and fails only for bugs.
 */
export async function jobWorkflow(input: JobInput): Promise<JobReport> {
  const created = await createRemote(input);
  const report = isOverLimits(created) ? await giveBack(input, created) : await finish(input, await runStages(input, created));
  await tellBatch(input.batchId, report);
  return report;
}

/** The remote job; null when this job was already closed; the ending when Plangrep refused it. */
async function createRemote({ batchId, job, projectId, attributes }: JobInput): Promise<CreatedJob | Story | null> {
  try {
    const created = await batchActivities.api.createJob({ batchId, job, projectId });
    if (created) recordAttributes(attributes, { PlangrepJobId: created.jobId, ResultExpiresAt: created.expiresAt });
    return created;
  } catch (error) {
    return storyOf(error, null);
  }
}

async function runStages(input: JobInput, created: CreatedJob | Story | null): Promise<Story> {
  if (created === null || 'ending' in created) return created ?? { remote: null, ending: { kind: 'archived' }, kind: 'closed' };
  try {
    return await uploadAndArchive(input, created);
  } catch (error) {
    const story = storyOf(error, created);
    if (story.kind === 'closed') await abandonRemote(input, created);
    return story;
  }
}

async function uploadAndArchive({ batchId, job, upload, attributes }: JobInput, { jobId, externalId, expiresAt }: CreatedJob): Promise<Story> {
  const remote = { jobId, externalId, expiresAt };
  const ref = { batchId, job, remote };
  const activities = jobActivities(expiresAt);
  const stage = (name: string) => setCurrentDetails(`**${name}** · remote job \`${jobId}\` · result expires at ${expiresAt}`);

  stage('uploading');
  const { sent, notSent } = await activities.transfer.uploadDocuments({ ...ref, upload });
  if (sent === 0) {
    await activities.urgent.cancelJob(ref);
    return { remote, ending: ended('cancelled', 'cancelled', 'No document of this job could be sent, so it was cancelled.'), kind: 'closed' };
  }
  await activities.urgent.completeUploads(ref);

  stage(`waiting for Plangrep (${sent} sent, ${notSent} not sent)`);
  const end = await activities.poll.awaitJob(ref);
  recordAttributes(attributes, { PlangrepStatus: end.status });
  if (!hasResult(end.status)) return { remote, ending: endingOf(end), kind: 'closed' };

  stage('archiving');
  await activities.archive.archiveJob(ref);
  return { remote, ending: { kind: 'archived' }, kind: 'closed' };
}

/** Writes down what became of each document. */
async function finish({ batchId, job }: JobInput, { remote, ending, kind }: Story): Promise<JobReport> {
  const totals = await batchActivities.store.closeJob({ batchId, job, remote, ending });
  setCurrentDetails(`**closed** · ${Object.entries(totals.counts).map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`);
  return { job, kind, limits: null, ...totals };
}

const isOverLimits = (created: CreatedJob | Story | null): created is CreatedJob & { lowered: object } =>
  created !== null && 'lowered' in created && created.lowered !== null;

/** The remote job takes less than planned: cancel it before any upload; the batch splits the documents. */
async function giveBack({ batchId, job }: JobInput, { lowered, ...remote }: CreatedJob): Promise<JobReport> {
  await jobActivities(remote.expiresAt).urgent.cancelJob({ batchId, job, remote });
  return { job, kind: 'overLimits', limits: lowered, counts: {}, pages: 0, credits: 0 };
}

/** A remote job that nobody will finish must not keep a reservation; that it can't be cancelled changes nothing here. */
async function abandonRemote({ batchId, job }: JobInput, { jobId, externalId, expiresAt }: RemoteJob): Promise<void> {
  try {
    await jobActivities(expiresAt).urgent.cancelJob({ batchId, job, remote: { jobId, externalId, expiresAt } });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('The remote job could not be cancelled', { batchId, job, jobId });
  }
}

/** A batch that is gone needs no report. */
async function tellBatch(batchId: string, report: JobReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(batchWorkflowId(batchId)).signal(jobFinishedSignal, report);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('The batch is not there to take the report', { batchId, job: report.job });
  }
}

const ended = (outcome: 'failed' | 'cancelled' | 'expired', code: 'cancelled' | 'expired' | 'job_failed' | 'remote_error' | 'unauthorized', message: string): JobEnding => ({
  kind: 'ended',
  outcome,
  reason: { code, message },
});

function endingOf({ status, error }: EndedJob): JobEnding {
  if (status === 'cancelled') return ended('cancelled', 'cancelled', 'The job was cancelled at Plangrep.');
  if (status === 'expired') return ended('expired', 'expired', 'The job expired before it was done.');
  return ended('failed', 'job_failed', error ? `The job failed: ${error.code}: ${error.message}` : 'The job failed; Plangrep gave no reason.');
}

/** What a failed stage means for the job's documents. Anything that is not an expected failure is a bug and passes. */
function storyOf(error: unknown, created: RemoteJob | null): Story {
  const remote = created && { jobId: created.jobId, externalId: created.externalId, expiresAt: created.expiresAt };
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (isCancellation(error) || !cause) throw error;
  if (cause instanceof TimeoutFailure) return { remote, ending: ended('expired', 'expired', 'The deadline passed before the job was done.'), kind: 'closed' };
  if (!(cause instanceof ApplicationFailure)) throw error;
  if (cause.type === failureTypes.unauthorized) return { remote, ending: ended('failed', 'unauthorized', cause.message), kind: 'unauthorized' };
  if (cause.type === failureTypes.expired) return { remote, ending: ended('expired', 'expired', cause.message), kind: 'closed' };
  return { remote, ending: ended('failed', 'remote_error', cause.message), kind: 'closed' };
}
