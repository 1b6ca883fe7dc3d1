import { Context } from '@temporalio/activity';
import type { ArchiveActivities, BatchActivities, ClosedJob } from '../../contract/activities';
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

/** Result, artifacts, files.jsonl, in this order, each step leaving alone what an earlier attempt has done; then the job is closed. */
async function archiveJob(deps: ArchiveRun['deps'], request: ArchiveRequest, progress: ArchiveProgress): Promise<ClosedJob> {
  const { batchId, job, projectId, remote } = request;
  const { cancellationSignal: signal, info } = Context.current();
  const keys = jobKeys(batchId, job);
  const files = await ArchivedFiles.open(deps.store, keys, info.attempt);
  const run: ArchiveRun = { deps, remote, keys, files, progress, attempt: info.attempt, signal };
  const survey = await archiveResult(run);
  progress.stage = 'artifacts';
  const missing = await archiveArtifacts(run);
  await files.writeFiles();
  // A closed job has its outcomes; nothing would read these records.
  if (!(await deps.store.stat(keys.documents))) await writeRecords(run, survey, missing);
  return closeJob(deps.store, { batchId, job, projectId, remote, ending: { kind: 'archived' } });
}
