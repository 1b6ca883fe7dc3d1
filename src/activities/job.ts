import type { ApiActivities, JobRef, JobSight, OnRemoteJob, RemoteJob } from '../contract/activities';
import { failureTypes } from '../contract/failures';
import { jobKeys } from '../contract/keys';
import { blockedStatus, isTerminal, takesUploads } from '../domain/job-state';
import { pollDelayMs } from '../domain/pacing';
import { ContractError, RejectedError } from '../plangrep/errors';
import type { Job } from '../plangrep/schemas';
import type { Dependencies } from './dependencies';
import { createJobOnce, createdJob } from './create-job';
import { attempt, giveUp, hasPassed, noSooner, notYet } from './failure';
import { saveJobFile } from './job-file';
import { completionOf } from './upload/completion';

type JobActivities = Pick<ApiActivities, 'createJob' | 'completeUploads' | 'awaitJob' | 'resumeJob' | 'cancelJob' | 'abandonJob'>;
type AwaitRequest = Parameters<ApiActivities['awaitJob']>[0];

/** How often a completion may be refused by a job that could take it before that is believed; two minutes at the usual distance of looks. */
const patientAttempts = 10;

/** Activities that make one remote call for a job: create, complete, read, resume, cancel. */
export function createJobActivities(deps: Dependencies): JobActivities {
  return {
    createJob: async (request) => ((await deps.store.stat(jobKeys(request.batchId, request.job).documents)) ? null : createJobOnce(deps, request)),
    completeUploads: (request) => completeUploads(deps, request),
    awaitJob: (request) => awaitJob(deps, request),
    resumeJob: (request) => resumeJob(deps, request),
    cancelJob: (request) => cancelJob(deps, request),
    abandonJob: (request) => abandonJob(deps, request),
  };
}

/** A job that is gone because its deadline has passed is left to `awaitJob`, which says so. */
async function completeUploads(deps: Dependencies, { batchId, job, remote }: OnRemoteJob): Promise<void> {
  const { body, idempotencyKey } = await completionOf(deps, { batchId, job, remote });
  try {
    await deps.plangrep.completeUploads(remote.jobId, body, { idempotencyKey });
  } catch (error) {
    if (isExpired(error, remote)) return;
    if (!(error instanceof RejectedError) || error.status !== 409) throw error;
    // An earlier attempt may have got through: then the job has left the upload window (/api-reference/uploads/complete-uploads).
    const current = await readJob(deps, remote);
    if (!current || !takesUploads(current.status)) return;
    // Or the job has not heard yet of what its storage has taken.
    throw attempt() < patientAttempts ? notYet(error.message, deps.settings.minPollMs) : error;
  }
}

/** Looks keep their distance also when one failed: whatever is retried here asks Plangrep again. */
async function awaitJob(deps: Dependencies, request: AwaitRequest): Promise<JobSight> {
  try {
    return await look(deps, request);
  } catch (error) {
    throw noSooner(error, nextLookMs(deps, request));
  }
}

async function look(deps: Dependencies, request: AwaitRequest): Promise<JobSight> {
  const { batchId, job, remote, until } = request;
  if (isTooSoon(request)) throw notYet(`Job ${remote.jobId} was looked at a moment ago and is not at its end`, nextLookMs(deps, request));
  const current = await lookAt(deps, request);
  if (current && isTerminal(current.status)) {
    await saveJobFile(deps.store, { batchId, job }, current);
    return { kind: 'ended', status: current.status, error: current.error ?? null, creditsDebited: current.billing?.creditsDebited ?? null };
  }
  if (!current || hasPassed(remote.expiresAt)) return { kind: 'ended', status: 'expired', error: null, creditsDebited: null };
  if (current.status === blockedStatus && until.includes('blocked')) return { kind: 'blocked' };
  if (current.status === 'processing' && until.includes('working')) return { kind: 'working' };
  throw notYet(`Job ${remote.jobId} is ${current.status}`, nextLookMs(deps, request));
}

/**
 * A job that is only waited for to work again has just been seen blocked. And one whose warning is due has been looked at not long ago:
 * the workflow warns and takes this step again at once, so this attempt leaves the look to that one.
 */
function isTooSoon({ until, warnAt }: AwaitRequest): boolean {
  if (attempt() === 1) return until.length === 1 && until[0] === 'working';
  return warnAt !== null && hasPassed(warnAt);
}

function nextLookMs({ settings }: Dependencies, { remote, warnAt }: AwaitRequest): number {
  const polling = { minPollMs: settings.minPollMs, webhooks: settings.webhookUrl !== undefined };
  const marks = [remote.expiresAt, warnAt].flatMap((at) => (at === null ? [] : [Date.parse(at)]));
  return pollDelayMs(attempt(), polling, Date.now(), marks);
}

/** A job that is in another state, or gone because its deadline has passed, has no need of it: the next look tells (/api-reference/jobs/resume-job). */
async function resumeJob({ plangrep }: Dependencies, { remote }: OnRemoteJob): Promise<void> {
  try {
    await plangrep.resumeJob(remote.jobId);
  } catch (error) {
    if (error instanceof ContractError || isExpired(error, remote)) return;
    if (!(error instanceof RejectedError) || isGone(error)) throw error;
  }
}

async function cancelJob(deps: Dependencies, { batchId, job, remote }: OnRemoteJob): Promise<void> {
  await cancel(deps, { batchId, job }, remote.jobId);
}

async function abandonJob(deps: Dependencies, ref: JobRef): Promise<RemoteJob | null> {
  const remote = await createdJob(deps.store, ref);
  if (remote) await cancel(deps, ref, remote.jobId);
  return remote;
}

async function cancel({ plangrep, store }: Dependencies, ref: JobRef, jobId: string): Promise<void> {
  try {
    await saveJobFile(store, ref, await plangrep.cancelJob(jobId));
  } catch (error) {
    // Already terminal, or gone (/api-reference/jobs/cancel-job); a redirect says nothing of the kind.
    if (!(error instanceof RejectedError) || error.status === null || error.status < 400) throw error;
  }
}

/** A look that can be repeated: neither a body that makes no sense nor an odd refusal, as a gateway may give it, is a reason to give up a paid job. */
async function lookAt(deps: Dependencies, request: AwaitRequest): Promise<Job | null> {
  try {
    return await readJob(deps, request.remote);
  } catch (error) {
    if (isGone(error)) throw giveUp(failureTypes.notFound, `Plangrep does not know job ${request.remote.jobId}, although its deadline has not passed`);
    if (error instanceof ContractError || error instanceof RejectedError) throw notYet(error.message, nextLookMs(deps, request));
    throw error;
  }
}

/** The job, or null when it is gone because its deadline has passed. */
async function readJob({ plangrep }: Dependencies, remote: RemoteJob): Promise<Job | null> {
  try {
    return await plangrep.getJob(remote.jobId);
  } catch (error) {
    if (isExpired(error, remote)) return null;
    throw error;
  }
}

const isGone = (error: unknown): boolean => error instanceof RejectedError && (error.status === 404 || error.status === 410);
const isExpired = (error: unknown, { expiresAt }: RemoteJob): boolean => isGone(error) && hasPassed(expiresAt);
