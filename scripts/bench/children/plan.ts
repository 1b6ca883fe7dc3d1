import { planDocuments } from '../../../src/activities/plan';
import { batchInputSchema } from '../../../src/contract/batch';
import { answer, measure, type Measured } from './measure';

/** A list file to plan. */
export interface PlanRequest {
  list: string;
}

/** What the plan says. */
export interface PlanAnswer {
  lines: number;
  rejected: number;
  duplicates: number;
  jobs: number;
  lowerBound: number;
}

answer<PlanRequest, Measured<PlanAnswer>>(({ list }) => {
  const input = batchInputSchema.parse({ project: 'bench', source: { list } });
  return measure(async () => {
    let lines = 0;
    const { rejected, duplicates, jobs, lowerBoundJobs } = await planDocuments(input, { sink: () => void (lines += 1) });
    return { lines, rejected, duplicates, jobs: jobs.length, lowerBound: lowerBoundJobs };
  });
});
