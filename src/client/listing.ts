import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { BatchStatus } from '../contract/batch';
import { parseBatchWorkflowId, workflowTypes } from '../contract/messages';
import { lookAtBatch, type Unreadable } from './known';
import { problemOfJobs, reportedProblem, stuckJobs } from './problems';
import { startOf } from './reading';
import type { BatchListing } from './summary';
import { listWorkflows } from './visibility';

/** Batches that are looked into at a time. */
const pageSize = 20;

/** Meaning of the fields: see each. */
export interface ListBatchesOptions {
  /** Only batches of this status. */
  status: BatchStatus | undefined;
  limit: number;
  /** Whether the attribute `BatchStatus` is registered. */
  byAttribute: boolean;
  unreadable: Unreadable;
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
  const { status, documents, documentsDone, problem } = await lookAtBatch(client, info, unreadable);
  return {
    batchId: parseBatchWorkflowId(info.workflowId)!,
    status,
    documents,
    documentsDone,
    startedAt: (await startOf(client, info)).toISOString(),
    closedAt: info.closeTime?.toISOString() ?? null,
    error: problem ?? (info.status.name === 'RUNNING' ? (reportedProblem(info) ?? problemOfJobs(stuck)) : null),
  };
}
