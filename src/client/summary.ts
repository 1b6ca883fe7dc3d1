import type { TypedSearchAttributes } from '@temporalio/common';
import { defineSearchAttributeKey } from '@temporalio/common';
import { batchStatuses, type BatchProgress, type BatchStatus, type Counts } from '../contract/batch';
import { noProgress } from '../contract/messages';
import type { Trouble } from './trouble';

/** What a batch is doing or how it ended. */
export interface BatchSummary {
  type: 'summary';
  batchId: string;
  workflowId: string;
  runId: string;
  status: BatchStatus;
  /** Why no new job starts; null when jobs do. */
  gate: BatchProgress['gate'];
  /** The job whose deadline is most in danger; null when none is. */
  warning: BatchProgress['warning'];
  /** A step that keeps failing and is tried again by itself, such as one that finds the archive full; null when none is known of. */
  trouble: Trouble | null;
  documents: number;
  /** Documents with an outcome. */
  documentsDone: number;
  /** Documents by outcome; complete once the batch is closed. */
  counts: Counts;
  jobs: BatchProgress['jobs'];
  /** Bytes of the documents that jobs get. */
  bytes: number;
  pages: number;
  credits: number;
  /** The nearest deadline of an open job, ISO; null when there is none or search attributes are not registered. */
  nextExpiresAt: string | null;
  startedAt: string;
  /** Null while it runs. */
  closedAt: string | null;
  /** The batch whose documents this one sends again; null for an ordinary one. */
  retryOf: string | null;
  /** Where the worker archives. */
  archive: string | null;
  /** Page of this batch in Temporal's web UI; null when its address is not known. */
  webUrl: string | null;
  /** Why the batch failed, or why its numbers cannot be had: `no_worker`, `workflow_task_failing`, `terminated`. */
  error: null | { code: string; message: string };
}

/** One batch in a list. */
export interface BatchListing {
  batchId: string;
  status: BatchStatus;
  documents: number;
  documentsDone: number;
  startedAt: string;
  closedAt: string | null;
  /** Why Temporal cannot get on with a running batch or with jobs of it: `workflow_task_failing`; null when nothing is known to be wrong. */
  error: null | { code: string; message: string };
}

/** Whether a value is what `batchWorkflow` answers; what comes from another version or program is not trusted blindly. */
export function isProgress(value: unknown): value is BatchProgress {
  const progress = value as Partial<BatchProgress> | null | undefined;
  return (
    typeof progress === 'object' && progress !== null && batchStatuses.includes(progress.status as BatchStatus) &&
    typeof progress.documents === 'number' && typeof progress.documentsDone === 'number' && typeof progress.counts === 'object' && typeof progress.jobs === 'object'
  );
}

const statusKey = defineSearchAttributeKey('BatchStatus', 'KEYWORD');
const documentsKey = defineSearchAttributeKey('DocumentCount', 'INT');
const doneKey = defineSearchAttributeKey('DocumentsDone', 'INT');

/** Status and numbers as the search attributes show them; null parts where they are not registered or not set yet. */
export function attributesOf(typed: TypedSearchAttributes): { status: BatchStatus | null; documents: number | null; documentsDone: number | null } {
  const status = typed.get(statusKey);
  return {
    status: batchStatuses.find((known) => known === status) ?? null,
    documents: typed.get(documentsKey) ?? null,
    documentsDone: typed.get(doneKey) ?? null,
  };
}

/** What stands for the answer of a batch that cannot be asked. */
export function unknownProgress(typed: TypedSearchAttributes, fallback: BatchStatus, error: BatchProgress['error']): BatchProgress {
  const { status, documents, documentsDone } = attributesOf(typed);
  const shown = fallback === 'running' || fallback === 'planning' ? (status ?? fallback) : fallback;
  return { ...noProgress(), status: shown, documents: documents ?? 0, documentsDone: documentsDone ?? 0, error };
}
