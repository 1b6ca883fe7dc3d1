import { Context } from '@temporalio/activity';
import type { ArchiveActivities, BatchActivities } from '../../contract/activities';
import { jobKeys } from '../../contract/keys';
import type { Dependencies } from '../dependencies';
import { archiveArtifacts } from './artifacts';
import { ArchivedFiles } from './archived-files';
import { closeJob } from './close';
import { writeRecords } from './records';
import { archiveResult } from './result';
import { withHeartbeat } from './run';
import type { ArchiveProgress, ArchiveRun } from './run';

type ArchiveRequest = Parameters<ArchiveActivities['archiveJob']>[0];

/** Activities that bring a job's result home and write down what became of its documents. */
export function createArchiveActivities(deps: Pick<Dependencies, 'store' | 'plangrep' | 'pace'>): ArchiveActivities & Pick<BatchActivities, 'closeJob'> {
  return {
    archiveJob: (request) => {
      const progress: ArchiveProgress = { stage: 'result', files: 0, bytes: 0 };
      return withHeartbeat(progress, () => archiveJob(deps, request, progress));
    },
    closeJob: (request) => closeJob(deps.store, request),
  };
}

/** Result, artifacts, files.jsonl, in this order; each step leaves alone what an earlier attempt has done. */
async function archiveJob(deps: ArchiveRun['deps'], { batchId, job, remote }: ArchiveRequest, progress: ArchiveProgress): Promise<{ files: number; bytes: number }> {
  const { cancellationSignal: signal, info } = Context.current();
  const keys = jobKeys(batchId, job);
  const files = await ArchivedFiles.open(deps.store, keys, info.attempt);
  const run: ArchiveRun = { deps, remote, keys, files, progress, attempt: info.attempt, signal };
  const survey = await archiveResult(run);
  progress.stage = 'artifacts';
  const missing = await archiveArtifacts(run);
  await files.writeFiles();
  // A closed job has its outcomes; nothing would read these records, or clear them away.
  if (await deps.store.stat(keys.documents)) await deps.store.removeAll(keys.work);
  else await writeRecords(run, survey, missing);
  return files.totals;
}
