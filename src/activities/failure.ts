import { hostname } from 'node:os';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, TemporalFailure } from '@temporalio/common';
import { failureTypes } from '../contract/failures';
import type { FailureType } from '../contract/failures';
import { AuthError, BusyError, ConflictError, ContractError, CreditError, PlangrepError, RejectedError, TransportError } from '../plangrep/errors';
import { BrokenFileError } from '../store/jsonl';
import { StoreError } from '../store/store-error';

/** How long a call that lacks credits waits before it is tried again, in ms. */
const creditRetryMs = 5 * 60_000;

/** Longest message that goes into a history, in characters; the server itself cuts failures at 4 KB. */
const maxMessage = 1_500;
const shortened = (message: string): string => (message.length > maxMessage ? `${message.slice(0, maxMessage)} …` : message);

/** A failure that no retry can mend. */
export const giveUp = (type: FailureType, message: string, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type, message: shortened(message), nonRetryable: true, details });

/** Not there yet: the activity is tried again after `delayMs`, at no cost in history. */
export const notYet = (message: string, delayMs: number): ApplicationFailure =>
  ApplicationFailure.create({ type: failureTypes.notYet, message, nextRetryDelay: Math.max(1, delayMs), category: ApplicationFailureCategory.BENIGN });

/**
 * What Temporal is told of an error: the only such mapping. Failures that are made already, and cancellation, pass untouched.
 * Nothing is left unmapped: an unknown error is `Internal`, and retried.
 */
export function toFailure(error: unknown): Error {
  if (error instanceof TemporalFailure) return error;
  if (cancellationSignal().aborted) return cancellationSignal().reason as Error;
  if (error instanceof PlangrepError) return fromPlangrep(error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BrokenFileError) return giveUp(failureTypes.archiveDamaged, message);
  if (error instanceof StoreError) return retryable(failureTypes.archiveUnavailable, `On ${hostname()}: ${message}`);
  return ApplicationFailure.create({ type: failureTypes.internal, message: shortened(message), ...(error instanceof Error && { cause: error }) });
}

function fromPlangrep(error: PlangrepError): ApplicationFailure {
  const { message, status, code } = error;
  const details = { status, code };
  if (error instanceof BusyError) return retryable(failureTypes.busy, message, error.retryAfterMs);
  if (error instanceof TransportError) return retryable(failureTypes.unreachable, message);
  if (error instanceof CreditError) {
    const category = ApplicationFailureCategory.BENIGN;
    return ApplicationFailure.create({ type: failureTypes.insufficientCredit, message, nextRetryDelay: creditRetryMs, category });
  }
  if (error instanceof AuthError) return giveUp(failureTypes.unauthorized, message, details);
  if (error instanceof ConflictError) return giveUp(failureTypes.idempotencyConflict, message, details);
  if (error instanceof ContractError) return giveUp(failureTypes.contractViolation, message, { ...details, issues: error.issues.slice(0, 20) });
  if (error instanceof RejectedError) return giveUp(status === 404 ? failureTypes.notFound : failureTypes.rejected, message, details);
  return retryable(failureTypes.internal, message);
}

const retryable = (type: FailureType, message: string, delayMs: number | null = null): ApplicationFailure =>
  ApplicationFailure.create({ type, message: shortened(message), ...(delayMs !== null && { nextRetryDelay: Math.max(1, delayMs) }) });

/** The same activities, each failing only with what {@link toFailure} makes. */
export function withFailures<T extends object>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, run]) => [
    name,
    async (...args: unknown[]) => {
      try {
        return await (run as (...args: unknown[]) => unknown)(...args);
      } catch (error) {
        throw toFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/** The attempt that runs now, from 1. */
export const attempt = (): number => activityInfo().attempt;
