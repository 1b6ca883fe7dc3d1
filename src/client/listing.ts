import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { BatchStatus } from '../contract/batch';
import { parseBatchWorkflowId, workflowTypes } from '../contract/messages';
import { problemOfJobs, reportedProblem, stuckJobs } from './problems';
import { readProgress, startOf } from './reading';
import { attributesOf, unknownProgress, type BatchListing } from './summary';
import { listWorkflows } from './visibility';

/** Statuses of batches that are closed. */
const finalStatuses: BatchStatus[] = ['completed', 'completed_with_errors', 'failed', 'cancelled'];
/** Batches that are looked into at a time. */
const pageSize = 20;

/** Batches, the newest first; of `status` only when one is given. `byAttribute`: the attribute `BatchStatus` is registered. */
export async function listBatches(client: Client, { status, limit, byAttribute }: { status: BatchStatus | undefined; limit: number; byAttribute: boolean }): Promise<BatchListing[]> {
  const byStatus = status && byAttribute ? ` AND BatchStatus = '${status}'` : '';
  const query = `WorkflowType = '${workflowTypes.batch}' AND ExecutionStatus != 'ContinuedAsNew'${byStatus}`;
  const found: BatchListing[] = [];
  const stuck = await stuckJobs(client);
  for await (const page of pages(client, query)) {
    const listings = await Promise.all(page.map((info) => listing(client, info, stuck.get(parseBatchWorkflowId(info.workflowId)!) ?? [])));
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

async function listing(client: Client, info: WorkflowExecutionInfo, stuck: WorkflowExecutionInfo[]): Promise<BatchListing> {
  const lost = info.status.name === 'TERMINATED' || info.status.name === 'TIMED_OUT';
  const shown = lost ? unknownProgress(info.typedSearchAttributes, 'failed', null) : attributesOf(info.typedSearchAttributes);
  // Without registered attributes, or with ones that an abrupt end left behind, the batch is asked or its result read.
  const current = shown.status && (info.status.name === 'RUNNING' || finalStatuses.includes(shown.status));
  const known = current ? shown : await readProgress(client, await client.workflow.getHandle(info.workflowId, info.runId).describe());
  return {
    batchId: parseBatchWorkflowId(info.workflowId)!,
    status: known.status!,
    documents: known.documents ?? 0,
    documentsDone: known.documentsDone ?? 0,
    startedAt: (await startOf(client, info)).toISOString(),
    closedAt: info.closeTime?.toISOString() ?? null,
    error: info.status.name === 'RUNNING' ? (reportedProblem(info) ?? problemOfJobs(stuck)) : null,
  };
}
