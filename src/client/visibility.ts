import { ScheduleClient, WorkflowClient, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';

/** Reads every payload as nothing. */
const unread: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => payloads.map(() => ({ metadata: { encoding: new TextEncoder().encode('binary/null') } })),
};

/**
 * The same client for what Temporal says of workflows in plain text: ids, times, statuses, search attributes. It reads no memo, so that one batch whose
 * payload key is gone hides no other from a list.
 */
export const withoutMemos = ({ connection, options: { namespace } }: Client): WorkflowClient => new WorkflowClient({ connection, namespace, dataConverter: { payloadCodecs: [unread] } });

/** The same for schedules: it reads neither their batch's input nor its memo, so that one whose payload key is gone can still be stopped. */
export const schedulesWithoutInput = ({ connection, options: { namespace } }: Client): ScheduleClient => new ScheduleClient({ connection, namespace, dataConverter: { payloadCodecs: [unread] } });

/** Workflows by a visibility query, without their memos. */
export const listWorkflows = (client: Client, query: string): AsyncIterable<WorkflowExecutionInfo> => withoutMemos(client).list({ query });
