import type { WorkerOptions } from '@temporalio/worker';
import type { taskQueues } from './contract/messages';

/** What a worker process takes on at once. */
export interface WorkerTuning {
  /** Activities at once, by queue. */
  slots: Record<keyof typeof taskQueues, number>;
  /** Workflows kept in memory; each costs about 350 KB. One that is not kept is replayed from its history with its next event. */
  cachedWorkflows: number;
  /** How tasks are polled for. Null: as many polls as slots, at most ten, which is the SDK's default. */
  pollers: NonNullable<WorkerOptions['activityTaskPollerBehavior']> | null;
}

/**
 * Slots are bounded by what the work needs: open files and bandwidth for transfers and archives, nothing much for short calls. How the
 * numbers were found: docs/decisions/0007.
 */
export const workerTuning: WorkerTuning = {
  slots: { batch: 20, api: 20, transfer: 10, archive: 10 },
  cachedWorkflows: 200,
  pollers: null,
};
