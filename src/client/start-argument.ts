import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { BatchNotFoundError } from './errors';
import { describeBatch, firstRunOf, isNotFound } from './reading';

/** The argument that a batch was started with, as anyone wrote it. @throws BatchNotFoundError, also when the history of its first run is gone */
export async function readStartArgument(client: Client, batchId: string): Promise<unknown> {
  const description = await describeBatch(client, batchId);
  const { workflowId } = description;
  const execution = { workflowId, runId: firstRunOf(description) };
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({ namespace: client.options.namespace, execution, maximumPageSize: 1 });
    const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    if (payload) return await decoded(client, workflowId, payload);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  throw new BatchNotFoundError(batchId);
}

/** As the SDK decodes it where it hands out payloads: the last codec first. */
async function decoded(client: Client, workflowId: string, payload: Payload): Promise<unknown> {
  const { namespace, loadedDataConverter } = client.options;
  const context = { type: 'workflow', namespace, workflowId } as const;
  let payloads = [payload];
  for (const codec of [...loadedDataConverter.payloadCodecs].reverse()) payloads = await codec.decode(payloads, context);
  return loadedDataConverter.payloadConverter.fromPayload(payloads[0]!, context);
}
