import type { ApiActivities, ArchiveActivities, BatchActivities, TransferActivities } from '../contract/activities';
import { createArchiveActivities } from './archive';
import { createBatchActivities } from './batch';
import type { Dependencies } from './dependencies';
import { withFailures } from './failure';
import { createJobActivities } from './job';
import { createManifestActivities } from './manifest';
import { createPlanActivities } from './plan';
import { resendDocuments } from './plan/resend';
import { createProjectActivities } from './project';
import { createUploadActivities } from './upload';

/** All activities, by the task queue that they belong to. */
export interface Activities {
  batch: BatchActivities;
  api: ApiActivities;
  transfer: TransferActivities;
  archive: ArchiveActivities;
}

/** Builds the activities from their dependencies: the only place that does. */
export function createActivities(deps: Dependencies): Activities {
  const { planBatch, splitJob } = createPlanActivities(deps);
  const { archiveJob, closeJob } = createArchiveActivities(deps);
  return {
    batch: withFailures({ ...createBatchActivities(deps), splitJob, closeJob }),
    api: withFailures({ ...createProjectActivities(deps), ...createJobActivities(deps) }),
    transfer: withFailures({ planBatch, resendDocuments: (request) => resendDocuments(deps, request), ...createUploadActivities(deps), ...createManifestActivities(deps) }),
    archive: withFailures({ archiveJob }),
  };
}
