import type { BatchActivities, TransferActivities } from '../../contract/activities';
import { planBatch } from './batch';
import type { PlanDependencies } from './batch';
import { splitJob } from './split';

export type { PlanProgress } from './candidate';
export { planDocuments } from './documents';
export type { PlanOptions } from './documents';
export { readJobLines, readPlan } from './read';

/** Planning: of a whole batch, and of a job whose limits turned out lower than planned. */
export function createPlanActivities(
  deps: PlanDependencies,
): Pick<TransferActivities, 'planBatch'> & Pick<BatchActivities, 'splitJob'> {
  return {
    planBatch: (request) => planBatch(deps, request),
    splitJob: (request) => splitJob(deps.store, request),
  };
}
