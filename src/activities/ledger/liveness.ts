import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { LedgerEntry } from '../../contract/archive';
import { batchWorkflowId, jobWorkflowId } from '../../contract/messages';

/** Whether someone may still work under a claim. */
export type IsLive = (claim: Pick<LedgerEntry, 'batchId' | 'job' | 'runId'>) => Promise<boolean>;

/** Answers that are kept; forgotten at this number, so that memory stays bounded. */
const answersKept = 10_000;

/**
 * Asks Temporal whether a claim's batch or its job is still open; one that Temporal has forgotten is closed. For the length of one activity:
 * each workflow is asked about once. A batch that is started again after that runs its jobs anew, and those make their claims anew, as
 * another run: that one is asked about again.
 */
export function liveness(temporal: Pick<Client, 'workflow'>): IsLive {
  const answers = new Map<string, Promise<boolean>>();
  const ask = (name: string, workflowId: string): Promise<boolean> => {
    const known = answers.get(name);
    if (known) return known;
    if (answers.size >= answersKept) answers.clear();
    const answer = isOpen(temporal, workflowId);
    answers.set(name, answer);
    return answer;
  };
  return async ({ batchId, job, runId }) => {
    if (await ask(batchId, batchWorkflowId(batchId))) return true;
    return ask(`${batchId}/${job}/${runId}`, jobWorkflowId(batchId, job));
  };
}

async function isOpen(temporal: Pick<Client, 'workflow'>, workflowId: string): Promise<boolean> {
  try {
    return (await temporal.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
