/**
 * What workflows ask of activities, by task queue. Types only: the bundle takes nothing from here.
 * Arguments and answers are plain JSON of a few hundred bytes; what is large lies in the store.
 */
import type { BatchProgress, Counts, Limits, Reason } from './batch';
import type { JobReport, SearchAttributeName } from './messages';
import type { JobTotals, PlanRange } from './archive';
import type { BatchInput } from './batch';

/** Names one job of one batch. */
export interface JobRef {
  batchId: string;
  job: number;
}

/** A remote job that exists. */
export interface RemoteJob {
  jobId: string;
  externalId: string;
  /** With `expiresAt` the span of which half and a tenth are marked. */
  createdAt: string;
  /** Deadline for processing and archiving. */
  expiresAt: string;
}

/** A request about a remote job. */
export interface OnRemoteJob extends JobRef {
  remote: RemoteJob;
  /** When this has passed, a step that still fails ends with DeadlineNears instead of being retried. Null: no mark is left. */
  warnAt: string | null;
}

/** Answer of `acceptBatch`. */
export interface AcceptedBatch {
  input: Omit<BatchInput, 'source' | 'classify'>;
  /** Of our search attributes, those the namespace knows. */
  attributes: SearchAttributeName[];
  /** Where the archive lies, for people. */
  archive: string;
}

/** Answer of `planBatch`. */
export interface PlannedBatch {
  documents: number;
  rejected: number;
  duplicates: number;
  skipped: number;
  jobs: number;
  bytes: number;
  pages: number | null;
}

/** Answer of `createJob`. */
export interface CreatedJob extends RemoteJob {
  /** Set when `job.limits` are lower than this job's plan needs: nothing may be uploaded. */
  lowered: Limits | null;
  /** The webhook signing secret, sealed for the job's workflow id; null when there is none or the answer had none. */
  webhookSecret: string | null;
}

/** Answer of `uploadDocuments`. */
export interface UploadedJob {
  sent: number;
  /** Not sent: changed, vanished or refused. */
  notSent: number;
  bytes: number;
}

/** A remote job at its end. */
export interface EndedJob {
  kind: 'ended';
  /** A terminal status; `expired` also when the job is gone after its deadline. */
  status: 'completed' | 'completed_with_errors' | 'failed' | 'cancelled' | 'expired';
  error: { code: string; message: string } | null;
  /** Null when the job does not say. */
  creditsDebited: number | null;
}

/** What a look at a job found: its end, that it is blocked for credits, or that it is processing. */
export type JobSight = EndedJob | { kind: 'blocked' } | { kind: 'working' };

/** How a job ends: with an archived result, with one outcome for every document that has none of its own, or failed at Plangrep. */
export type JobEnding =
  | { kind: 'archived' }
  | { kind: 'ended'; outcome: 'failed' | 'cancelled' | 'expired'; reason: Reason }
  | { kind: 'failed'; error: EndedJob['error']; creditsDebited: number | null };

/**
 * How documents of a closed job are sent again. `halves`: the failed job's, in two jobs. `pages`: packed anew by counted pages, into jobs of at most half of its
 * pages. `whole`: the failed job's as they were. `documents`: those that failed, in one job.
 */
export type ResendKind = 'halves' | 'pages' | 'whole' | 'documents';

/** Answer of `closeJob` and `archiveJob`. */
export interface ClosedJob extends JobTotals {
  /** Null when no document is to be sent again. */
  resend: ResendKind | null;
  /** The error code of a job that failed at Plangrep; null when it did not fail. */
  failedWith: string | null;
}

/** Activities on `plangrep-batch`: the store, for an instant. */
export interface BatchActivities {
  /**
   * Parses the input, refuses an id that is taken, writes input.json, and names the registered search attributes.
   * Safe to repeat. @throws InvalidInput, BatchIdTaken
   */
  acceptBatch(request: { batchId: string; input: unknown; startedAt: string }): Promise<AcceptedBatch>;
  /**
   * Parts of a job that fit into `limits`, as follow-up jobs from number `next`; `[job]` itself when it fits. Documents that
   * fit in no job any more are counted as `rejected`; their outcomes are in the documents.jsonl of `job`. Safe to repeat.
   */
  splitJob(request: JobRef & { limits: Limits; next: number }): Promise<{ jobs: number[]; rejected?: number }>;
  /**
   * Writes documents.jsonl, job.json and the ledger's entries of a job that is over, removes its working files, adds up, and says what
   * is to be sent again. Safe to repeat.
   */
  closeJob(request: JobRef & { projectId: string; remote: RemoteJob | null; ending: JobEnding }): Promise<ClosedJob>;
  /** Which of these jobs' workflows are not running any more; `lost` when there is no documents.jsonl. */
  findClosedJobs(request: { batchId: string; jobs: number[] }): Promise<JobReport[]>;
}

/** Activities on `plangrep-api`: one remote call an attempt. */
export interface ApiActivities {
  /** Matches ids, then names. Null when there is none. */
  findProject(request: { project: string; orFail: boolean }): Promise<{ projectId: string } | null>;
  createProject(request: { name: string }): Promise<{ projectId: string }>;
  /** Ends when the project is ready and not being upgraded. @throws ProjectNotReady */
  awaitProject(request: { projectId: string; since: string }): Promise<void>;
  /** Creates the remote job at most once, whatever happens; see docs/architecture.md. Null when this job has already been closed. */
  createJob(request: JobRef & { projectId: string }): Promise<CreatedJob | null>;
  /** Ends the upload window; repeats are harmless. */
  completeUploads(request: OnRemoteJob): Promise<void>;
  /**
   * Ends when the job is terminal, or is what `until` names: blocked for credits, or processing. Else @throws NotYet (retried);
   * NotFound for a job that is gone before its deadline. With `until` only `working` the job has just been seen blocked, so the first look
   * comes after the shortest delay.
   */
  awaitJob(request: OnRemoteJob & { until: readonly ('blocked' | 'working')[] }): Promise<JobSight>;
  /** Asks a blocked job to go on; one that is not blocked (any more) is no error. @throws InsufficientCredit */
  resumeJob(request: OnRemoteJob): Promise<void>;
  /** Asks for cancellation; a job that is already terminal is no error. */
  cancelJob(request: OnRemoteJob): Promise<void>;
  /** Asks for cancellation of the remote job that a lost job workflow left behind, if there is one and it is not over. */
  abandonJob(request: JobRef): Promise<RemoteJob | null>;
}

/** Activities on `plangrep-transfer`. */
export interface TransferActivities {
  /**
   * Writes plan.jsonl and plan.json from the accepted input. Reuses them when they are there. `projectId`: whose ledger says what is
   * to be skipped; null when nothing is. @throws SourceUnavailable, InvalidInput, EmptySource, TooExpensive
   */
  planBatch(request: { batchId: string; projectId: string | null }): Promise<PlannedBatch>;
  /**
   * Makes follow-up jobs of a closed job's documents that are to be sent again, from number `next` unless they were made before. `counts`: the
   * outcomes that those documents had, which no longer count; `nextFollowUp`: the next free number. Safe to repeat.
   */
  resendDocuments(request: JobRef & { how: ResendKind; next: number }): Promise<{ jobs: number[]; counts: Counts; nextFollowUp: number }>;
  /** Sends the job's documents; goes on where an earlier attempt stopped. */
  uploadDocuments(request: OnRemoteJob & { projectId: string; upload: 'form' | 'signed'; skipProcessed: boolean }): Promise<UploadedJob>;
  /** Writes manifest.jsonl, then manifest.json, then removes `work/<batchId>`. Safe to repeat. */
  writeManifest(request: ManifestRequest): Promise<ManifestTotals>;
}

/** Argument of `writeManifest`. */
export interface ManifestRequest {
  batchId: string;
  projectId: string | null;
  startedAt: string;
  closedAt: string;
  /** For documents of jobs that never wrote an outcome; null when every job did its work (then such a document is `job_workflow_lost`). */
  failure: Reason | null;
  error: BatchProgress['error'];
  /** The batch was cancelled: that is its status, whatever its documents came to. */
  cancelled: boolean;
}

/** Answer of `writeManifest`. */
export interface ManifestTotals {
  status: 'completed' | 'completed_with_errors' | 'failed' | 'cancelled';
  documents: number;
  counts: Counts;
  pages: number;
  credits: number;
}

/** Activities on `plangrep-archive`. */
export interface ArchiveActivities {
  /**
   * Archives result and artifacts, verified while they pass; downloads only what is missing. Then closes the job as `closeJob` does: one
   * action less. @throws Expired
   */
  archiveJob(request: OnRemoteJob & { projectId: string }): Promise<ClosedJob>;
}

/** For planning and splitting: what a range of the plan holds. */
export type { PlanRange };
