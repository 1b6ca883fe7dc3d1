import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { ApiActivities, ArchiveActivities, BatchActivities, TransferActivities } from '../contract/activities';
import { nonRetryableTypes } from '../contract/failures';
import { taskQueues } from '../contract/messages';

const hour = 3_600_000;
/** How long calls that no job's deadline bounds are retried: a remote job lives as long. */
const weekMs = 7 * 24 * hour;
/** Heartbeats also carry cancellation; a shorter timeout would cost more actions than it saves. */
const heartbeatMs = 60_000;

const retry = { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000, nonRetryableErrorTypes: nonRetryableTypes };
const call = { startToCloseTimeout: 120_000, retry };
const work = { heartbeatTimeout: heartbeatMs, cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED, retry };

/** Priorities of the API queue: what ends something goes before what starts something. */
const urgent = { priority: { priorityKey: 1 } };
const create = { priority: { priorityKey: 3 } };
const poll = { priority: { priorityKey: 5 } };

const onQueue = <T extends object>(taskQueue: string, options: ActivityOptions, timeoutMs: number) =>
  proxyActivities<T>({ taskQueue, scheduleToCloseTimeout: timeoutMs, ...options });

/** Activities of the batch itself: bounded by a week a call. */
export const batchActivities = {
  store: onQueue<BatchActivities>(taskQueues.batch, call, weekMs),
  api: onQueue<ApiActivities>(taskQueues.api, { ...call, ...create }, weekMs),
  transfer: onQueue<TransferActivities>(taskQueues.transfer, { ...work, startToCloseTimeout: weekMs }, 2 * weekMs),
};

/**
 * Activities of a job that exists: retried until `deadlineAt`, and an hour beyond it, so that the activity itself
 * finds out that the job has expired.
 */
export function jobActivities(deadlineAt: string) {
  const leftMs = Math.max(0, Date.parse(deadlineAt) - Date.now()) + hour;
  const long = { ...work, startToCloseTimeout: leftMs };
  return {
    urgent: onQueue<ApiActivities>(taskQueues.api, { ...call, ...urgent }, leftMs),
    poll: onQueue<ApiActivities>(taskQueues.api, { ...call, ...poll }, leftMs),
    transfer: onQueue<TransferActivities>(taskQueues.transfer, long, leftMs),
    archive: onQueue<ArchiveActivities>(taskQueues.archive, long, leftMs),
  };
}
