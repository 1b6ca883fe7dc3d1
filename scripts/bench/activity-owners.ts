import { ApplicationFailure } from '@temporalio/common';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import type { WorkerSite } from './worker-site';

/** An activity that has ended, and the process that took its last try. */
export interface DoneActivity {
  name: string;
  queue: string;
  pid: number;
}

/** An activity that has not. */
export interface OpenActivity {
  name: string;
  workflowId: string;
  activityId: string;
  /** Whoever is at it, or was last; NaN before the first try. */
  pid: number;
  /** Whether somebody is at it now, as far as the server knows. */
  started: boolean;
  /** Type and message of its last failure; null before the first one. */
  failure: { type: string; message: string } | null;
}

/** Temporal's number for an activity that a worker has taken. */
const startedState = 2;

/** A batch and its planned jobs. */
const workflowsOf = (batchId: string, jobs: number): string[] => [batchWorkflowId(batchId), ...Array.from({ length: jobs }, (_, index) => jobWorkflowId(batchId, index + 1))];

/** The SDK names a worker `pid@host`. */
const pidOf = (identity: string | null | undefined): number => Number.parseInt(identity ?? '', 10);

/** The activities of a batch and its jobs that have ended, by their histories. */
export async function doneActivities({ temporal: { client } }: WorkerSite, batchId: string, jobs: number): Promise<DoneActivity[]> {
  // A job whose turn has not come has no history.
  const histories = await Promise.all(workflowsOf(batchId, jobs).map((workflowId) => client.workflow.getHandle(workflowId).fetchHistory().catch(() => null)));
  return histories.flatMap((history) =>
    (history?.events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) => {
      const scheduled = started && history?.events?.find(({ eventId }) => String(eventId) === String(started.scheduledEventId))?.activityTaskScheduledEventAttributes;
      return scheduled ? [{ name: scheduled.activityType?.name ?? '', queue: scheduled.taskQueue?.name ?? '', pid: pidOf(started.identity) }] : [];
    }),
  );
}

/** The activities of a batch and its jobs that are not done. */
export async function openActivities({ temporal: { client } }: WorkerSite, batchId: string, jobs: number): Promise<OpenActivity[]> {
  const descriptions = await Promise.all(workflowsOf(batchId, jobs).map((workflowId) => client.workflow.getHandle(workflowId).describe().catch(() => null)));
  return descriptions.flatMap((description) =>
    (description?.raw.pendingActivities ?? []).map(({ activityId, activityType, state, lastWorkerIdentity, lastFailure }) => ({
      name: activityType?.name ?? '',
      workflowId: description?.workflowId ?? '',
      activityId: activityId ?? '',
      pid: pidOf(lastWorkerIdentity),
      started: Number(state) === startedState,
      failure: lastFailure ? { type: lastFailure.applicationFailureInfo?.type ?? '', message: lastFailure.message ?? '' } : null,
    })),
  );
}

/** Tells the server that a dead process will not finish what it had taken; otherwise it finds out when heartbeats have been missing for a minute. @returns how many activities that were */
export async function giveBack(site: WorkerSite, batchId: string, jobs: number, deadPid: number): Promise<number> {
  const lost = (await openActivities(site, batchId, jobs)).filter(({ started, pid }) => started && pid === deadPid);
  const failure = ApplicationFailure.create({ message: 'The worker process is gone' });
  for (const { workflowId, activityId } of lost) await site.temporal.client.activity.fail({ workflowId, activityId }, failure);
  return lost.length;
}
