import { isGrpcDeadlineError, WorkflowNotFoundError, WorkflowUpdateRPCTimeoutOrCancelledError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { BatchStatus } from '../contract/batch';
import { batchWorkflowId, jobWorkflowId, parseJobWorkflowId, workflowTypes, type Answer, type resumeUpdate } from '../contract/messages';
import { BatchClosedError, BatchNotFoundError, NoWorkerError } from './errors';
import { lookAtBatch, type Unreadable } from './known';
import { isAnswered } from './pollers';
import { describeBatch, findBatch, readProgress } from './reading';
import { attributesOf } from './summary';
import { listWorkflows, withoutMemos } from './visibility';

/** How long a worker may take to answer; a busy one has other batches' tasks before this one. */
const answerWithinMs = 12_000;
/** Jobs that are cancelled at a time. */
const cancelledAtOnce = 20;

/** What `BatchClient.cancel` did. */
export interface Cancellation {
  batchId: string;
  /**
   * `batch`: it runs and was asked to end; `jobs`: it was not running any more, and jobs that went on without it were asked to end;
   * `nothing`: nothing of it was running.
   */
  cancelled: 'batch' | 'jobs' | 'nothing';
  /** Jobs that went on without their batch and were asked to end. A running batch tells its jobs itself, and they are not counted here. */
  jobs: number;
  /** The batch as it is now; null when Temporal does not know it any more. */
  status: BatchStatus | null;
  /** One or two sentences for people. */
  message: string;
}

/** Sends an update to a batch and waits for its answer. @throws BatchNotFoundError, BatchClosedError, NoWorkerError */
export async function tellBatch(client: Client, batchId: string, update: typeof resumeUpdate): Promise<Answer> {
  await refuseClosed(client, batchId);
  // An update that nobody takes is not kept, and one that is taken late would surprise: so it is not sent at all.
  if (!(await isAnswered(client))) throw new NoWorkerError(batchId, false);
  try {
    return await client.withDeadline(Date.now() + answerWithinMs, () => client.workflow.getHandle(batchWorkflowId(batchId)).executeUpdate(update));
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error)) throw new NoWorkerError(batchId, true);
    await refuseClosed(client, batchId); // it closed meanwhile, which the SDK reports in more than one way
    throw error;
  }
}

async function refuseClosed(client: Client, batchId: string): Promise<void> {
  const description = await describeBatch(client, batchId);
  if (description.status.name !== 'RUNNING') throw new BatchClosedError(batchId, (await readProgress(client, description)).status);
}

/** Cancels a running batch, or the jobs that a batch left behind. @throws BatchNotFoundError when there is neither */
export async function cancelBatch(client: Client, batchId: string, unreadable: Unreadable): Promise<Cancellation> {
  const found = await findAnyBatch(client, batchId, unreadable);
  if (found?.status.name === 'RUNNING' && (await wasRunning(client, batchWorkflowId(batchId)))) return runningCancelled(batchId, attributesOf(found.typedSearchAttributes).status ?? 'running');
  const jobs = await cancelJobs(client, batchId);
  const closed = found && (await findAnyBatch(client, batchId, unreadable));
  if (!closed && jobs === 0) throw new BatchNotFoundError(batchId);
  const status = closed && (await lookAtBatch(client, closed, unreadable)).status;
  const was = closed ? `Batch ${batchId} is closed already (${closed.status.name === 'TERMINATED' ? 'terminated' : status})` : `Temporal knows no batch ${batchId} any more`;
  if (jobs === 0) return { batchId, cancelled: 'nothing', jobs, status, message: `${was}, and none of its jobs is running: there is nothing to cancel.` };
  const message = `${was}. ${jobs === 1 ? '1 job that went on without it ends' : `${jobs} jobs that went on without it end`} now: what is finished at Plangrep is still archived, the rest is cancelled there.`;
  return { batchId, cancelled: 'jobs', jobs, status, message };
}

const runningCancelled = (batchId: string, status: BatchStatus): Cancellation => ({
  batchId,
  cancelled: 'batch',
  jobs: 0,
  status,
  message: `Batch ${batchId} ends: no job starts, open ones are cancelled at Plangrep and archived where they finished first, then the manifest is written.`,
});

/** A batch, without its memo where that is encrypted with another key: ending it takes none. */
async function findAnyBatch(client: Client, batchId: string, unreadable: Unreadable): Promise<WorkflowExecutionDescription | null> {
  try {
    return await findBatch(client, batchId);
  } catch (error) {
    if (!unreadable(error)) throw error;
    return findBatch({ workflow: withoutMemos(client) }, batchId);
  }
}

/** Asks a workflow to end; false when it has ended already. */
async function wasRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId).cancel();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Cancels the running jobs of a batch and counts them. By their ids: jobs that started before search attributes were registered have no `BatchId`. */
async function cancelJobs(client: Client, batchId: string): Promise<number> {
  const prefix = jobWorkflowId(batchId, 1).replace(/\d+$/, '');
  const query = `WorkflowType = '${workflowTypes.job}' AND WorkflowId STARTS_WITH '${prefix}' AND ExecutionStatus = 'Running'`;
  const ids = new Set<string>();
  for await (const { workflowId } of listWorkflows(client, query)) if (parseJobWorkflowId(workflowId)?.batchId === batchId) ids.add(workflowId);
  const waiting = [...ids];
  let cancelled = 0;
  while (waiting.length > 0) {
    const ended = await Promise.all(waiting.splice(0, cancelledAtOnce).map((workflowId) => wasRunning(client, workflowId)));
    cancelled += ended.filter(Boolean).length;
  }
  return cancelled;
}
