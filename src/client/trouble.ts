import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow';
import { failureTypes } from '../contract/failures';
import { batchWorkflowId, parseJobWorkflowId, workflowTypes } from '../contract/messages';
import { listWorkflows } from './visibility';

/** A step that keeps failing and is tried again by itself: what the batch waits for, though nothing in it is closed. */
export interface Trouble {
  /** The activity, such as `archiveJob`. */
  step: string;
  /** The job that it is of; null for a step of the batch itself. */
  job: number | null;
  /** Type of the failure, such as `ArchiveUnavailable`. */
  code: string;
  /** What is wrong, and what to do about it. */
  message: string;
  /** Tries that failed so far. */
  failures: number;
}

/** Open jobs that are looked at; what keeps one of them is most often what keeps all. */
const maxJobs = 20;
/** Failures in a row from which a step is news whose cause most often passes by itself. */
const newsworthy = 4;
/** What nobody but a person mends, and what passes by itself, in the order in which it is told. */
const urgent: string[] = [failureTypes.archiveUnavailable, failureTypes.sourceUnavailable];
const passing: string[] = [failureTypes.internal, failureTypes.unreachable, failureTypes.busy];

/** What a running batch, or one of its jobs, has been waiting for; the worst when there is more than one, null when nothing keeps failing. */
export async function findTrouble(client: Client, batchId: string, description: WorkflowExecutionDescription): Promise<Trouble | null> {
  const found = await troublesOf(client, description);
  for (const job of await openJobs(client, batchId)) found.push(...(await troublesOf(client, await client.workflow.getHandle(job).describe())));
  const rank = ({ code }: Trouble) => [...urgent, ...passing].indexOf(code);
  return found.sort((a, b) => rank(a) - rank(b) || b.failures - a.failures)[0] ?? null;
}

async function openJobs(client: Client, batchId: string): Promise<string[]> {
  const jobs: string[] = [];
  const query = `WorkflowType = '${workflowTypes.job}' AND WorkflowId STARTS_WITH '${batchWorkflowId(batchId)}/job/' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of listWorkflows(client, query)) if (jobs.push(workflowId) === maxJobs) break;
  return jobs;
}

async function troublesOf(client: Client, { workflowId, raw }: WorkflowExecutionDescription): Promise<Trouble[]> {
  const found: Trouble[] = [];
  for (const { activityType, attempt, lastFailure } of raw.pendingActivities ?? []) {
    const failure = await decodeOptionalFailureToOptionalError(client.options.loadedDataConverter, lastFailure);
    const code = failure instanceof ApplicationFailure ? (failure.type ?? '') : '';
    const failures = (attempt ?? 1) - 1;
    const isNews = urgent.includes(code) || (passing.includes(code) && failures >= newsworthy);
    if (isNews) found.push({ step: activityType?.name ?? '', job: parseJobWorkflowId(workflowId)?.job ?? null, code, message: failure!.message, failures });
  }
  return found;
}
