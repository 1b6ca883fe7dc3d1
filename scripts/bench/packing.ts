import { jobLimits, packDocuments } from '../../src/domain/plan';
import { figure, type Figures } from './figures';
import { mixes, packable, type Mix } from './mixes';
import type { Run } from './session';

/** The most jobs for a lower bound: 2 % more, and one. */
export const mostJobs = (lowerBound: number): number => Math.floor(lowerBound * 1.02) + 1;

/** How close packing comes to the fewest jobs there could be. */
export const packing: Run = () => Promise.resolve(Object.fromEntries(Object.entries(mixes).flatMap(([name, mix]) => Object.entries(figuresOf(name, mix)))));

function figuresOf(name: string, { documents, maxPages }: Mix): Figures {
  const docs = documents();
  const { jobs, lowerBound } = packDocuments(packable(docs), jobLimits(maxPages === undefined ? {} : { maxPages }));
  return {
    [`${name}/documents`]: figure(docs.length, 'documents'),
    [`${name}/jobs`]: figure(jobs, 'jobs', { budget: mostJobs(lowerBound) }),
    [`${name}/lowerBound`]: figure(lowerBound, 'jobs'),
    [`${name}/ratio`]: figure(jobs / lowerBound, 'ratio'),
  };
}
