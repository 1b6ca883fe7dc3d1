import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ClosedJob, RemoteJob, ResendKind } from './activities';
import type { BatchInput, BatchProgress, BatchStatus, DeadlineWarning, Gate, GateReason, Limits } from './batch';
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

/** The memo field of a job workflow that holds the sealed webhook signing secret. */
export const webhookSecretMemo = 'webhookSecret';
/** The memo field of a cancelled batch that holds its summary: a cancelled workflow has no result. */
export const summaryMemo = 'summary';

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

/** A job that waits for the gate: blocked at Plangrep, or a call of it was refused. */
export interface BlockedJob {
  job: number;
  /** `resume`: blocked at Plangrep, to be resumed there. `call`: a call was refused, to be made again. */
  how: 'resume' | 'call';
  reason: Exclude<GateReason, 'paused' | 'failing'>;
  /** Null while the remote job does not exist. */
  expiresAt: string | null;
}

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
  /** Closed jobs whose documents are to be sent again in follow-up jobs that are not made yet. */
  resends: { job: number; how: ResendKind }[];
  /** Jobs whose workflow was started and has not been seen closed: the set, never a count. */
  open: number[];
  /** Open jobs whose workflow was lost once and started again. */
  adopted: number[];
  /** Jobs whose workflow was lost and that have not been started again or given up. */
  lost: number[];
  /** Lower than planned, once a created job said so; holds for all jobs not yet created. */
  lowered: Limits | null;
  /** Closed: no new job starts. */
  gate: Gate | null;
  /** Probes since the gate closed. */
  probes: number;
  /** Open jobs that wait for the gate. */
  blocked: BlockedJob[];
  /** The blocked job that was told to go on and has not answered. */
  goingOn: number | null;
  /** Open jobs whose deadline nears. */
  warnings: DeadlineWarning[];
  /** Jobs that failed in a row with one code. */
  failures: { code: string; inARow: number } | null;
  /** Of failed jobs that were halved: the halves, while neither has failed. One of them is bound to. */
  halves: number[][];
  /** The batch was cancelled: open jobs end, no other starts. */
  cancelled: boolean;
  startedAt: string;
  /** When the search attributes were last written, in ms. */
  shownAt: number;
  progress: BatchProgress;
}

/** A batch of which nothing is known yet. */
export const noProgress = (): BatchProgress => ({
  status: 'planning',
  gate: null,
  warning: null,
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
  /** The input's: documents that another batch is at are passed over. */
  skipProcessed: boolean;
  attributes: SearchAttributeName[];
}

/** What a job run hands to the next one, while it waits. */
export interface JobState {
  remote: RemoteJob;
  /** Plangrep's status as last known. */
  status: string;
  phase: 'waiting' | 'blocked' | 'resuming';
  /** A webhook came that no read has answered. */
  hinted: boolean;
  /** Of the warnings about the deadline, how many are behind it. */
  warnings: number;
  /** The batch said that a refused call may be made again. */
  released: boolean;
  /** The batch said that the blocked job may be resumed. */
  resumeAsked: boolean;
}

/** A job's report to its batch: always sent, whether it went well or not. */
export interface JobReport extends ClosedJob {
  job: number;
  /** `overLimits`: nothing was sent, its documents must be split under `limits`. `lost`: its workflow ended without an account of its documents. */
  kind: 'closed' | 'overLimits' | 'lost';
  limits: Limits | null;
}

/** Job to batch: this job's workflow is done. Repeats are ignored. */
export const jobFinishedSignal = defineSignal<[JobReport]>('jobFinished');
/** Job to batch: this job waits for the gate, again or for the first time. */
export const jobBlockedSignal = defineSignal<[BlockedJob]>('jobBlocked');
/** Job to batch: this job goes on. */
export const jobResumedSignal = defineSignal<[{ job: number }]>('jobResumed');
/** Job to batch: this job is open although half or nine tenths of its time are over. */
export const deadlineNearedSignal = defineSignal<[DeadlineWarning]>('deadlineNeared');

/** What a webhook said; only a reason to read the job. */
export interface WebhookNews {
  status: string | null;
  updatedAt: string | null;
}
/** Receiver to job: Plangrep says that the job has changed. */
export const jobStatusChangedSignal = defineSignal<[WebhookNews]>('jobStatusChanged');
/** Batch to job: resume at Plangrep, it is your turn. */
export const resumeJobSignal = defineSignal('resumeJob');
/** Batch to job: make the refused call again. */
export const gateOpenedSignal = defineSignal('gateOpened');

/** Answer of the updates: what the batch does from now on. */
export interface Answer {
  status: BatchStatus;
  message: string;
}
/** Operator to batch: open the gate, whatever closed it. Returns at once; takes no argument. */
export const resumeUpdate = defineUpdate<Answer, []>('resume');
/** Operator to batch: start no new job until `resume`; running ones finish. Takes no argument. */
export const pauseUpdate = defineUpdate<Answer, []>('pause');
/** What a batch is doing; answered from memory. */
export const statusQuery = defineQuery<BatchProgress>('status');
