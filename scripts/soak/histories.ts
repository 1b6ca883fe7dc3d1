import type { Client } from '@temporalio/client';
import { historySize } from '../bench/histories';

/** What the histories of all runs of a workflow type come to. */
export interface HistorySurvey {
  /** Runs: one that continued as new is more than one. */
  runs: number;
  /** Events of the longest one. */
  longest: number;
  /** Its id. */
  longestId: string;
  /** Events of the middle one. */
  median: number;
  /** Bytes of the largest payload among the longest ones. */
  largestPayload: number;
}

/** Longest runs of each type whose payloads are looked at. */
const sampled = 15;

/** The most that any run may come to, so that histories are bounded: a job's is some dozens of events, a batch's continues as new at 4,096. */
export const historyBudgets: Record<string, { events: number; payloadBytes: number }> = {
  jobWorkflow: { events: 400, payloadBytes: 16 * 1024 },
  batchWorkflow: { events: 4_500, payloadBytes: 32 * 1024 },
};

/** Looks at every run that Temporal knows, by type. */
export async function surveyHistories(client: Client): Promise<Record<string, HistorySurvey>> {
  const byType = new Map<string, { workflowId: string; runId: string; events: number }[]>();
  for await (const { type, workflowId, runId, historyLength } of client.workflow.list()) {
    byType.set(type, [...(byType.get(type) ?? []), { workflowId, runId, events: historyLength }]);
  }
  const surveys: Record<string, HistorySurvey> = {};
  for (const [type, runs] of byType) {
    runs.sort((a, b) => b.events - a.events);
    let largestPayload = 0;
    for (const { workflowId, runId } of runs.slice(0, sampled)) largestPayload = Math.max(largestPayload, (await historySize(client, workflowId, runId)).largestPayloadBytes);
    surveys[type] = { runs: runs.length, longest: runs[0]!.events, longestId: runs[0]!.workflowId, median: runs[Math.floor(runs.length / 2)]!.events, largestPayload };
  }
  return surveys;
}

/** Which of them are over their budgets. */
export function longHistories(surveys: Record<string, HistorySurvey>): string[] {
  return Object.entries(surveys).flatMap(([type, { longest, longestId, largestPayload }]) => {
    const budget = historyBudgets[type];
    if (!budget) return [`there are workflows of a type that nobody knows: ${type}`];
    return [
      ...(longest > budget.events ? [`the history of ${longestId} has ${longest} events, at most ${budget.events} may be`] : []),
      ...(largestPayload > budget.payloadBytes ? [`a history of ${type} holds a payload of ${largestPayload} bytes, at most ${budget.payloadBytes} may be`] : []),
    ];
  });
}

/** Ids of the workflows that are still open. */
export async function openWorkflows(client: Client): Promise<string[]> {
  const open: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) open.push(workflowId);
  return open;
}
