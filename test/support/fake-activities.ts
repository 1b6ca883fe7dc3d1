import type { Activities } from '../../src/activities';
import type { CreatedJob, EndedJob, JobEnding, PlannedBatch } from '../../src/contract/activities';
import type { JobTotals } from '../../src/contract/archive';

/** What a fake batch looks like; see {@link fakeActivities}. */
export interface FakeBatch {
  /** Planned jobs, each of `documentsPerJob` documents. */
  jobs: number;
  documentsPerJob: number;
  maxConcurrentJobs: number;
  createProject?: boolean;
}

/** Every call, in order: `name` and the job it was for. */
export type Calls = { name: string; job: number | null }[];

const soon = (): string => new Date(Date.now() + 7 * 24 * 3_600_000).toISOString();

/**
 * Activities that answer at once and remember what was asked. `overrides` replace single ones; they get the same request.
 * `endings` holds how each job was closed.
 */
export function fakeActivities(batch: FakeBatch, overrides: { [G in keyof Activities]?: Partial<Activities[G]> } = {}) {
  const calls: Calls = [];
  const endings = new Map<number, JobEnding>();
  const planned: PlannedBatch = { documents: batch.jobs * batch.documentsPerJob, rejected: 0, duplicates: 0, jobs: batch.jobs, bytes: 1000 * batch.jobs, pages: null };
  const totals = (counts: JobTotals['counts']): JobTotals => ({ counts, pages: 2 * batch.documentsPerJob, credits: 20 * batch.documentsPerJob });
  const defaults: Activities = {
    batch: {
      acceptBatch: async () => ({
        input: {
          project: 'Harbour Annex',
          limits: {},
          maxConcurrentJobs: batch.maxConcurrentJobs,
          upload: 'auto',
          createProject: batch.createProject ?? false,
          allowEmpty: false,
          labels: {},
        },
        attributes: [],
        archive: '/archive',
      }),
      splitJob: async ({ job }) => ({ jobs: [job], rejected: 0 }),
      closeJob: async ({ job, ending }) => {
        endings.set(job, ending);
        return totals({ [ending.kind === 'archived' ? 'processed' : ending.outcome]: batch.documentsPerJob });
      },
      findClosedJobs: async () => [],
    },
    api: {
      findProject: async () => ({ projectId: 'proj_1' }),
      createProject: async () => ({ projectId: 'proj_new' }),
      awaitProject: async () => {},
      createJob: async ({ job }): Promise<CreatedJob> => ({ jobId: `job_${job}`, externalId: `batch/x/job/${job}`, expiresAt: soon(), lowered: null }),
      completeUploads: async () => {},
      awaitJob: async (): Promise<EndedJob> => ({ status: 'completed', error: null, creditsDebited: 20 }),
      cancelJob: async () => {},
    },
    transfer: {
      planBatch: async () => planned,
      uploadDocuments: async () => ({ sent: batch.documentsPerJob, notSent: 0, bytes: 1000 }),
      writeManifest: async ({ error }) => ({
        status: error ? 'failed' : [...endings.values()].every(({ kind }) => kind === 'archived') ? 'completed' : 'completed_with_errors',
        documents: planned.documents,
        counts: { processed: planned.documents },
        pages: 1,
        credits: 1,
      }),
    },
    archive: { archiveJob: async () => ({ files: 3, bytes: 3000 }) },
  };
  const record = <T extends object>(group: T): T =>
    Object.fromEntries(
      Object.entries(group).map(([name, run]) => [
        name,
        (request: { job?: number }) => {
          calls.push({ name, job: request.job ?? null });
          return (run as (request: unknown) => unknown)(request);
        },
      ]),
    ) as T;
  const activities: Activities = {
    batch: record({ ...defaults.batch, ...overrides.batch }),
    api: record({ ...defaults.api, ...overrides.api }),
    transfer: record({ ...defaults.transfer, ...overrides.transfer }),
    archive: record({ ...defaults.archive, ...overrides.archive }),
  };
  return { activities, calls, endings };
}
