import { Context } from '@temporalio/activity';
import type { ArchiveActivities } from '../../contract/activities';
import { jobKeys } from '../../contract/keys';
import { withHeartbeat } from '../heartbeat';
import { archiveArtifacts } from './artifacts';
import { ArchivedFiles } from './archived-files';
import { writeRecords } from './records';
import { archiveResult } from './result';
import type { ArchiveProgress, ArchiveRun } from './run';

/** What is asked of {@link archiveFiles}. */
export type ArchiveRequest = Pick<Parameters<ArchiveActivities['archiveJob']>[0], 'batchId' | 'job' | 'remote'>;

/**
 * Brings a job's result and artifacts home: result, artifacts, files.jsonl, in this order, each step leaving alone what an earlier attempt has
 * done; then what the result says of each document, for the closing. Runs in an activity.
 */
export function archiveFiles(deps: ArchiveRun['deps'], request: ArchiveRequest): Promise<{ files: number; bytes: number }> {
  const progress: ArchiveProgress = { stage: 'result', files: 0, bytes: 0 };
  return withHeartbeat(() => archive(deps, request, progress), () => progress);
}

async function archive(deps: ArchiveRun['deps'], { batchId, job, remote }: ArchiveRequest, progress: ArchiveProgress): Promise<{ files: number; bytes: number }> {
  const { cancellationSignal: signal, info } = Context.current();
  const keys = jobKeys(batchId, job);
  const files = await ArchivedFiles.open(deps.store, keys, info.attempt);
  const run: ArchiveRun = { deps, remote, keys, files, progress, attempt: info.attempt, signal };
  const survey = await archiveResult(run);
  progress.stage = 'artifacts';
  const missing = await archiveArtifacts(run);
  if (await deps.store.stat(keys.documents)) {
    // A closed job has its list and its outcomes: nothing would read these records, or clear them away, and whoever closed it saw what there was.
    if (!(await deps.store.stat(keys.files))) await files.writeFiles();
    await deps.store.removeAll(keys.work);
  } else {
    await files.writeFiles();
    await writeRecords(run, survey, missing);
  }
  return files.totals;
}
