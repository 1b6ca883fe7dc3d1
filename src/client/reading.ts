import { isGrpcDeadlineError, isGrpcServiceError, WorkflowFailedError, WorkflowNotFoundError, type Client, type WorkflowExecutionDescription, type WorkflowExecutionInfo } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { BatchProgress } from '../contract/batch';
import { batchWorkflowId, noProgress, statusQuery, summaryMemo, workflowTypes } from '../contract/messages';
import { BatchNotFoundError } from './errors';
import { isAnswered } from './pollers';
import { misfitOf, problemOfJobs, reportedProblem } from './problems';
import { isProgress, unknownProgress } from './summary';
import { listWorkflows, withoutMemos } from './visibility';

/** How long a worker may take to answer the query before the batch is shown without its answer; less when none is to be seen. */
const [queryTimeoutMs, unpolledTimeoutMs] = [5_000, 1_000];

const codeOf = (error: unknown): number | null => {
  const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
  return isGrpcServiceError(cause) ? cause.code : null;
};
const [cancelled, notFound, failedPrecondition, unavailable] = [1, 5, 9, 14];

/** Whether the time for an answer was over. gRPC now and then calls that a cancelled call, and nobody here cancels one otherwise. */
const isLate = (error: unknown): boolean => isGrpcDeadlineError(error) || codeOf(error) === cancelled;

/** Whether Temporal itself did not answer, as opposed to a refusal. */
export const isOutage = (error: unknown): boolean => isLate(error) || codeOf(error) === unavailable;

/** Whether Temporal knows no such workflow, or not any more. */
export const isNotFound = (error: unknown): boolean => codeOf(error) === notFound;

/** The latest run of a batch; without its memo, where it is asked of such a client. @throws BatchNotFoundError */
export async function describeBatch({ workflow }: Pick<Client, 'workflow'>, batchId: string): Promise<WorkflowExecutionDescription> {
  try {
    const description = await workflow.getHandle(batchWorkflowId(batchId)).describe();
    if (description.type === workflowTypes.batch) return description;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new BatchNotFoundError(batchId);
}

/** The latest run of a batch; null when Temporal knows none. */
export async function findBatch(client: Pick<Client, 'workflow'>, batchId: string): Promise<WorkflowExecutionDescription | null> {
  try {
    return await describeBatch(client, batchId);
  } catch (error) {
    if (error instanceof BatchNotFoundError) return null;
    throw error;
  }
}

/** The run that a batch started with. */
export function firstRunOf(info: WorkflowExecutionInfo | WorkflowExecutionDescription): string {
  const { firstRunId } = ('workflowExecutionInfo' in info.raw ? info.raw.workflowExecutionInfo : info.raw) as { firstRunId?: string | null };
  return firstRunId || info.runId;
}

/** When the batch started, which a run that continued another cannot say by itself. */
export async function startOf(client: Client, info: WorkflowExecutionInfo | WorkflowExecutionDescription): Promise<Date> {
  const firstRunId = firstRunOf(info);
  if (firstRunId === info.runId) return info.startTime;
  try {
    return (await withoutMemos(client).getHandle(info.workflowId, firstRunId).describe()).startTime;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return info.startTime; // its retention time is over
    throw error;
  }
}

/** What the batch says of itself: asked while it runs, read from its result or failure afterwards, when no worker is needed. */
export function readProgress(client: Client, description: WorkflowExecutionDescription): Promise<BatchProgress> {
  return description.status.name === 'RUNNING' ? queryProgress(client, description) : closedProgress(client, description);
}

async function queryProgress(client: Client, description: WorkflowExecutionDescription): Promise<BatchProgress> {
  const unknown = (error: BatchProgress['error']) => unknownProgress(description.typedSearchAttributes, 'running', error);
  const problem = reportedProblem(description);
  if (problem) return unknown(problem);
  try {
    const handle = client.workflow.getHandle(description.workflowId);
    const timeoutMs = (await isAnswered(client)) ? queryTimeoutMs : unpolledTimeoutMs;
    return whole(await client.withDeadline(Date.now() + timeoutMs, () => handle.query(statusQuery)));
  } catch (error) {
    if (codeOf(error) === unavailable) throw error;
    if (isLate(error) || codeOf(error) === failedPrecondition) {
      return unknown({ code: 'no_worker', message: 'no worker answers, so nothing is known beyond what Temporal has recorded' });
    }
    return unknown(misfitOf(error as Error) ?? { code: 'no_answer', message: `the batch does not answer: ${(error as Error).message}` });
  }
}

async function closedProgress(client: Client, description: WorkflowExecutionDescription): Promise<BatchProgress> {
  const unknown = (status: 'failed' | 'cancelled', error: BatchProgress['error']) => unknownProgress(description.typedSearchAttributes, status, error);
  try {
    const result: unknown = await client.workflow.result(description.workflowId, description.runId, { followRuns: false });
    if (isProgress(result)) return whole(result);
    return unknown('failed', { code: 'unknown_result', message: 'the batch ended with a result that this version does not know' });
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const details = cause instanceof ApplicationFailure || cause instanceof CancelledFailure ? cause.details?.[0] : undefined;
    if (isProgress(details)) return whole(details);
    if (description.status.name === 'CANCELLED') return cancelledProgress(description);
    const code = cause instanceof ApplicationFailure ? (cause.type ?? 'failed') : description.status.name.toLowerCase();
    return unknown('failed', { code, message: cause?.message ?? error.message });
  }
}

/** A cancelled workflow has no result, so the batch leaves its summary in its memo; one that was cancelled before it ran has none there either. */
function cancelledProgress({ memo, typedSearchAttributes }: WorkflowExecutionDescription): BatchProgress {
  const summary = memo?.[summaryMemo];
  return isProgress(summary) ? { ...whole(summary), status: 'cancelled' } : unknownProgress(typedSearchAttributes, 'cancelled', null);
}

/** What an earlier version did not say yet is as if nothing had happened. */
const whole = (progress: BatchProgress): BatchProgress => ({ ...noProgress(), ...progress });

/** The open jobs of a batch, as Temporal lists them: the nearest deadline, null when none has one yet; and what keeps Temporal from going on with some. */
export async function lookAtJobs(client: Client, batchId: string): Promise<{ nextExpiresAt: string | null; problem: BatchProgress['error'] }> {
  const key = defineSearchAttributeKey('ResultExpiresAt', 'DATETIME');
  const jobs: WorkflowExecutionInfo[] = [];
  let next: Date | null = null;
  const query = `WorkflowType = '${workflowTypes.job}' AND BatchId = '${batchId}' AND ExecutionStatus = 'Running'`;
  for await (const job of listWorkflows(client, query)) {
    const expiry = job.typedSearchAttributes.get(key);
    if (expiry && (!next || expiry < next)) next = expiry;
    jobs.push(job);
  }
  return { nextExpiresAt: next?.toISOString() ?? null, problem: problemOfJobs(jobs) };
}
