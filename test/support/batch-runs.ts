import type { Client, WorkflowHandle } from '@temporalio/client';
import { batchWorkflowId, jobFinishedSignal, parseJobWorkflowId, type JobReport } from '../../src/contract/messages';

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];
interface Payloads {
  payloads?: { data?: Uint8Array | null }[] | null;
}

/** The histories of all runs of a batch, the first one first. */
export async function runsOf(client: Client, batchId: string): Promise<Event[][]> {
  const runs: Event[][] = [];
  for (let runId: string | undefined; ; ) {
    const { events } = await client.workflow.getHandle(batchWorkflowId(batchId), runId).fetchHistory();
    runs.unshift(events!);
    runId = events![0]!.workflowExecutionStartedEventAttributes!.continuedExecutionRunId || undefined;
    if (!runId) return runs;
  }
}

/** What the histories of a batch say about its window. */
export interface WindowAccount {
  /** The most jobs that were open at once. */
  mostOpen: number;
  /** Jobs that were started by a workflow task that knew that the batch was cancelled. */
  startedAfterCancel: number[];
  /** Of each run whose history was full: the jobs that were open then, the events after it, the signals among them, and the jobs started by workflow tasks that knew. */
  beyond: { open: number; events: number; signals: number; starts: number }[];
}

/** Follows the open set through all runs: from what the server wrote down, not from what the batch says. */
export function followWindow(runs: Event[][]): WindowAccount {
  const account: WindowAccount = { mostOpen: 0, startedAfterCancel: [], beyond: [] };
  const open = new Set<number>();
  for (const events of runs) followRun(events, open, account);
  return account;
}

function followRun(events: Event[], open: Set<number>, account: WindowAccount): void {
  const reports = new Map<string, { job?: number }>();
  let cancelRequested = false;
  /** The first workflow task that knew. */
  const knew = { cancelled: Infinity, full: Infinity };
  let beyond: WindowAccount['beyond'][number] | null = null;
  for (const event of events) {
    const { workflowTaskStartedEventAttributes: task, workflowExecutionSignaledEventAttributes: signal, activityTaskScheduledEventAttributes: scheduled, activityTaskCompletedEventAttributes: completed } = event;
    if (event.workflowExecutionCancelRequestedEventAttributes) cancelRequested = true;
    if (task && cancelRequested) knew.cancelled = Math.min(knew.cancelled, Number(event.eventId));
    if (task?.suggestContinueAsNew && !beyond) {
      knew.full = Number(event.eventId);
      beyond = { open: open.size, events: events.length - knew.full, signals: 0, starts: 0 };
      account.beyond.push(beyond);
    }
    if (signal && beyond) beyond.signals += 1;
    const started = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (started) {
      const { job } = parseJobWorkflowId(started.workflowId!)!;
      open.add(job);
      if (Number(started.workflowTaskCompletedEventId) > knew.cancelled) account.startedAfterCancel.push(job);
      if (beyond && Number(started.workflowTaskCompletedEventId) > knew.full) beyond.starts += 1;
    }
    if (signal?.signalName === jobFinishedSignal.name) open.delete(first<JobReport>(signal.input).job);
    // Of jobs that were lost, the batch hears from activities.
    if (scheduled && ['closeJob', 'findClosedJobs'].includes(scheduled.activityType!.name!)) reports.set(String(event.eventId), first(scheduled.input));
    const request = completed && reports.get(String(completed.scheduledEventId));
    if (request?.job !== undefined) open.delete(request.job);
    else if (request) for (const { job, kind } of first<JobReport[]>(completed!.result)) if (kind !== 'lost') open.delete(job);
    account.mostOpen = Math.max(account.mostOpen, open.size);
  }
}

const first = <T>(payloads: unknown): T => JSON.parse(Buffer.from((payloads as Payloads).payloads![0]!.data!).toString()) as T;
