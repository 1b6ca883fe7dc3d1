import type { RemoteJob } from '../../contract/activities';
import { failureTypes } from '../../contract/failures';
import { BusyError, RejectedError } from '../../plangrep/errors';
import type { Dependencies } from '../dependencies';
import { giveUp } from '../failure';
import type { ArchivedFiles, JobKeys } from './archived-files';

/** Pause after a 429 or 503 that names none. */
const defaultPauseMs = 2_000;

/** How far an archiving attempt is, as its heartbeat tells. Only a hint: what counts lies in the store. */
export interface ArchiveProgress {
  stage: 'result' | 'artifacts';
  files: number;
  bytes: number;
}

/** One attempt to archive one job. */
export interface ArchiveRun {
  deps: Pick<Dependencies, 'store' | 'plangrep' | 'pace'>;
  remote: RemoteJob;
  keys: JobKeys;
  files: ArchivedFiles;
  progress: ArchiveProgress;
  /** From 1. */
  attempt: number;
  /** Aborts when the activity is cancelled. */
  signal: AbortSignal;
}

/**
 * A call to the API at the pace of this process, slower from now on when Plangrep asks for it.
 * @throws what the call throws; Expired instead of a 404 or 410 once the job's deadline has passed
 */
export async function paced<T>({ deps: { pace }, remote, signal }: ArchiveRun, call: () => Promise<T>): Promise<T> {
  await pace.wait(signal);
  try {
    return await call();
  } catch (error) {
    if (error instanceof BusyError && (error.status === 429 || error.status === 503)) pace.slowDown(error.retryAfterMs ?? defaultPauseMs);
    if (isGone(error) && Date.now() >= Date.parse(remote.expiresAt)) {
      throw giveUp(failureTypes.expired, `Job ${remote.jobId} expired at ${remote.expiresAt} before all of it was archived`);
    }
    throw error;
  }
}

/** Whether Plangrep says that there is no such thing (any more). */
export const isGone = (error: unknown): boolean => error instanceof RejectedError && (error.status === 404 || error.status === 410);
