import type { Activities } from '../../../src/activities';
import type { ClosedJob } from '../../../src/contract/activities';

/** A batch of which nothing exists but its numbers. */
export interface StubBatch {
  jobs: number;
  documentsPerJob: number;
  maxConcurrentJobs: number;
  /** Jobs have two activities instead of five, as those that an earlier run of the same batch has closed. */
  short: boolean;
  /** Called when a job is closed, with how many have been so far. */
  onClosed: (jobs: number) => void;
}

const yearMs = 365 * 86_400_000;

/** Activities that answer at once, as if everything had gone well: what remains is what the workflows, Temporal and the worker cost. */
export function stubActivities({ jobs, documentsPerJob, maxConcurrentJobs, short, onClosed }: StubBatch): Activities {
  const documents = jobs * documentsPerJob;
  const input = {
    project: 'Stub', limits: {}, maxConcurrentJobs, upload: 'auto', createProject: false, allowEmpty: false, skipProcessed: false,
    retryFailedDocuments: 1, retryPartialDocuments: false, splitFailedJobs: true, probe: true, labels: {},
  } as const;
  const answer: ClosedJob = { counts: { processed: documentsPerJob }, pages: documentsPerJob, credits: documentsPerJob, resend: null, failedWith: null };
  let closed = 0;
  const close = async (): Promise<ClosedJob> => {
    closed += 1;
    onClosed(closed);
    return answer;
  };
  return {
    batch: {
      acceptBatch: async () => ({ input, attributes: ['BatchStatus', 'BatchId', 'PlangrepJobId', 'PlangrepStatus', 'DocumentCount', 'DocumentsDone', 'ResultExpiresAt'], archive: '/archive' }),
      splitJob: async ({ job }) => ({ jobs: [job] }),
      closeJob: close,
      findClosedJobs: async () => [],
    },
    api: {
      findProject: async () => ({ projectId: 'proj_stub' }),
      createProject: async () => ({ projectId: 'proj_stub' }),
      awaitProject: async () => {},
      createJob: async ({ batchId, job }) => {
        if (short) return null;
        const [createdAt, expiresAt] = [Date.now(), Date.now() + yearMs].map((at) => new Date(at).toISOString()) as [string, string];
        return { jobId: `job_${job}`, externalId: `batch/${batchId}/job/${job}`, createdAt, expiresAt, lowered: null, webhookSecret: null };
      },
      completeUploads: async () => {},
      awaitJob: async () => ({ kind: 'ended', status: 'completed', error: null, creditsDebited: documentsPerJob }),
      resumeJob: async () => {},
      cancelJob: async () => {},
      abandonJob: async () => null,
    },
    transfer: {
      planBatch: async () => ({ documents, rejected: 0, duplicates: 0, skipped: 0, jobs, bytes: documents * 1000, pages: null }),
      uploadDocuments: async () => ({ sent: documentsPerJob, notSent: 0, bytes: documentsPerJob * 1000 }),
      resendDocuments: async ({ next }) => ({ jobs: [], counts: {}, nextFollowUp: next }),
      writeManifest: async () => ({ status: 'completed', documents, counts: { processed: documents }, pages: documents, credits: documents }),
    },
    archive: { archiveJob: close },
  };
}
