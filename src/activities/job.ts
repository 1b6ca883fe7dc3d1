import type { ApiActivities, CreatedJob, EndedJob } from '../contract/activities';
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

/** Activities that make one remote call for a job: create, complete, read, cancel. */
export function createJobActivities(deps: Dependencies): Pick<ApiActivities, 'createJob' | 'completeUploads' | 'awaitJob' | 'cancelJob'> {
  const { plangrep, store, settings } = deps;

  /** The job, or null when it is gone because its deadline has passed. */
  async function readJob(jobId: string, expiresAt: string): Promise<Job | null> {
    try {
      return await plangrep.getJob(jobId);
    } catch (error) {
      if (isGone(error) && hasPassed(expiresAt)) return null;
      throw error;
    }
  }

  return {
    async createJob(request): Promise<CreatedJob | null> {
      return (await store.stat(jobKeys(request.batchId, request.job).documents)) ? null : createJobOnce(deps, request);
    },

    async completeUploads({ batchId, job, remote }) {
      const { body, idempotencyKey } = await completionOf(deps, { batchId, job, remote });
      try {
        await plangrep.completeUploads(remote.jobId, body, { idempotencyKey });
      } catch (error) {
        if (!(error instanceof RejectedError) || error.status !== 409) throw error;
        // An earlier attempt may have got through: then the job has left the upload window (/api-reference/uploads/complete-uploads).
        const current = await readJob(remote.jobId, remote.expiresAt);
        if (!current || takesUploads(current.status)) throw error;
      }
    },

    async awaitJob({ batchId, job, remote }): Promise<EndedJob> {
      const current = await lookAt(remote.jobId, remote.expiresAt);
      if (current && isTerminal(current.status)) {
        await saveJobFile(store, { batchId, job }, current);
        return { status: current.status, error: current.error ?? null, creditsDebited: current.billing?.creditsDebited ?? null };
      }
      if (!current || hasPassed(remote.expiresAt)) return { status: 'expired', error: null, creditsDebited: null };
      throw notYet(`Job ${remote.jobId} is ${current.status}`, pollDelayMs(attempt(), settings.minPollMs));
    },

    async cancelJob({ batchId, job, remote }) {
      try {
        await saveJobFile(store, { batchId, job }, await plangrep.cancelJob(remote.jobId));
      } catch (error) {
        // Already terminal, or gone (/api-reference/jobs/cancel-job).
        if (!(error instanceof RejectedError)) throw error;
      }
    },
  };

  /** A look that can be repeated: a body that makes no sense is no reason to give up a paid job. */
  async function lookAt(jobId: string, expiresAt: string): Promise<Job | null> {
    try {
      return await readJob(jobId, expiresAt);
    } catch (error) {
      if (error instanceof ContractError) throw notYet(error.message, pollDelayMs(attempt(), settings.minPollMs));
      if (isGone(error)) throw giveUp(failureTypes.notFound, `Plangrep does not know job ${jobId} any more, before its deadline`);
      throw error;
    }
  }
}

const isGone = (error: unknown): boolean => error instanceof RejectedError && (error.status === 404 || error.status === 410);
const hasPassed = (at: string): boolean => Date.now() >= Date.parse(at);
