/**
 * Failure types: the `type` of every ApplicationFailure of this product, and what becomes of each.
 * A failure's name is part of workflow history, so it never changes.
 */
export const failureTypes = {
  /** No answer from Plangrep or its storage: reset, refused, timed out. The activity is retried. */
  unreachable: 'Unreachable',
  /** 408, 425, 429, 5xx. The activity is retried, after `Retry-After` when it was given. */
  busy: 'Busy',
  /** 402, or the insufficient-credit code. Benign, not retried: the batch's gate closes, and the call is made again when it opens. */
  insufficientCredit: 'InsufficientCredit',
  /** 401 or 403. Not retried; fails the batch when its first call is refused, else closes its gate. */
  unauthorized: 'Unauthorized',
  /** 400, 404, 409, 413, 422: Plangrep will not do this. Not retried; the job fails, the batch goes on. */
  rejected: 'Rejected',
  /** 404 for a job, result or artifact that must exist. Not retried; for a job it closes the gate. */
  notFound: 'NotFound',
  /** The same idempotency key with another body: a bug of ours. Not retried. */
  idempotencyConflict: 'IdempotencyConflict',
  /** A 2xx whose body does not have the documented shape. Not retried; details hold the paths of the problems, never the body. */
  contractViolation: 'ContractViolation',
  /** The job or project is not there yet. Benign: retried after the delay that the activity names. */
  notYet: 'NotYet',
  /** Half or nine tenths of the job's time are over, and this step still fails. Not retried: the job warns, then takes the step again. */
  deadlineNears: 'DeadlineNears',
  /** The plan's estimate exceeds the input's `maxCredits`. Not retried; the batch fails. */
  tooExpensive: 'TooExpensive',
  /** The source's root cannot be read on this worker host. Retried on any worker. */
  sourceUnavailable: 'SourceUnavailable',
  /** The archive cannot be written or read on this worker host. Retried on any worker. */
  archiveUnavailable: 'ArchiveUnavailable',
  /** A file of ours in the archive is not what was written. Not retried: it needs a person. */
  archiveDamaged: 'ArchiveDamaged',
  /** The batch's input does not pass the schema, or its list has broken lines. Not retried; the batch fails. */
  invalidInput: 'InvalidInput',
  /** The batch id is malformed, finished, or in use with another input. Not retried; the batch fails. */
  batchIdTaken: 'BatchIdTaken',
  /** No project of the account has the given id or name. Not retried; the batch fails. */
  projectNotFound: 'ProjectNotFound',
  /** The project did not become ready in time, or reports a failure. Not retried; the batch fails. */
  projectNotReady: 'ProjectNotReady',
  /** The source has no document and the input does not allow that. Not retried; the batch fails. */
  emptySource: 'EmptySource',
  /** The job's `expiresAt` has passed. Not retried; its documents are `expired`. */
  expired: 'Expired',
  /** An error that nobody expected: a bug or a broken host. Retried, so that a deploy can mend it. */
  internal: 'Internal',
  /** The batch ended as `failed`; details hold its summary. */
  batchFailed: 'BatchFailed',
} as const;

/** One of {@link failureTypes}. */
export type FailureType = (typeof failureTypes)[keyof typeof failureTypes];

/** Types that no activity retries, for the retry policy; `PayloadsTooLarge` is the SDK's own, which it would retry for ever. */
export const nonRetryableTypes: string[] = [
  failureTypes.insufficientCredit,
  failureTypes.deadlineNears,
  failureTypes.tooExpensive,
  failureTypes.unauthorized,
  failureTypes.rejected,
  failureTypes.notFound,
  failureTypes.idempotencyConflict,
  failureTypes.contractViolation,
  failureTypes.archiveDamaged,
  failureTypes.invalidInput,
  failureTypes.batchIdTaken,
  failureTypes.projectNotFound,
  failureTypes.projectNotReady,
  failureTypes.emptySource,
  failureTypes.expired,
  'PayloadsTooLarge',
];
