import type { Activities } from '../../src/activities';
import type { ClosedJob, CreatedJob, EndedJob, JobEnding, JobSight, PlannedBatch } from '../../src/contract/activities';
import type { BatchInput } from '../../src/contract/batch';

/** What a fake batch looks like; see {@link fakeActivities}. */
export interface FakeBatch {
  /** Planned jobs, each of `documentsPerJob` documents. */
  jobs: number;
  documentsPerJob: number;
  maxConcurrentJobs: number;
  createProject?: boolean;
  /** Over the defaults of the rest of the input. */
  input?: Partial<BatchInput>;
  /** Life of each remote job, in ms. Default a week. */
  lifeMs?: number;
  /** The clock that remote jobs are dated by; a time-skipping server has one of its own. */
  now?: () => number | Promise<number>;
}

/** Every call, in order: `name` and the job it was for. */
export type Calls = { name: string; job: number | null }[];

const weekMs = 7 * 24 * 3_600_000;

/** A remote job as `createJob` answers; a week to live unless told otherwise. */
export function createdJob(job: number, over: Partial<CreatedJob> & { nowMs?: number; lifeMs?: number } = {}): CreatedJob {
  const { nowMs = Date.now(), lifeMs = weekMs, ...rest } = over;
  const [createdAt, expiresAt] = [nowMs, nowMs + lifeMs].map((at) => new Date(at).toISOString()) as [string, string];
  return { jobId: `job_${job}`, externalId: `batch/x/job/${job}`, createdAt, expiresAt, lowered: null, webhookSecret: null, ...rest };
}

/** A closed job with these outcomes, of which nothing is sent again. */
export const closedJob = (counts: ClosedJob['counts'], over: Partial<ClosedJob> = {}): ClosedJob => ({ counts, pages: 2, credits: 20, resend: null, failedWith: null, ...over });

/** A job at its end, as `awaitJob` answers. */
export const endedJob = (status: EndedJob['status'] = 'completed', over: Partial<EndedJob> = {}): EndedJob => ({ kind: 'ended', status, error: null, creditsDebited: 20, ...over });

/**
 * Activities that answer at once and remember what was asked. `overrides` replace single ones; they get the same request.
 * `endings` holds how each job was closed.
 */
export function fakeActivities(batch: FakeBatch, overrides: { [G in keyof Activities]?: Partial<Activities[G]> } = {}) {
  const calls: Calls = [];
  const endings = new Map<number, JobEnding>();
  const planned: PlannedBatch = { documents: batch.jobs * batch.documentsPerJob, rejected: 0, duplicates: 0, skipped: 0, jobs: batch.jobs, bytes: 1000 * batch.jobs, pages: null };
  const closed = (counts: ClosedJob['counts']) => closedJob(counts, { pages: 2 * batch.documentsPerJob, credits: 20 * batch.documentsPerJob });
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
          skipProcessed: false,
          retryFailedDocuments: 1,
          retryPartialDocuments: false,
          splitFailedJobs: true,
          probe: true,
          labels: {},
          ...batch.input,
        },
        attributes: [],
        archive: '/archive',
      }),
      splitJob: async ({ job }) => ({ jobs: [job], rejected: 0 }),
      closeJob: async ({ job, ending }) => {
        endings.set(job, ending);
        if (ending.kind === 'archived') return closed({ processed: batch.documentsPerJob });
        return closed({ [ending.kind === 'failed' ? 'failed' : ending.outcome]: batch.documentsPerJob });
      },
      findClosedJobs: async () => [],
    },
    api: {
      findProject: async () => ({ projectId: 'proj_1' }),
      createProject: async () => ({ projectId: 'proj_new' }),
      awaitProject: async () => {},
      createJob: async ({ job }): Promise<CreatedJob> => createdJob(job, { nowMs: await (batch.now ?? Date.now)(), lifeMs: batch.lifeMs ?? weekMs }),
      completeUploads: async () => {},
      awaitJob: async (): Promise<JobSight> => endedJob(),
      resumeJob: async () => {},
      cancelJob: async () => {},
      abandonJob: async () => null,
    },
    transfer: {
      planBatch: async () => planned,
      uploadDocuments: async () => ({ sent: batch.documentsPerJob, notSent: 0, bytes: 1000 }),
      resendDocuments: async ({ next }) => ({ jobs: [next], counts: { failed: batch.documentsPerJob }, nextFollowUp: next + 1 }),
      writeManifest: async ({ error, cancelled }) => ({
        status: cancelled ? 'cancelled' : error ? 'failed' : [...endings.values()].every(({ kind }) => kind === 'archived') ? 'completed' : 'completed_with_errors',
        documents: planned.documents,
        counts: { processed: planned.documents },
        pages: 1,
        credits: 1,
      }),
    },
    archive: {
      archiveJob: async ({ job }) => {
        endings.set(job, { kind: 'archived' });
        return closed({ processed: batch.documentsPerJob });
      },
    },
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
