import type { Client } from '@temporalio/client';
import type { BatchInputOptions } from '../contract/batch';
import { BatchNotFinishedError, BatchNotFoundError } from './errors';
import { findBatch } from './reading';

/** Options of `BatchClient.retry`: what differs from the old batch's input. */
export interface RetryOptions extends Partial<Omit<BatchInputOptions, 'source' | 'createProject' | 'allowEmpty'>> {
  /** Id of the new batch; default: the time and six random letters. */
  id?: string;
  /** The old batch's input; default: what Temporal knows. To be given when Temporal has forgotten the batch: it is in `input.json` of its archive. */
  input?: BatchInputOptions;
}

/** The input of a batch over what another one did not process. It costs no project, and having nothing to do is told, not passed over. */
export function retryInput(batchId: string, old: BatchInputOptions, { id: _id, input: _input, ...overrides }: RetryOptions): BatchInputOptions {
  const { createProject: _create, allowEmpty: _empty, ...kept } = old;
  return { ...kept, ...overrides, source: { retryOf: batchId } };
}

/**
 * Refuses a batch that is not over. Without knowledge of the archive only what Temporal says is looked at; the worker looks for the manifest in any case.
 * @throws BatchNotFinishedError, BatchNotFoundError
 */
export async function refuseUnfinished(client: Client, batchId: string, isArchived: ((batchId: string) => Promise<boolean>) | null): Promise<void> {
  const found = await findBatch(client, batchId);
  if (found?.status.name === 'RUNNING') throw new BatchNotFinishedError(batchId, 'running');
  const abrupt = found?.status.name === 'TERMINATED' || found?.status.name === 'TIMED_OUT';
  if (isArchived === null ? !abrupt : await isArchived(batchId)) return;
  if (!found) throw new BatchNotFoundError(batchId);
  throw new BatchNotFinishedError(batchId, 'unfinished');
}
