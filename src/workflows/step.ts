import { ActivityFailure, ApplicationFailure, condition, TimeoutFailure } from '@temporalio/workflow';
import { failureTypes } from '../contract/failures';
import { jobBlockedSignal, jobResumedSignal } from '../contract/messages';
import type { BlockedJob } from '../contract/messages';
import { nextWarningAt } from '../domain/deadline';
import { showJob, tell, warn } from './open-job';
import type { OpenJob } from './open-job';

/** A call that was made again and has not been refused for so long is through, in ms: a long upload must not hold up the others. */
const throughAfterMs = 60_000;
/** How often a job whose batch is gone tries by itself, in ms. */
const orphanProbeMs = 3_600_000;

/** Why the gate closes when a call fails like this; null when it is none of its business. */
export function refusalOf(error: unknown): BlockedJob['reason'] | null {
  const cause = error instanceof ActivityFailure ? error.cause : null;
  if (!(cause instanceof ApplicationFailure)) return null;
  if (cause.type === failureTypes.insufficientCredit) return 'insufficient_credits';
  if (cause.type === failureTypes.unauthorized) return 'unauthorized';
  return cause.type === failureTypes.notFound ? 'job_not_found' : null;
}

/**
 * Takes one step of a job: an activity that is scheduled again when the gate has opened after a refusal, and, after a warning,
 * when the deadline nears. @throws every other failure of the activity
 */
export async function step<T>(job: OpenJob, run: () => Promise<T>): Promise<T> {
  for (let refused = false; ; ) {
    try {
      const running = run();
      if (refused) await tellWhenThrough(job, running);
      return await running;
    } catch (error) {
      const reason = refusalOf(error);
      refused = reason !== null;
      if (reason) await waitAtGate(job, reason);
      else if (isLate(job, error)) await warn(job);
      else throw error;
    }
  }
}

/** Whether a step was given back because a warning is due: it failed once more, or archiving has not begun. */
function isLate(job: OpenJob, error: unknown): boolean {
  if (!job.remote || nextWarningAt(job.remote, job.warnings) === null) return false;
  const cause = error instanceof ActivityFailure ? error.cause : null;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'SCHEDULE_TO_START';
  return cause instanceof ApplicationFailure && cause.type === failureTypes.deadlineNears;
}

/** Tells the batch that the job goes on, once its call was not refused again: then the next job is let go. */
async function tellWhenThrough(job: OpenJob, running: Promise<unknown>): Promise<void> {
  const outcome = { open: true, refused: false };
  const end = (refused: boolean) => Object.assign(outcome, { open: false, refused });
  running.then(
    () => end(false),
    (error: unknown) => end(refusalOf(error) !== null),
  );
  await condition(() => !outcome.open, throughAfterMs);
  if (!outcome.refused) await tell(job, jobResumedSignal, { job: job.input.job });
}

/** Waits until the batch says that the call may be made again. @throws Expired when the job's deadline passes */
async function waitAtGate(job: OpenJob, reason: BlockedJob['reason']): Promise<void> {
  job.released = false;
  showJob(job, `waiting at the gate: ${reason}`, 'resume the batch: its page says how');
  const heard = await tell(job, jobBlockedSignal, { job: job.input.job, how: 'call', reason, expiresAt: job.remote?.expiresAt ?? null });
  for (;;) {
    const wakeAt = job.remote && (nextWarningAt(job.remote, job.warnings) ?? job.remote.expiresAt);
    const waitMs = Math.min(wakeAt ? Math.max(1, Date.parse(wakeAt) - Date.now()) : Infinity, heard ? Infinity : orphanProbeMs);
    if (Number.isFinite(waitMs)) await condition(() => job.released, waitMs);
    else await condition(() => job.released);
    if (job.released || !heard) return;
    if (nextWarningAt(job.remote!, job.warnings) === null) throw expired(job);
    await warn(job);
    showJob(job, `waiting at the gate: ${reason}`, 'resume the batch: its page says how');
  }
}

const expired = ({ remote }: OpenJob): ApplicationFailure =>
  ApplicationFailure.create({ type: failureTypes.expired, message: `The job expired at ${remote!.expiresAt} while it waited at the gate`, nonRetryable: true });
