import type { BatchStatus, InputProblem } from '../contract/batch';
import { taskQueues } from '../contract/messages';

/** The input or the batch id does not pass; holds every problem. Nothing was started. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
  constructor(readonly problems: readonly InputProblem[]) {
    super(problems.map(({ field, message }) => `${field}: ${message}`).join('\n'));
  }
}

/** A batch has this id already. Nothing was started. */
export class BatchIdInUseError extends Error {
  override readonly name = 'BatchIdInUseError';
  constructor(
    readonly batchId: string,
    /** `running`, or `finished`: ended in any way but terminated, or its manifest is in the archive. */
    readonly state: 'running' | 'finished',
    /** Whether the running batch was started with the very input that was refused now, so that watching it is as good. */
    readonly sameInput: boolean,
  ) {
    super(`a batch with id ${batchId} ${state === 'running' ? 'is running' : 'has finished'}${sameInput ? ' with this very input' : ''}`);
  }
}

/** Temporal knows no batch of this id: it never was, or its retention time is over. */
export class BatchNotFoundError extends Error {
  override readonly name = 'BatchNotFoundError';
  constructor(readonly batchId: string) {
    super(`Temporal knows no batch ${batchId}`);
  }
}

/** The batch is closed, so it cannot be paused or resumed. Nothing was changed. */
export class BatchClosedError extends Error {
  override readonly name = 'BatchClosedError';
  constructor(
    readonly batchId: string,
    /** How it ended. */
    readonly status: BatchStatus,
  ) {
    super(`batch ${batchId} is closed: ${status}`);
  }
}

/** No worker took the order in time. What is ordered may be ordered again without harm. */
export class NoWorkerError extends Error {
  override readonly name = 'NoWorkerError';
  constructor(
    readonly batchId: string,
    /** False: nobody polls the batch's task queue, and nothing was sent. True: it was sent, and a worker may yet act on it. */
    readonly sent: boolean,
  ) {
    super(sent ? `no worker has answered for batch ${batchId} in time; the order may still take effect` : `no worker polls the task queue ${taskQueues.batch}, so batch ${batchId} was told nothing`);
  }
}

/** The batch cannot be retried yet: it runs, or its manifest is not written. Nothing was started. */
export class BatchNotFinishedError extends Error {
  override readonly name = 'BatchNotFinishedError';
  constructor(
    readonly batchId: string,
    /** `running`, or `unfinished`: it ended, by a terminate for instance, before its manifest was written. */
    readonly state: 'running' | 'unfinished',
  ) {
    super(state === 'running' ? `batch ${batchId} is still running` : `batch ${batchId} ended before its manifest was written`);
  }
}
