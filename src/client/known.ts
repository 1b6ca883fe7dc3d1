import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import type { BatchProgress, BatchStatus } from '../contract/batch';
import { readProgress } from './reading';
import { attributesOf, unknownProgress } from './summary';

/** Statuses of batches that are closed. */
const finalStatuses: BatchStatus[] = ['completed', 'completed_with_errors', 'failed', 'cancelled'];
/** What Temporal's own word for a workflow comes nearest to; all others are failures. */
const statusOf: Partial<Record<WorkflowExecutionInfo['status']['name'], BatchStatus>> = { RUNNING: 'running', COMPLETED: 'completed', CANCELLED: 'cancelled' };

/** What an error says of data that is encrypted with another key; null for any other error. */
export type Unreadable = (error: unknown) => BatchProgress['error'];

/** What few calls tell of a batch. */
export interface Known {
  status: BatchStatus;
  documents: number;
  documentsDone: number;
  /** Why it is not more; null when it is all. */
  problem: BatchProgress['error'];
}

/**
 * What is known of a batch: from its search attributes where they tell, else from itself. One that is encrypted with another key shows what
 * Temporal knows, and the key: it must not hide others.
 */
export async function lookAtBatch(client: Client, info: WorkflowExecutionInfo | WorkflowExecutionDescription, unreadable: Unreadable): Promise<Known> {
  const lost = info.status.name === 'TERMINATED' || info.status.name === 'TIMED_OUT';
  const { status, documents, documentsDone } = lost ? unknownProgress(info.typedSearchAttributes, 'failed', null) : attributesOf(info.typedSearchAttributes);
  // Without registered attributes, or with ones that an abrupt end left behind, the batch is asked or its result read.
  if (status && (info.status.name === 'RUNNING' || finalStatuses.includes(status))) return { status, documents: documents ?? 0, documentsDone: documentsDone ?? 0, problem: null };
  try {
    return known(await readProgress(client, await client.workflow.getHandle(info.workflowId, info.runId).describe()), null);
  } catch (error) {
    const problem = unreadable(error);
    if (!problem) throw error;
    return known(unknownProgress(info.typedSearchAttributes, statusOf[info.status.name] ?? 'failed', null), problem);
  }
}

const known = ({ status, documents, documentsDone }: BatchProgress, problem: Known['problem']): Known => ({ status, documents, documentsDone, problem });
