import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BatchInput, BatchProgress, Limits } from './batch';
import type { JobTotals } from './archive';
import { jobName } from './keys';

/** Workflow types; the web UI shows them. */
export const workflowTypes = { batch: 'batchWorkflow', job: 'jobWorkflow' } as const;

/** Task queues, with one kind of work each. */
export const taskQueues = {
  /** Workflows, and activities that touch only the store for an instant. */
  batch: 'plangrep-batch',
  /** One remote call each; rate-limited by the server for all workers together. */
  api: 'plangrep-api',
  /** Plan, hash, upload, manifest. */
  transfer: 'plangrep-transfer',
  /** Results and artifacts. */
  archive: 'plangrep-archive',
} as const;

const batchIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$/;
/** What {@link isBatchId} accepts, for error messages. */
export const batchIdRule = '1 to 120 letters, digits and ". _ : -", starting with a letter or digit, without ".."';
/** Whether a batch may have this id; checked before any store call, since it names folders. */
export const isBatchId = (id: string): boolean => batchIdPattern.test(id) && !id.includes('..');

/** `batch/<batchId>` */
export const batchWorkflowId = (batchId: string): string => `batch/${batchId}`;
/** The batch id in a batch's workflow id, or null when it is none. */
export function parseBatchWorkflowId(workflowId: string): string | null {
  const id = workflowId.startsWith('batch/') ? workflowId.slice('batch/'.length) : '';
  return isBatchId(id) ? id : null;
}

/** `batch/<batchId>/job/<00001>` */
export const jobWorkflowId = (batchId: string, job: number): string => `${batchWorkflowId(batchId)}/job/${jobName(job)}`;
/** Batch id and job number in a job's workflow id, or null when it is none. */
export function parseJobWorkflowId(workflowId: string): { batchId: string; job: number } | null {
  const match = /^(batch\/[^/]+)\/job\/(\d{5,})$/.exec(workflowId);
  const batchId = match && parseBatchWorkflowId(match[1]!);
  return batchId ? { batchId, job: Number(match[2]) } : null;
}

/** The remote job's `externalId`: the job's workflow id, then `.2`, `.3` for re-created remote jobs. At most 180 characters. */
export const externalId = (batchId: string, job: number, generation: number): string =>
  jobWorkflowId(batchId, job) + (generation > 1 ? `.${generation}` : '');

/** The `Idempotency-Key` of one remote call; a pure function of what is called, at most 256 characters. */
export const idempotencyKey = (step: 'create' | 'complete', remoteExternalId: string): string => `plangrep-batch/${step}/${remoteExternalId}`;

/** Names and kinds of the search attributes; the batch's first activity says which of them are registered. */
export const searchAttributes = {
  BatchStatus: 'KEYWORD',
  BatchId: 'KEYWORD',
  PlangrepJobId: 'KEYWORD',
  PlangrepStatus: 'KEYWORD',
  DocumentCount: 'INT',
  DocumentsDone: 'INT',
  ResultExpiresAt: 'DATETIME',
} as const;
/** One of {@link searchAttributes}. */
export type SearchAttributeName = keyof typeof searchAttributes;

/** Argument of `batchWorkflow`: the input as anyone wrote it, and the state that continue-as-new carries over. */
export type BatchArguments = [input: unknown, carried?: BatchState];

/** What a batch run hands to the next one. Plain JSON, bounded by `maxConcurrentJobs` and the follow-ups waiting. */
export interface BatchState {
  batchId: string;
  input: Omit<BatchInput, 'source' | 'classify'>;
  projectId: string;
  /** Registered search attributes, decided once. */
  attributes: SearchAttributeName[];
  /** Next planned job to start. */
  nextJob: number;
  /** Jobs in plan.json. */
  plannedJobs: number;
  /** Next free number for a job that is not in the plan. */
  nextFollowUp: number;
  /** Follow-up jobs that have not started. */
  waiting: number[];
  /** Jobs whose workflow was started and has not been seen closed: the set, never a count. */
  open: number[];
  /** Lower than planned, once a created job said so; holds for all jobs not yet created. */
  lowered: Limits | null;
  startedAt: string;
  /** When the search attributes were last written, in ms. */
  shownAt: number;
  progress: BatchProgress;
}

/** A batch of which nothing is known yet. */
export const noProgress = (): BatchProgress => ({
  status: 'planning',
  gate: null,
  documents: 0,
  documentsDone: 0,
  counts: {},
  jobs: { planned: 0, open: 0, done: 0 },
  bytes: 0,
  pages: 0,
  credits: 0,
  archive: null,
  error: null,
});

/** Argument of `jobWorkflow`. */
export interface JobInput {
  batchId: string;
  job: number;
  projectId: string;
  upload: 'form' | 'signed';
  attributes: SearchAttributeName[];
}

/** A job's report to its batch: always sent, whether it went well or not. */
export interface JobReport extends JobTotals {
  job: number;
  /** `overLimits`: nothing was sent, its documents must be split under `limits`. `unauthorized`: the key is refused, the batch must end. */
  kind: 'closed' | 'overLimits' | 'unauthorized';
  limits: Limits | null;
}

/** Job to batch: this job's workflow is done. Repeats are ignored. */
export const jobFinishedSignal = defineSignal<[JobReport]>('jobFinished');
/** What a batch is doing; answered from memory. */
export const statusQuery = defineQuery<BatchProgress>('status');
