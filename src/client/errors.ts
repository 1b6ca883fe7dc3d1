import type { InputProblem } from '../contract/batch';

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
