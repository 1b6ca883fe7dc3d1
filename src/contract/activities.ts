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
  /** Deadline for processing and archiving. */
  expiresAt: string;
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
  jobs: number;
  bytes: number;
  pages: number | null;
}

/** Answer of `createJob`. */
export interface CreatedJob extends RemoteJob {
  /** Set when `job.limits` are lower than this job's plan needs: nothing may be uploaded. */
  lowered: Limits | null;
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
  /** A terminal status; `expired` also when the job is gone after its deadline. */
  status: 'completed' | 'completed_with_errors' | 'failed' | 'cancelled' | 'expired';
  error: { code: string; message: string } | null;
  creditsDebited: number | null;
}

/** How a job ends: with an archived result, or with one outcome for every document that has none of its own. */
export type JobEnding =
  | { kind: 'archived' }
  | { kind: 'ended'; outcome: 'failed' | 'cancelled' | 'expired'; reason: Reason };

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
  /** Writes documents.jsonl and job.json of a job that is over, removes its working files, and adds up. Safe to repeat. */
  closeJob(request: JobRef & { remote: RemoteJob | null; ending: JobEnding }): Promise<JobTotals>;
  /** Which of these jobs' workflows are not running any more; their totals come from documents.jsonl, zero when there is none. */
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
  completeUploads(request: JobRef & { remote: RemoteJob }): Promise<void>;
  /** Ends when the job is terminal. @throws NotYet (retried) */
  awaitJob(request: JobRef & { remote: RemoteJob }): Promise<EndedJob>;
  /** Asks for cancellation; a job that is already terminal is no error. */
  cancelJob(request: JobRef & { remote: RemoteJob }): Promise<void>;
}

/** Activities on `plangrep-transfer`. */
export interface TransferActivities {
  /** Writes plan.jsonl and plan.json from the accepted input. Reuses them when they are there. @throws SourceUnavailable, InvalidInput, EmptySource */
  planBatch(request: { batchId: string }): Promise<PlannedBatch>;
  /** Sends the job's documents; goes on where an earlier attempt stopped. */
  uploadDocuments(request: JobRef & { remote: RemoteJob; upload: 'form' | 'signed' }): Promise<UploadedJob>;
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
  /** Archives result and artifacts, verified while they pass; downloads only what is missing. @throws Expired */
  archiveJob(request: JobRef & { remote: RemoteJob }): Promise<{ files: number; bytes: number }>;
}

/** For planning and splitting: what a range of the plan holds. */
export type { PlanRange };
