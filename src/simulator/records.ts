import { includedDocuments, successfulPages, type SimDocument, type SimJob } from './job';
import type { SimulatorState } from './state';

/** Which jobs: default all. `externalId`: those whose externalId contains this. */
export interface RecordsOf {
  jobId?: string | undefined;
  externalId?: string | undefined;
}

/**
 * Everything about jobs that a test may want to compare with what it did, as JSON text in pieces:
 * `{jobs: [...], debits: {<sha256>: [times page 1 was debited, page 2, ...]}}`, jobs in order of creation, debits over these jobs.
 */
export function* recordsText(state: SimulatorState, { jobId, externalId = '' }: RecordsOf = {}): Generator<string> {
  const jobs = [...state.jobs.values()].filter((job) => (jobId === undefined || job.id === jobId) && (job.externalId ?? '').includes(externalId));
  yield '{"jobs":[';
  for (const [index, job] of jobs.entries()) yield (index === 0 ? '' : ',') + JSON.stringify(jobRecord(state, job));
  yield '],"debits":{';
  let first = true;
  for (const [sha256, pages] of debits(jobs)) {
    yield `${first ? '' : ','}"${sha256}":${JSON.stringify(pages)}`;
    first = false;
  }
  yield '}}';
}

function jobRecord(state: SimulatorState, job: SimJob): object {
  const { id, projectId, externalId, status, limits, error, creditsDebited, creditsReserved, history, callsAfterEnd, gone, hidden } = job;
  return {
    id, projectId, externalId, status, limits, error, creditsDebited, creditsReserved,
    createdAt: state.clock.iso(job.createdAtMs),
    expiresAt: state.clock.iso(job.expiresAtMs),
    /** Reads answer 404. */
    gone,
    /** By the control interface; reads answer 404 as well. */
    hidden,
    /** Every status the job had, in order. */
    history,
    /** Calls that came after the job ended, by operation. */
    callsAfterEnd,
    documents: job.documents.map((document) => documentRecord(document)),
  };
}

function documentRecord(document: SimDocument): object {
  const { id, fileName, contentType, classification, mode, sizeBytes, sha256, content, included, uploadFailure, failedPages } = document;
  return {
    documentId: id, fileName, contentType, classification, mode, sizeBytes, sha256,
    stored: content !== null,
    included,
    pages: content?.pages ?? null,
    problem: content?.problem ?? uploadFailure,
    debitedPages: successfulPages(document),
    failedPages,
  };
}

/** How often each page of each content was paid for, over these jobs. */
function debits(jobs: SimJob[]): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const document of jobs.flatMap(includedDocuments)) {
    const pages = all.get(document.sha256) ?? [];
    all.set(document.sha256, pages);
    const failed = new Set(document.failedPages);
    for (let page = 1; page <= document.donePages; page++) pages[page - 1] = (pages[page - 1] ?? 0) + (failed.has(page) ? 0 : 1);
  }
  return all;
}
