import { ActivityFailure, ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { BatchProgress, BatchStatus } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { noProgress } from '../contract/messages';
import type { BatchState } from '../contract/messages';
import { recordAttributes } from './attributes';

/** `DocumentsDone` changes in the web UI's list at most this often, in ms: each change is an action. */
const showEveryMs = 60_000;

/** The state before anything has happened. */
export function newBatch(batchId: string, startedAt: string): BatchState {
  return {
    batchId,
    input: { project: '', limits: {}, maxConcurrentJobs: 1, upload: 'auto', createProject: false, allowEmpty: false, labels: {} },
    projectId: '',
    attributes: [],
    nextJob: 1,
    plannedJobs: 0,
    nextFollowUp: 1,
    waiting: [],
    open: [],
    lowered: null,
    startedAt,
    shownAt: 0,
    progress: noProgress(),
  };
}

/** Shows where the batch stands: in its details always, in the lists when the status changes or a minute has passed. */
export function showProgress(batch: BatchState, status: BatchStatus = batch.progress.status): void {
  const { progress } = batch;
  const changed = progress.status !== status;
  progress.status = status;
  setCurrentDetails(details(progress));
  if (!changed && Date.now() - batch.shownAt < showEveryMs) return;
  batch.shownAt = Date.now();
  recordAttributes(batch.attributes, { BatchStatus: status, BatchId: batch.batchId, DocumentCount: progress.documents, DocumentsDone: progress.documentsDone });
}

function details({ status, documents, documentsDone, jobs, counts, error }: BatchProgress): string {
  const rows = [
    ['Status', status],
    ['Documents', `${documentsDone} of ${documents}`],
    ['Jobs', `${jobs.done} of ${jobs.planned} done, ${jobs.open} open`],
    ...Object.entries(counts),
    ...(error ? [['Error', `${error.code}: ${error.message}`]] : []),
  ];
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
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
