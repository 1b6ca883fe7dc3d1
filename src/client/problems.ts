import { isGrpcServiceError, type Client, type WorkflowExecutionDescription, type WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { BatchProgress } from '../contract/batch';
import { parseJobWorkflowId, workflowTypes } from '../contract/messages';
import { listWorkflows } from './visibility';

type Problem = NonNullable<BatchProgress['error']>;

/** Set by servers that report such problems, once a few tries in a row have failed. */
const problemsKey = defineSearchAttributeKey('TemporalReportedProblems', 'KEYWORD_LIST');
/** What the SDK calls a workflow whose history is not what the worker's code would have done. */
const misfit = /TMPRL1100|NonDeterministic/;
const invalidArgument = 3;

const failing = (what: string, why: string): Problem => ({
  code: 'workflow_task_failing',
  message: misfit.test(why)
    ? `the build that the workers run does not fit what ${what} has done so far, so it waits; nothing is lost. Deploy the build that ran before, or one that goes on from it (${why})`
    : `Temporal cannot run the code of ${what}: ${why}. The worker's log says why`,
});

/** Why Temporal itself cannot get on with a batch, or null. */
export function reportedProblem({ typedSearchAttributes }: WorkflowExecutionDescription | WorkflowExecutionInfo): Problem | null {
  const problems = typedSearchAttributes.get(problemsKey);
  return problems?.length ? failing('this batch', problems.join(', ')) : null;
}

/** The same for a batch that was asked and whose code failed at once, before the server reports it; null when the failure is another. */
export const misfitOf = (error: Error): Problem | null => (misfit.test(error.message) ? failing('this batch', error.message) : null);

/** The jobs, of those given, that Temporal cannot get on with, as a problem of their batch; null when there are none. */
export function problemOfJobs(jobs: readonly WorkflowExecutionInfo[]): Problem | null {
  const stuck = jobs.filter(({ typedSearchAttributes }) => typedSearchAttributes.get(problemsKey)?.length);
  if (stuck.length === 0) return null;
  const numbers = stuck.map(({ workflowId }) => parseJobWorkflowId(workflowId)?.job).sort((a, b) => (a ?? 0) - (b ?? 0));
  const named = numbers.length === 1 ? `job ${numbers[0]}` : `${numbers.length} jobs, job ${numbers[0]} among them,`;
  return failing(named, stuck[0]!.typedSearchAttributes.get(problemsKey)!.join(', '));
}

/** Running jobs that Temporal cannot get on with, by batch id. Empty on servers that report no such problems. */
export async function stuckJobs(client: Client): Promise<Map<string, WorkflowExecutionInfo[]>> {
  const found = new Map<string, WorkflowExecutionInfo[]>();
  try {
    for await (const info of listWorkflows(client, `WorkflowType = '${workflowTypes.job}' AND ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL`)) {
      const batchId = parseJobWorkflowId(info.workflowId)?.batchId;
      if (batchId) found.set(batchId, [...(found.get(batchId) ?? []), info]);
    }
  } catch (error) {
    const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
    if (!isGrpcServiceError(cause) || cause.code !== invalidArgument) throw error;
  }
  return found;
}
