import type { ArchiveActivities, BatchActivities } from '../../contract/activities';
import type { Dependencies } from '../dependencies';
import { archiveFiles } from './archive-files';
import { closeJob } from './close';

/** Activities that bring a job's result home and write down what became of its documents. */
export function createArchiveActivities(deps: Pick<Dependencies, 'store' | 'plangrep' | 'pace'>): ArchiveActivities & Pick<BatchActivities, 'closeJob'> {
  return {
    archiveJob: async ({ batchId, job, projectId, remote }) => {
      await archiveFiles(deps, { batchId, job, remote });
      return closeJob(deps.store, { batchId, job, projectId, remote, ending: { kind: 'archived' } });
    },
    closeJob: (request) => closeJob(deps.store, request),
  };
}
