/** Builds batches in a store as the activities before the manifest leave them, from a few words a document. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { createManifestActivities } from '../../src/activities/manifest';
import type { ManifestRequest, ManifestTotals } from '../../src/contract/activities';
import type { ArchivedArtifact, ArchivedFile, DocumentOutcome, JobFile, Plan, PlanLine } from '../../src/contract/archive';
import type { Outcome, Reason } from '../../src/contract/batch';
import { batchKeys, jobKeys } from '../../src/contract/keys';
import type { Store } from '../../src/store';
import { sha256 } from '../../src/store/digest';
import { jsonLines, jsonText } from '../../src/store/jsonl';

/** A document of the plan: in a job, or left out for a reason. */
export interface DocumentSpec {
  job?: number;
  reason?: Reason;
  duplicateOf?: number;
}

/** A job's account: outcomes by `seq`; `lost` leaves no documents.jsonl, `artifacts` go to each document with a result. */
export interface JobSpec {
  job: number;
  parent?: number;
  outcomes?: Record<number, Outcome>;
  artifacts?: string[];
  lost?: boolean;
  creditsDebited?: number | null;
  status?: string;
}

/** A whole batch. */
export interface BatchSpec {
  documents: DocumentSpec[];
  jobs: JobSpec[];
}

/** Two planned jobs with results, one in halves of which one is lost, a rejected document and two duplicates. */
export const mixedBatch: BatchSpec = {
  documents: [
    { job: 1 }, { job: 1 }, { job: 1 }, { job: 2 }, { job: 2 }, { job: 3 }, { job: 3 },
    { reason: { code: 'empty', message: 'has no bytes' } },
    { reason: { code: 'duplicate', message: 'has the content of document 1' }, duplicateOf: 1 },
    { reason: { code: 'duplicate', message: 'has the content of document 5' }, duplicateOf: 5 },
  ],
  jobs: [
    { job: 1, outcomes: { 1: 'processed', 2: 'partial', 3: 'processed' }, artifacts: ['sheet-1.png', 'Grundriß 2.pdf'], creditsDebited: 25, status: 'completed_with_errors' },
    { job: 2, outcomes: { 4: 'failed', 5: 'failed' }, creditsDebited: 0, status: 'failed' },
    { job: 3, lost: true, status: 'cancelled' },
    { job: 4, parent: 3, outcomes: { 6: 'processed' }, artifacts: ['a.json'], creditsDebited: null, status: 'completed' },
    { job: 5, parent: 3, lost: true },
  ],
};

const reasons: Partial<Record<Outcome, Reason>> = {
  partial: { code: 'partial', message: '1 of 3 pages did not come out.' },
  failed: { code: 'job_failed', message: 'The job failed.' },
  rejected: { code: 'changed', message: 'changed while it was sent' },
  cancelled: { code: 'cancelled', message: 'The batch was cancelled.' },
  expired: { code: 'expired', message: 'The job expired.' },
};

/** The plan's line of a document; `index` from 0. */
export const planLine = (spec: DocumentSpec, index: number): PlanLine => ({
  seq: index + 1,
  source: `Plans/ground floor ${index + 1}.pdf`,
  fileName: `ground floor ${index + 1}.pdf`,
  contentType: 'application/pdf',
  sizeBytes: 1_000 + index,
  sha256: spec.duplicateOf === undefined ? null : sha256(`document ${spec.duplicateOf}`),
  pages: null,
  classification: index % 2 ? 'plans' : null,
  mtimeMs: 1_700_000_000_000,
  inode: String(index),
  job: spec.job ?? null,
  reason: spec.reason ?? null,
  duplicateOf: spec.duplicateOf ?? null,
});

/** input.json, the plan, follow-ups and every job, all but the manifest. */
export async function buildBatch(store: Pick<Store, 'write'>, batchId: string, spec: BatchSpec): Promise<void> {
  const keys = batchKeys(batchId);
  await writeInput(store, batchId);
  const plan = await writePlan(store, batchId, spec);
  for (const job of spec.jobs) {
    if (job.parent !== undefined) {
      const { offset, length, ...range } = plan.jobs[rootOf(spec, job.parent) - 1]!;
      const half = Math.floor(length / 2);
      const ranges = [{ ...range, offset: offset + (job.job % 2 ? half : 0), length: half }];
      await store.write(keys.followUp(job.job), jsonText({ job: job.job, parent: job.parent, ranges }));
    }
    await writeJob(store, batchId, job);
  }
}

/** input.json. */
export async function writeInput(store: Pick<Store, 'write'>, batchId: string): Promise<void> {
  const input = { project: 'Tower', source: { folder: '/plans' }, labels: { site: 'north', 7: 'seven' } };
  await store.write(batchKeys(batchId).input, jsonText({ batchId, acceptedAt: '2026-11-24T10:00:00.000Z', input }));
}

/** The planned job that a job is, or was made of. */
const rootOf = ({ jobs }: BatchSpec, number: number): number => {
  const parent = jobs.find(({ job }) => job === number)?.parent;
  return parent === undefined ? number : rootOf({ documents: [], jobs }, parent);
};

async function writePlan(store: Pick<Store, 'write'>, batchId: string, { documents }: BatchSpec): Promise<Plan> {
  const lines = documents.map(planLine);
  const texts = lines.map((line) => `${JSON.stringify(line)}\n`);
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  const jobs = [...new Set(lines.flatMap(({ job }) => job ?? []))].map((job) => {
    const own = lines.filter((line) => line.job === job);
    const first = lines.indexOf(own[0]!);
    const bytes = (some: string[]) => sum(some.map((text) => Buffer.byteLength(text)));
    return { offset: bytes(texts.slice(0, first)), length: bytes(texts.slice(first, first + own.length)), documents: own.length, sizeBytes: sum(own.map((line) => line.sizeBytes!)), pages: null };
  });
  const keys = batchKeys(batchId);
  const written = await store.write(keys.planLines, texts.join(''));
  const duplicates = lines.filter((line) => line.duplicateOf !== null).length;
  const skipped = lines.filter((line) => line.duplicateOf === null && line.reason?.code === 'skipped').length;
  const plan: Plan = {
    ...planHead(batchId),
    documents: lines.length,
    rejected: lines.filter((line) => line.job === null).length - duplicates - skipped,
    duplicates,
    skipped,
    bytes: sum(jobs.map(({ sizeBytes }) => sizeBytes)),
    jobs,
    sha256: written.sha256,
  };
  await store.write(keys.plan, jsonText(plan));
  return plan;
}

/** What is the same in every plan.json here. */
export const planHead = (batchId: string): Pick<Plan, 'batchId' | 'root' | 'createdAt' | 'pages' | 'limits' | 'lowerBoundJobs' | 'credits'> => ({
  batchId,
  root: '/plans',
  createdAt: '2026-11-24T10:00:01.000Z',
  pages: null,
  limits: {},
  lowerBoundJobs: 1,
  credits: null,
});

/** A job's files, its artifacts included. */
export async function writeJob(store: Pick<Store, 'write'>, batchId: string, spec: JobSpec): Promise<void> {
  const keys = jobKeys(batchId, spec.job);
  const outcomes = Object.entries(spec.outcomes ?? {}) as unknown as [string, Outcome][];
  const files: ArchivedFile[] = [];
  const documents: DocumentOutcome[] = [];
  const archive = async (path: string, content: string) => {
    files.push({ path, ...(await store.write(`${keys.folder}/${path}`, content)) });
    return files.at(-1)!;
  };
  if (outcomes.some(([, outcome]) => outcome === 'processed' || outcome === 'partial')) {
    await archive('result.json', JSON.stringify({ schemaVersion: 'v1', documents: outcomes.map(([seq]) => ({ documentId: `doc-${seq}`, pageCount: 3 })) }));
  }
  for (const [index, [seq, outcome]] of outcomes.entries()) {
    const artifacts: ArchivedArtifact[] = [];
    const hasResult = outcome === 'processed' || outcome === 'partial';
    for (const name of hasResult ? (spec.artifacts ?? []) : []) {
      const file = await archive(`artifacts/${seq}/${name}`, `${name} of document ${seq}\n`);
      artifacts.push({ ...file, path: `${keys.relative}/${file.path}`, type: 'sheet' });
    }
    documents.push(documentOf(spec, Number(seq), outcome, artifacts, hasResult ? { path: `${keys.relative}/result.json`, index } : null));
  }
  if (files.length > 0) await store.write(keys.files, jsonLines([...files].sort((a, b) => (a.path < b.path ? -1 : 1))));
  if (!spec.lost) await store.write(keys.documents, jsonLines(documents));
  if (spec.status !== undefined) await store.write(keys.job, jsonText(jobFile(batchId, spec, documents.length)));
}

function documentOf(spec: JobSpec, seq: number, outcome: Outcome, artifacts: ArchivedArtifact[], result: DocumentOutcome['result']): DocumentOutcome {
  const sent = outcome !== 'rejected';
  return {
    seq,
    outcome,
    reason: reasons[outcome] ?? null,
    jobId: sent ? `job_${spec.job}` : null,
    documentId: sent ? `doc-${seq}` : null,
    sha256: sha256(`document ${seq}`),
    pages: result && 3,
    pagesFailed: outcome === 'partial' ? 1 : null,
    pagesPaid: outcome === 'failed' ? 0 : null,
    credits: result && (outcome === 'partial' ? 2 : 3),
    result,
    artifacts,
  };
}

const jobFile = (batchId: string, { job, parent, status, creditsDebited, lost }: JobSpec, documents: number): JobFile => ({
  job,
  parent: lost ? null : (parent ?? null),
  batchId,
  jobId: `job_${job}`,
  externalId: `batch/${batchId}/job/${String(job).padStart(5, '0')}`,
  status: status ?? null,
  error: status === 'failed' ? { code: 'internal', message: 'It broke.' } : null,
  creditsDebited: creditsDebited ?? null,
  pageCount: null,
  createdAt: '2026-11-24T10:00:02.000Z',
  expiresAt: '2026-12-01T10:00:02.000Z',
  completedAt: null,
  documents,
});

/** Runs the real activity on what was built. */
export async function writeManifest(store: Store, batchId: string, ended: Partial<Pick<ManifestRequest, 'failure' | 'error' | 'cancelled' | 'projectId'>> = {}): Promise<ManifestTotals> {
  const { writeManifest: run } = createManifestActivities({ store });
  const request: ManifestRequest = { batchId, projectId: 'proj_1', startedAt: '2026-11-24T10:00:00.000Z', closedAt: '2026-11-24T11:00:00.000Z', failure: null, error: null, cancelled: false, ...ended };
  return (await new MockActivityEnvironment({ attempt: 1 }).run(run, request)) as ManifestTotals;
}
