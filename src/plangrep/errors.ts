/** Who answered: the API itself, or the storage behind a signed URL. */
export type ErrorOrigin = 'api' | 'storage';

/** What is known about a failed call. Everything left out is null; `origin` defaults to `api`. */
export interface ErrorFacts {
  /** HTTP status; null when there was no answer. */
  status?: number | null;
  /** The error's code as the body gave it, or Node's and undici's code for a failed connection. Branch on this, never on the message. */
  code?: string | null;
  /** From `Retry-After`, in ms, 0 to 24 h; null when it was absent or absurd. */
  retryAfterMs?: number | null;
  origin?: ErrorOrigin;
}

/**
 * What every failed call throws, beside cancellation (the signal's own reason) and errors of a body that we read ourselves.
 * Messages hold no key, token, query or response body, so they may be logged and shown.
 */
export abstract class PlangrepError extends Error {
  abstract readonly kind: string;
  readonly status: number | null;
  readonly code: string | null;
  readonly retryAfterMs: number | null;
  /** `storage` for signed URLs: a 403 there is a {@link RejectedError} and says nothing about the API key. */
  readonly origin: ErrorOrigin;

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message);
    this.name = new.target.name;
    this.status = facts.status ?? null;
    this.code = facts.code ?? null;
    this.retryAfterMs = facts.retryAfterMs ?? null;
    this.origin = facts.origin ?? 'api';
  }
}

/** No answer, or only a part of it: refused, reset, timed out, cut off. Safe to repeat when the call is. */
export class TransportError extends PlangrepError {
  readonly kind = 'transport';
}

/** 408, 425, 429, 5xx: the same call may go well later. */
export class BusyError extends PlangrepError {
  readonly kind = 'busy';
}

/** 402, or a code that says the credits are not enough. Ends only when someone adds credits. */
export class CreditError extends PlangrepError {
  readonly kind = 'credit';
}

/** 401 or 403 from the API: the key is missing, wrong, revoked, or lacks a scope. */
export class AuthError extends PlangrepError {
  readonly kind = 'auth';
}

/** Any other answer that is no success, redirects included. Repeating the call as it is does not help. */
export class RejectedError extends PlangrepError {
  readonly kind = 'rejected';
}

/** An idempotency key that was used with another body: a bug on this side. */
export class ConflictError extends PlangrepError {
  readonly kind = 'conflict';
}

/** A success whose body is not what the API documents: HTML, broken JSON, missing ids. */
export class ContractError extends PlangrepError {
  readonly kind = 'contract';
  /** Where and what, such as `job.id: invalid_type`; never a value from the body. */
  readonly issues: string[];
  /** The body is no JSON at all, but a web page, cut off, encoded or empty: somebody on the way answered, or spoilt the answer. */
  readonly unreadable: boolean;

  constructor(message: string, issues: string[], { unreadable = false, ...facts }: ErrorFacts & { unreadable?: boolean } = {}) {
    super(`${message}: ${issues.slice(0, 5).join('; ')}`, facts);
    this.issues = issues;
    this.unreadable = unreadable;
  }
}

/** A body that gave more or fewer bytes than were announced: the file changed while it was sent. No fault of the remote side. */
export class BodyLengthError extends Error {
  override readonly name = 'BodyLengthError';
  constructor(
    /** Bytes announced. */
    readonly expectedBytes: number,
    /** Bytes seen when it was noticed. */
    readonly seenBytes: number,
  ) {
    super(`The body has ${seenBytes < expectedBytes ? 'only' : 'at least'} ${seenBytes} bytes instead of ${expectedBytes}`);
  }
}

type StatusError = typeof BusyError | typeof CreditError | typeof AuthError | typeof RejectedError | typeof ConflictError;

const busyStatuses = new Set([408, 425, 429]);
// S3 answers 400 when it gave up waiting for our bytes; that is a slow network, not a bad request.
const busyStorageCodes = new Set(['RequestTimeout', 'SlowDown']);

const letters = (code: string | null): string => (code ?? '').toLowerCase().replace(/[^a-z]/g, '');
const saysCredits = (code: string | null): boolean => /insufficientcredit|notenoughcredit|creditsexhausted/.test(letters(code));
const saysIdempotency = (code: string | null): boolean => letters(code).includes('idempotency');
const isBusy = (status: number): boolean => busyStatuses.has(status) || status >= 500;

function apiErrorClass(status: number, code: string | null): StatusError {
  if (status === 402) return CreditError;
  if (status === 401) return AuthError;
  if (status < 500 && saysCredits(code)) return CreditError;
  if (status === 403) return AuthError;
  if (isBusy(status)) return BusyError;
  return (status === 409 || status === 422) && saysIdempotency(code) ? ConflictError : RejectedError;
}

/** The error for an answer that is no success, from its status, its code and who gave it; /api-reference/project-reads/search-sources, /authentication. */
export function errorForStatus(message: string, facts: ErrorFacts & { status: number }): PlangrepError {
  const code = facts.code ?? null;
  if (facts.origin !== 'storage') return new (apiErrorClass(facts.status, code))(message, facts);
  const busy = isBusy(facts.status) || (code !== null && busyStorageCodes.has(code));
  return new (busy ? BusyError : RejectedError)(message, facts);
}

const lostStatuses = new Set([401, 403, 404, 410]);
const lostCodes = new Set(['ExpiredToken', 'RequestExpired', 'NoSuchUpload']);

/** Whether storage refused a signed URL so that only a new registration helps: it expired, or its upload is gone. */
export function needsNewRegistration(error: unknown): boolean {
  if (!(error instanceof RejectedError) || error.origin !== 'storage') return false;
  return lostStatuses.has(error.status ?? 0) || lostCodes.has(error.code ?? '');
}
