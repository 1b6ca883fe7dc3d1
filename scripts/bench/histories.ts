import type { Client } from '@temporalio/client';

/** A workflow run's history, as the server has it. */
export interface HistorySize {
  events: number;
  largestPayloadBytes: number;
}

/** Size of one run's history; of the newest run without `runId`. */
export async function historySize({ workflow }: Client, workflowId: string, runId?: string): Promise<HistorySize> {
  const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
  let largestPayloadBytes = 0;
  const visit = (value: unknown): void => {
    if (value instanceof Uint8Array) largestPayloadBytes = Math.max(largestPayloadBytes, value.byteLength);
    else if (value !== null && typeof value === 'object') Object.values(value).forEach(visit);
  };
  visit(events);
  return { events: events?.length ?? 0, largestPayloadBytes };
}

/** The runs of a workflow, newest first: more than one when it continued as new. */
export async function runsOf({ workflow }: Client, workflowId: string): Promise<string[]> {
  const runs: string[] = [];
  for await (const { runId } of workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(runId);
  return runs;
}
