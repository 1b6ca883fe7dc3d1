import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';

/** Temporal's number for an activity that a worker has taken. */
const startedState = 2;

/**
 * Tells the server that dead processes will not finish what they had taken; otherwise it finds out when heartbeats have been missing for a minute, or after two.
 * @returns how many activities that were
 */
export async function giveBack(client: Client, deadPids: ReadonlySet<number>): Promise<number> {
  let given = 0;
  for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    const description = await client.workflow.getHandle(workflowId).describe();
    for (const { activityId, state, lastWorkerIdentity } of description.raw.pendingActivities ?? []) {
      // The SDK names a worker `pid@host`.
      if (Number(state) !== startedState || !deadPids.has(Number.parseInt(lastWorkerIdentity ?? '', 10))) continue;
      const gone = ApplicationFailure.create({ message: 'The worker process is gone' });
      await client.activity.fail({ workflowId, activityId: activityId ?? '' }, gone).catch(() => undefined);
      given += 1;
    }
  }
  return given;
}
