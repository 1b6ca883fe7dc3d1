import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { BatchProgress, BatchStatus } from '../contract/batch';
import { parseBatchWorkflowId, workflowTypes } from '../contract/messages';
import { problemOfJobs, reportedProblem, stuckJobs } from './problems';
import { readProgress, startOf } from './reading';
import { attributesOf, unknownProgress, type BatchListing } from './summary';
import { listWorkflows } from './visibility';

/** Statuses of batches that are closed. */
const finalStatuses: BatchStatus[] = ['completed', 'completed_with_errors', 'failed', 'cancelled'];
/** What Temporal's own word for a workflow comes nearest to; all others are failures. */
const statusOf: Partial<Record<WorkflowExecutionInfo['status']['name'], BatchStatus>> = { RUNNING: 'running', COMPLETED: 'completed', CANCELLED: 'cancelled' };
/** Batches that are looked into at a time. */
const pageSize = 20;

/** Meaning of the fields: see each. */
export interface ListBatchesOptions {
  /** Only batches of this status. */
  status: BatchStatus | undefined;
  limit: number;
  /** Whether the attribute `BatchStatus` is registered. */
  byAttribute: boolean;
  /** What an error says of a batch that is encrypted with another key; null for any other error. */
  unreadable: (error: unknown) => BatchListing['error'];
}

/** Batches, the newest first. */
export async function listBatches(client: Client, { status, limit, byAttribute, unreadable }: ListBatchesOptions): Promise<BatchListing[]> {
  const byStatus = status && byAttribute ? ` AND BatchStatus = '${status}'` : '';
  const query = `WorkflowType = '${workflowTypes.batch}' AND ExecutionStatus != 'ContinuedAsNew'${byStatus}`;
  const found: BatchListing[] = [];
  const stuck = await stuckJobs(client);
  for await (const page of pages(client, query)) {
    const listings = await Promise.all(page.map((info) => listing(client, info, { stuck: stuck.get(parseBatchWorkflowId(info.workflowId)!) ?? [], unreadable })));
    found.push(...listings.filter((listed) => !status || listed.status === status));
    if (found.length >= limit) break;
  }
  return found.slice(0, limit).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

/** Batches in visibility's own order, each once: a terminated one that was started again as what it is now. */
async function* pages(client: Client, query: string): AsyncGenerator<WorkflowExecutionInfo[]> {
  const seen = new Set<string>();
  let page: WorkflowExecutionInfo[] = [];
  for await (const info of listWorkflows(client, query)) {
    if (seen.has(info.workflowId) || parseBatchWorkflowId(info.workflowId) === null) continue;
    seen.add(info.workflowId);
    page.push(info);
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  yield page;
}

async function listing(client: Client, info: WorkflowExecutionInfo, { stuck, unreadable }: Pick<ListBatchesOptions, 'unreadable'> & { stuck: WorkflowExecutionInfo[] }): Promise<BatchListing> {
  const lost = info.status.name === 'TERMINATED' || info.status.name === 'TIMED_OUT';
  const shown = lost ? unknownProgress(info.typedSearchAttributes, 'failed', null) : attributesOf(info.typedSearchAttributes);
  // Without registered attributes, or with ones that an abrupt end left behind, the batch is asked or its result read.
  const current = shown.status && (info.status.name === 'RUNNING' || finalStatuses.includes(shown.status));
  const { known, problem } = current ? { known: shown, problem: null } : await asked(client, info, unreadable);
  return {
    batchId: parseBatchWorkflowId(info.workflowId)!,
    status: known.status!,
    documents: known.documents ?? 0,
    documentsDone: known.documentsDone ?? 0,
    startedAt: (await startOf(client, info)).toISOString(),
    closedAt: info.closeTime?.toISOString() ?? null,
    error: problem ?? (info.status.name === 'RUNNING' ? (reportedProblem(info) ?? problemOfJobs(stuck)) : null),
  };
}

/** What a batch says of itself. One that is encrypted with another key says what Temporal knows, and the key: it must not hide the others. */
async function asked(client: Client, info: WorkflowExecutionInfo, unreadable: ListBatchesOptions['unreadable']): Promise<{ known: BatchProgress; problem: BatchListing['error'] }> {
  try {
    return { known: await readProgress(client, await client.workflow.getHandle(info.workflowId, info.runId).describe()), problem: null };
  } catch (error) {
    const problem = unreadable(error);
    if (!problem) throw error;
    return { known: unknownProgress(info.typedSearchAttributes, statusOf[info.status.name] ?? 'failed', null), problem };
  }
}
