import type { ApiActivities, EndedJob, JobRef, RemoteJob } from '../contract/activities';
import { failureTypes } from '../contract/failures';
import { jobKeys } from '../contract/keys';
import { isTerminal, takesUploads } from '../domain/job-state';
import { pollDelayMs } from '../domain/pacing';
import { ContractError, RejectedError } from '../plangrep/errors';
import type { Job } from '../plangrep/schemas';
import type { Dependencies } from './dependencies';
import { createJobOnce } from './create-job';
import { attempt, giveUp, notYet } from './failure';
import { saveJobFile } from './job-file';
import { completionOf } from './upload/completion';

type OnRemoteJob = JobRef & { remote: RemoteJob };

/** Activities that make one remote call for a job: create, complete, read, cancel. */
export function createJobActivities(deps: Dependencies): Pick<ApiActivities, 'createJob' | 'completeUploads' | 'awaitJob' | 'cancelJob'> {
  return {
    createJob: async (request) => ((await deps.store.stat(jobKeys(request.batchId, request.job).documents)) ? null : createJobOnce(deps, request)),
    completeUploads: (request) => completeUploads(deps, request),
    awaitJob: (request) => awaitJob(deps, request),
    cancelJob: (request) => cancelJob(deps, request),
  };
}

async function completeUploads(deps: Dependencies, { batchId, job, remote }: OnRemoteJob): Promise<void> {
  const { body, idempotencyKey } = await completionOf(deps, { batchId, job, remote });
  try {
    await deps.plangrep.completeUploads(remote.jobId, body, { idempotencyKey });
  } catch (error) {
    if (!(error instanceof RejectedError) || error.status !== 409) throw error;
    // An earlier attempt may have got through: then the job has left the upload window (/api-reference/uploads/complete-uploads).
    const current = await readJob(deps, remote);
    if (!current || takesUploads(current.status)) throw error;
  }
}

async function awaitJob(deps: Dependencies, { batchId, job, remote }: OnRemoteJob): Promise<EndedJob> {
  const current = await lookAt(deps, remote);
  if (current && isTerminal(current.status)) {
    await saveJobFile(deps.store, { batchId, job }, current);
    return { status: current.status, error: current.error ?? null, creditsDebited: current.billing?.creditsDebited ?? null };
  }
  if (!current || hasPassed(remote.expiresAt)) return { status: 'expired', error: null, creditsDebited: null };
  throw lookAgain(deps, `Job ${remote.jobId} is ${current.status}`);
}

async function cancelJob({ plangrep, store }: Dependencies, { batchId, job, remote }: OnRemoteJob): Promise<void> {
  try {
    await saveJobFile(store, { batchId, job }, await plangrep.cancelJob(remote.jobId));
  } catch (error) {
    // Already terminal, or gone (/api-reference/jobs/cancel-job).
    if (!(error instanceof RejectedError)) throw error;
  }
}

/** A look that can be repeated: a body that makes no sense is no reason to give up a paid job. */
async function lookAt(deps: Dependencies, remote: RemoteJob): Promise<Job | null> {
  try {
    return await readJob(deps, remote);
  } catch (error) {
    if (error instanceof ContractError) throw lookAgain(deps, error.message);
    if (isGone(error)) throw giveUp(failureTypes.notFound, `Plangrep does not know job ${remote.jobId} any more, before its deadline`);
    throw error;
  }
}

/** The job, or null when it is gone because its deadline has passed. */
async function readJob({ plangrep }: Dependencies, { jobId, expiresAt }: RemoteJob): Promise<Job | null> {
  try {
    return await plangrep.getJob(jobId);
  } catch (error) {
    if (isGone(error) && hasPassed(expiresAt)) return null;
    throw error;
  }
}

const lookAgain = ({ settings }: Dependencies, why: string) => notYet(why, pollDelayMs(attempt(), settings.minPollMs));
const isGone = (error: unknown): boolean => error instanceof RejectedError && (error.status === 404 || error.status === 410);
const hasPassed = (at: string): boolean => Date.now() >= Date.parse(at);
