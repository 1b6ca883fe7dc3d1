import { BatchIdInUseError, type StartedBatch } from '../client';

/** A batch that was started, or that runs already with the very input that was meant. */
export interface Attached {
  batchId: string;
  attached: boolean;
}

/** Starts a batch, unless it runs already with the same input. @throws what `start` throws */
export async function startOrAttach(start: () => Promise<StartedBatch>): Promise<Attached> {
  try {
    return { batchId: (await start()).batchId, attached: false };
  } catch (error) {
    if (error instanceof BatchIdInUseError && error.state === 'running' && error.sameInput) return { batchId: error.batchId, attached: true };
    throw error;
  }
}
