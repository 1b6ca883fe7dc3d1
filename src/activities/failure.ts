import { hostname } from 'node:os';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, TemporalFailure } from '@temporalio/common';
import type { OnRemoteJob } from '../contract/activities';
import { failureTypes, nonRetryableTypes } from '../contract/failures';
import type { FailureType } from '../contract/failures';
import { AuthError, BusyError, ConflictError, ContractError, CreditError, PlangrepError, RejectedError, TransportError } from '../plangrep/errors';
import { NotFoundError } from '../store';
import { BrokenFileError } from '../store/jsonl';
import { SealError } from '../store/seal';
import { StoreError } from '../store/store-error';

/**
 * How often an answer that is JSON and not what is documented, or that leads elsewhere, is asked for again; about a quarter of an hour with
 * the retry policy. What is no JSON at all, such as a gateway's page, is as good as no answer and is asked for again as long as there is time.
 */
const patientAttempts = 20;
/** Longest message that goes into a history, in characters; the server itself cuts failures at 4 KB. */
const maxMessage = 1_500;
/** What to do about a file of ours that is not what was written. */
const damageAdvice = 'It was changed from outside, or its disk is damaged. Put the file back as it was, if there is a copy; what the batch did not process, plangrep-batch retry takes up.';
/** What to do about one that is not there. */
const absenceAdvice = 'It was there before: check that PLANGREP_ARCHIVE names the same folder for all workers and is mounted, or put the file back. This goes on by itself.';
const shortened = (message: string): string => (message.length > maxMessage ? `${message.slice(0, maxMessage)} …` : message);

/** A failure that no retry can mend. */
export const giveUp = (type: FailureType, message: string, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type, message: shortened(message), nonRetryable: true, details });

/** Not there yet: the activity is tried again after `delayMs`, at no cost in history. */
export const notYet = (message: string, delayMs: number): ApplicationFailure =>
  ApplicationFailure.create({ type: failureTypes.notYet, message: shortened(message), nextRetryDelay: Math.max(1, delayMs), category: ApplicationFailureCategory.BENIGN });

/** Whether Temporal would run the activity again after this failure. Cancellation is none that it would. */
const isRetried = (failure: Error): failure is ApplicationFailure =>
  failure instanceof ApplicationFailure && !failure.nonRetryable && !nonRetryableTypes.includes(failure.type ?? '');

/** The failure of `error`, retried no sooner than after `delayMs`: for calls that must keep their distance even when one of them failed. */
export function noSooner(error: unknown, delayMs: number): Error {
  const failure = toFailure(error);
  if (!isRetried(failure) || Number(failure.nextRetryDelay ?? 0) >= delayMs) return failure;
  const { type, message, category, cause } = failure;
  return ApplicationFailure.create({ type: type!, message, nextRetryDelay: delayMs, ...(category && { category }), ...(cause && { cause }) });
}

/**
 * What Temporal is told of an error: the only such mapping. Failures that are made already, and cancellation, pass untouched.
 * Nothing is left unmapped: an unknown error is `Internal`, and retried.
 */
export function toFailure(error: unknown): Error {
  if (error instanceof TemporalFailure) return error;
  if (cancellationSignal().aborted) return cancellationSignal().reason as Error;
  if (error instanceof PlangrepError) return fromPlangrep(error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BrokenFileError) return giveUp(failureTypes.archiveDamaged, `${message}. ${damageAdvice}`);
  if (error instanceof SealError && error.isDamage) return giveUp(failureTypes.archiveDamaged, `A sealed working file of ${activityInfo().workflowExecution?.workflowId ?? 'this batch'}: ${message}. ${damageAdvice}`);
  if (error instanceof StoreError) return retryable(failureTypes.archiveUnavailable, `On ${hostname()}: ${message}`);
  if (error instanceof NotFoundError) return retryable(failureTypes.archiveUnavailable, `On ${hostname()}: ${message}. ${absenceAdvice}`);
  return ApplicationFailure.create({ type: failureTypes.internal, message: shortened(message), ...(error instanceof Error && { cause: error }) });
}

function fromPlangrep(error: PlangrepError): ApplicationFailure {
  const { message, status, code } = error;
  const details = { status, code };
  if (error instanceof BusyError) return retryable(failureTypes.busy, message, error.retryAfterMs);
  if (error instanceof TransportError || isDoubtful(error)) return retryable(failureTypes.unreachable, message);
  if (error instanceof CreditError) return expected(failureTypes.insufficientCredit, message, details);
  if (error instanceof AuthError) return giveUp(failureTypes.unauthorized, message, details);
  if (error instanceof ConflictError) return giveUp(failureTypes.idempotencyConflict, message, details);
  if (error instanceof ContractError) return giveUp(failureTypes.contractViolation, message, { ...details, issues: error.issues.slice(0, 20) });
  if (error instanceof RejectedError) return giveUp(saysGone(error) ? failureTypes.notFound : failureTypes.rejected, message, details);
  return retryable(failureTypes.internal, message);
}

/**
 * Whether the answer may well be another one next time: it was spoilt on its way, or somebody else gave it. The calls of ours can all be
 * repeated: what they did before is found. Not so an answer of the storage, or one whose instructions make no sense.
 */
function isDoubtful(error: PlangrepError): boolean {
  if (error.origin !== 'api' || error.status === null) return false;
  if (error instanceof ContractError) return error.unreadable || attempt() < patientAttempts;
  return error instanceof RejectedError && error.status < 400 && attempt() < patientAttempts;
}

/** Storage that does not know a signed URL says nothing about the job. */
const saysGone = ({ status, origin }: RejectedError): boolean => (status === 404 || status === 410) && origin === 'api';

/** A failure that no retry can mend and that is no fault of ours: the workflow waits and takes the step again. */
const expected = (type: FailureType, message: string, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type, message: shortened(message), nonRetryable: true, category: ApplicationFailureCategory.BENIGN, details });

const retryable = (type: FailureType, message: string, delayMs: number | null = null): ApplicationFailure =>
  ApplicationFailure.create({ type, message: shortened(message), ...(delayMs !== null && { nextRetryDelay: Math.max(1, delayMs) }) });

/** How often an activity that cannot read its source is offered again at once, and how soon, in ms. */
const offers = { count: 50, everyMs: 1_000 };

/**
 * Another worker may have the mount that this one lacks. The server gives a task to whoever has waited longest, and a worker that has just
 * failed stands in line with each of its polls: the delays of the retry policy would keep the others from their turn for many minutes.
 */
function elsewhereSoon(failure: Error): Error {
  const isAway = failure instanceof ApplicationFailure && failure.type === failureTypes.sourceUnavailable;
  return isAway && attempt() <= offers.count ? noSooner(failure, offers.everyMs) : failure;
}

/** The same activities, each failing only with what {@link toFailure} makes of the error, and {@link inTime} and {@link noLater} of that. */
export function withFailures<T extends object>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, run]) => [
    name,
    async (...args: unknown[]) => {
      try {
        return await (run as (...args: unknown[]) => unknown)(...args);
      } catch (error) {
        const request = (args[0] ?? {}) as Partial<OnRemoteJob>;
        throw noLater(inTime(elsewhereSoon(toFailure(error)), request), request);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/**
 * What a failure means at this time of the job's life. What Plangrep refuses for a job whose deadline has passed is `Expired`, before it
 * could close the gate. What would be retried although the request's `warnAt` has passed is `DeadlineNears`, so that the job can warn
 * without a timer of its own. Both messages repeat what failed.
 */
function inTime(failure: Error, { remote, warnAt }: Partial<OnRemoteJob>): Error {
  if (remote && hasPassed(remote.expiresAt) && isRefusal(failure)) {
    return giveUp(failureTypes.expired, `Job ${remote.jobId} expired at ${remote.expiresAt}: ${failure.message}`);
  }
  if (!warnAt || !hasPassed(warnAt) || !isRetried(failure)) return failure;
  return expected(failureTypes.deadlineNears, `The deadline nears, and this step is not done: ${failure.message}`, { type: failure.type });
}

/** A wish for patience is not cut to less, in ms. */
const leastPatienceMs = 10_000;

/**
 * A wish for patience is cut to half of the time that the step, and its job, have left, and to the next warning. Temporal ends an activity at
 * once whose next attempt would come too late, and a job that is paid for would be lost over a `Retry-After` of a day.
 */
function noLater(failure: Error, { remote, warnAt }: Partial<OnRemoteJob>): Error {
  if (!isRetried(failure) || failure.type !== failureTypes.busy) return failure;
  const now = Date.now();
  const { scheduledTimestampMs, scheduleToCloseTimeoutMs } = activityInfo();
  const ends = [scheduledTimestampMs + scheduleToCloseTimeoutMs, ...(remote ? [Date.parse(remote.expiresAt)] : [])];
  const marks = [...ends.map((end) => (end - now) / 2), ...(warnAt ? [Date.parse(warnAt) - now] : [])].filter((ms) => ms > 0);
  const longestMs = Math.max(leastPatienceMs, Math.ceil(Math.min(...marks)));
  if (Number(failure.nextRetryDelay ?? 0) <= longestMs) return failure;
  return ApplicationFailure.create({ type: failure.type, message: failure.message, nextRetryDelay: longestMs });
}

const isRefusal = (failure: Error): boolean =>
  failure instanceof ApplicationFailure && (failure.type === failureTypes.notFound || failure.type === failureTypes.rejected);

/** Whether an instant (ISO) is now or behind us. */
export const hasPassed = (at: string): boolean => Date.now() >= Date.parse(at);

/** The attempt that runs now, from 1. */
export const attempt = (): number => activityInfo().attempt;
