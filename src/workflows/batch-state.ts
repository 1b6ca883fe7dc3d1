import { ActivityFailure, ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { BatchProgress, BatchStatus, GateReason } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { noProgress } from '../contract/messages';
import type { BatchState } from '../contract/messages';
import { recordAttributes } from './attributes';
import { table } from './details';

/** `DocumentsDone` changes in the web UI's list at most this often, in ms: each change is an action. */
const showEveryMs = 60_000;

/** The state before anything has happened. */
export function newBatch(batchId: string, startedAt: string): BatchState {
  return {
    batchId,
    input: {
      project: '', limits: {}, maxConcurrentJobs: 1, upload: 'auto', createProject: false, allowEmpty: false, skipProcessed: false,
      retryFailedDocuments: 0, retryPartialDocuments: false, splitFailedJobs: false, probe: true, labels: {},
    },
    projectId: '',
    attributes: [],
    nextJob: 1,
    plannedJobs: 0,
    nextFollowUp: 1,
    waiting: [],
    resends: [],
    open: [],
    adopted: [],
    lost: [],
    lowered: null,
    gate: null,
    probes: 0,
    blocked: [],
    goingOn: null,
    warnings: [],
    failures: null,
    halves: [],
    cancelled: false,
    startedAt,
    shownAt: 0,
    progress: noProgress(),
  };
}

/** What an earlier run handed over, or else the new state. Of a release that knew less, what it did not know is as in a new batch. */
export const takeUp = (fresh: BatchState, carried: BatchState | undefined): BatchState =>
  carried ? { ...fresh, ...carried, progress: { ...fresh.progress, ...carried.progress } } : fresh;

const closedStatus: Record<GateReason, BatchStatus> = {
  paused: 'paused',
  insufficient_credits: 'blocked_credits',
  unauthorized: 'blocked_auth',
  job_not_found: 'blocked_auth',
  failing: 'failing',
};

/** What a batch that is at its jobs is called. */
export const runningStatus = ({ gate }: BatchState): BatchStatus => (gate ? closedStatus[gate.reason] : 'running');

/** Shows where the batch stands: in its details always, in the lists when the status changes or a minute has passed. */
export function showProgress(batch: BatchState, status: BatchStatus = batch.progress.status): void {
  const { progress } = batch;
  const changed = progress.status !== status;
  progress.status = status;
  progress.gate = batch.gate;
  progress.warning = batch.warnings.toSorted((a, b) => a.expiresAt.localeCompare(b.expiresAt))[0] ?? null;
  progress.jobs.open = batch.open.length;
  setCurrentDetails(details(batch));
  if (!changed && Date.now() - batch.shownAt < showEveryMs) return;
  batch.shownAt = Date.now();
  recordAttributes(batch.attributes, { BatchStatus: status, BatchId: batch.batchId, DocumentCount: progress.documents, DocumentsDone: progress.documentsDone });
}

const causes: Record<GateReason, string> = {
  paused: 'an operator paused the batch',
  insufficient_credits: 'credits are used up',
  unauthorized: 'Plangrep refuses the API key',
  job_not_found: 'a job that must exist is not there for this API key',
  failing: 'three jobs in a row failed with one error',
};
const resume = 'send the update `resume` (More Actions, Send an Update; or `plangrep-batch resume`)';
const advice: Record<GateReason, string> = {
  paused: `to go on, ${resume}`,
  insufficient_credits: `add credits at Plangrep, then ${resume}`,
  unauthorized: `put a valid key into the workers' key file, then ${resume}`,
  job_not_found: `see that key and address are those of the account that made the jobs, then ${resume}`,
  failing: `look at the failed jobs; to go on, ${resume}`,
};

/** An instant as people read it, without places to break it. */
const shown = (iso: string): string => iso.replace(/^(.{10})T(.{5}).*$/, '$1\u00a0$2\u00a0UTC');

/** The deadline to look at: of jobs that are late, else of those that wait. */
function nextDeadline({ progress: { warning }, blocked }: BatchState): string {
  if (warning) return `**${shown(warning.expiresAt)}**, job ${warning.job}, less than ${warning.percentLeft} % of its time left`;
  const next = blocked.flatMap(({ job, expiresAt }) => (expiresAt === null ? [] : [{ job, expiresAt }])).toSorted((a, b) => a.expiresAt.localeCompare(b.expiresAt))[0];
  return next ? `${shown(next.expiresAt)}, job ${next.job}` : 'none is near';
}

function details(batch: BatchState): string {
  const { gate, progress, failures, cancelled } = batch;
  const { status, documents, documentsDone, jobs, counts, error } = progress;
  const probe = gate?.nextProbeAt ? `; tries by itself at ${shown(gate.nextProbeAt)}` : '';
  const failing = gate?.reason === 'failing' && failures ? ` (${failures.code})` : '';
  return table([
    ['Status', cancelled && status === 'running' ? 'being cancelled' : status],
    ['Documents', `${documentsDone} of ${documents}`],
    ['Jobs', `${jobs.done} of ${jobs.planned} done, ${jobs.open} open`],
    ...Object.entries(counts).map(([outcome, count]): [string, string] => [outcome, String(count)]),
    ['Gate', gate ? `**closed**: ${causes[gate.reason]}${failing}, since ${shown(gate.since)}${probe}` : 'open'],
    ...(batch.blocked.length > 0 ? [['Waiting', `${batch.blocked.length === 1 ? 'job' : 'jobs'} ${batch.blocked.map(({ job }) => job).join(', ')}`] as [string, string]] : []),
    ['Deadline', nextDeadline(batch)],
    ['What to do', gate ? advice[gate.reason] : 'nothing'],
    ...(error ? [['Error', `${error.code}: ${error.message}`] as [string, string]] : []),
  ]);
}

/** What a failed activity says, for people. Anything that is not an expected failure is a bug and passes. */
export function failureOf(error: unknown): { code: string; message: string } {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { code: cause.type ?? 'Error', message: cause.message };
  if (error instanceof ActivityFailure) return { code: 'TimedOut', message: `${error.activityType} did not end in time` };
  throw error;
}

/** The end of a batch that failed; its details hold the summary. */
export function batchFailure(error: BatchProgress['error'], progress: BatchProgress | null): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.batchFailed,
    message: error ? `${error.code}: ${error.message}` : 'The batch failed',
    nonRetryable: true,
    details: progress ? [progress] : [],
  });
}
