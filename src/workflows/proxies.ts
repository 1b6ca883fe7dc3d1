import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { ApiActivities, ArchiveActivities, BatchActivities, RemoteJob, TransferActivities } from '../contract/activities';
import { nonRetryableTypes } from '../contract/failures';
import { taskQueues } from '../contract/messages';
import { archivePriority, nextWarningAt } from '../domain/deadline';

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
const news = { priority: { priorityKey: 2 } };
const create = { priority: { priorityKey: 3 } };
const poll = { priority: { priorityKey: 5 } };

const onQueue = <T extends object>(taskQueue: string, options: ActivityOptions, timeoutMs: number, summary?: string) =>
  proxyActivities<T>({ taskQueue, scheduleToCloseTimeout: timeoutMs, ...options, ...(summary !== undefined && { summary }) });

/** Activities of the batch itself: bounded by a week a call. */
export const batchActivities = {
  store: onQueue<BatchActivities>(taskQueues.batch, call, weekMs),
  api: onQueue<ApiActivities>(taskQueues.api, { ...call, ...create }, weekMs),
  transfer: onQueue<TransferActivities>(taskQueues.transfer, { ...work, startToCloseTimeout: weekMs }, 2 * weekMs),
};

/** Activities of a job that has no remote job yet, or is done with it, and what a batch does about one. The history names the job at each. */
export const jobActivities = (job: number) => ({
  create: onQueue<ApiActivities>(taskQueues.api, { ...call, ...create }, weekMs, `Job ${job}: create at Plangrep`),
  close: onQueue<BatchActivities>(taskQueues.batch, call, weekMs, `Job ${job}: write down each document's outcome`),
  split: onQueue<BatchActivities>(taskQueues.batch, call, weekMs, `Job ${job}: split under lower limits`),
  resend: onQueue<TransferActivities>(taskQueues.transfer, { ...work, startToCloseTimeout: weekMs }, 2 * weekMs, `Job ${job}: make jobs of what is sent again`),
  abandon: onQueue<ApiActivities>(taskQueues.api, { ...call, ...urgent }, weekMs, `Job ${job}: cancel what its lost workflow left`),
});

/**
 * Activities on a remote job: retried until its deadline, and an hour beyond it, so that the activity itself finds out that the
 * job has expired. Archiving that has not begun when the next warning is due is given back, to be queued again with more priority.
 */
export function remoteActivities(job: number, remote: RemoteJob, warnings: number) {
  const now = Date.now();
  const leftMs = Math.max(0, Date.parse(remote.expiresAt) - now) + hour;
  const long = { ...work, startToCloseTimeout: leftMs };
  const warnAt = nextWarningAt(remote, warnings);
  const archiving = {
    ...long,
    priority: { priorityKey: archivePriority(remote, now) },
    ...(warnAt !== null && { scheduleToStartTimeout: Math.max(1_000, Date.parse(warnAt) - now) }),
  };
  return {
    upload: onQueue<TransferActivities>(taskQueues.transfer, long, leftMs, `Job ${job}: send its documents`),
    complete: onQueue<ApiActivities>(taskQueues.api, { ...call, ...urgent }, leftMs, `Job ${job}: close the upload`),
    poll: onQueue<ApiActivities>(taskQueues.api, { ...call, ...poll }, leftMs, `Job ${job}: wait for Plangrep`),
    read: onQueue<ApiActivities>(taskQueues.api, { ...call, ...news }, leftMs, `Job ${job}: read after news`),
    resume: onQueue<ApiActivities>(taskQueues.api, { ...call, ...urgent }, leftMs, `Job ${job}: resume at Plangrep`),
    cancel: onQueue<ApiActivities>(taskQueues.api, { ...call, ...urgent }, leftMs, `Job ${job}: cancel at Plangrep`),
    archive: onQueue<ArchiveActivities>(taskQueues.archive, archiving, leftMs, `Job ${job}: archive the result`),
  };
}
