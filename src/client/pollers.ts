import type { Client } from '@temporalio/client';
import { taskQueues } from '../contract/messages';

/** A task queue of ours. */
export type QueueName = keyof typeof taskQueues;

/** Temporal's numbers for the kinds of work on a queue. */
const kinds = { workflow: 1, activity: 2 } as const;
/** A long poll lasts a minute; who has not polled for two is gone, though Temporal lists it for five. */
const freshMs = 120_000;

/** The queues that no worker polls for all of their kinds of work. */
export async function unpolledQueues(client: Client): Promise<QueueName[]> {
  const names = Object.keys(taskQueues) as QueueName[];
  const polled = await Promise.all(names.map((name) => isPolled(client, name)));
  return names.filter((_name, index) => !polled[index]);
}

/** Whether a worker runs batch workflows, and so answers queries and updates. */
export const isAnswered = (client: Client): Promise<boolean> => isPolled(client, 'batch', [kinds.workflow]);

/** Whether a worker polls this queue for all of its kinds of work, or for those that are named. */
async function isPolled(client: Client, queue: QueueName, needed: number[] = queue === 'batch' ? [kinds.workflow, kinds.activity] : [kinds.activity]): Promise<boolean> {
  const found = await Promise.all(
    needed.map(async (taskQueueType) => {
      const { namespace } = client.options;
      const { pollers } = await client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueues[queue] }, taskQueueType });
      const oldest = Date.now() - freshMs;
      return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 >= oldest);
    }),
  );
  return found.every(Boolean);
}
