import { isGrpcServiceError, type Client } from '@temporalio/client';

type HistoryRequest = Parameters<Client['workflowService']['getWorkflowExecutionHistory']>[0];
type HistoryAnswer = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>;
type HistoryEvent = NonNullable<NonNullable<HistoryAnswer['history']>['events']>[number];

/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT */
const closeEventOnly = 2;
const grpcNotFound = 5;

/**
 * Resolves when the workflow's latest run has closed, however it did, or Temporal does not know it any more. It polls for hours without
 * keeping anything, which the SDK's own `result` cannot: its calls never let go of the signal they were given.
 * @throws what the call throws, on an outage and when `stop` aborts
 */
export async function untilClosed(client: Client, workflowId: string, stop: AbortSignal): Promise<void> {
  const request: HistoryRequest = { namespace: client.options.namespace, execution: { workflowId }, waitNewEvent: true, skipArchival: true, historyEventFilterType: closeEventOnly };
  try {
    for (;;) {
      const { history, nextPageToken } = await poll(client, request, stop);
      const closing = history?.events?.[0];
      if (closing && !goesOn(closing)) return;
      // The run that goes on is the latest by now.
      request.nextPageToken = closing ? null : nextPageToken;
    }
  } catch (error) {
    if (!isGrpcServiceError(error) || error.code !== grpcNotFound) throw error;
  }
}

/** One poll, of up to 20 s, with a signal of its own. */
async function poll(client: Client, request: HistoryRequest, stop: AbortSignal): Promise<HistoryAnswer> {
  stop.throwIfAborted();
  const own = new AbortController();
  const pass = () => own.abort(stop.reason);
  stop.addEventListener('abort', pass);
  try {
    return await client.withAbortSignal(own.signal, () => client.workflowService.getWorkflowExecutionHistory(request));
  } finally {
    stop.removeEventListener('abort', pass);
  }
}

/** Whether another run took over. */
const goesOn = (event: HistoryEvent): boolean =>
  Boolean(
    event.workflowExecutionContinuedAsNewEventAttributes ??
      (event.workflowExecutionCompletedEventAttributes ?? event.workflowExecutionFailedEventAttributes ?? event.workflowExecutionTimedOutEventAttributes)?.newExecutionRunId,
  );
