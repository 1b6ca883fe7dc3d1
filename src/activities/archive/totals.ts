import type { ClosedJob, JobRef } from '../../contract/activities';
import { documentOutcomeSchema, followUpSchema, inputFileSchema, jobFileSchema } from '../../contract/archive';
import type { DocumentOutcome, JobFile } from '../../contract/archive';
import type { Counts } from '../../contract/batch';
import { batchKeys, jobKeys } from '../../contract/keys';
import { resendOf } from '../../domain/resend';
import { NotFoundError, type Store } from '../../store';
import { findJson, readJsonLines } from '../../store/jsonl';
import { readPlan } from '../plan';

/** What a closed job's documents.jsonl says of its documents; null when there is none. @throws BrokenFileError */
export async function readDocuments(store: Store, batchId: string, job: number): Promise<DocumentOutcome[] | null> {
  const documents: DocumentOutcome[] = [];
  try {
    for await (const document of readJsonLines(store, jobKeys(batchId, job).documents, documentOutcomeSchema)) documents.push(document);
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
  return documents;
}

/**
 * What a closed job adds up to and what is to be sent again, from its files alone, so that every reader gives the same answer; null
 * when it has no documents.jsonl. Credits as the remote job says, which holds for failed jobs too; when it does not say, the sum over
 * the documents. Pages as the result counts them, equal content once.
 */
export async function readClosedJob(store: Store, batchId: string, job: number): Promise<(ClosedJob & { documents: number }) | null> {
  const documents = await readDocuments(store, batchId, job);
  return documents && { documents: documents.length, ...(await closedJob(store, { batchId, job }, documents)) };
}

/** As {@link readClosedJob}, of documents that were read already. */
export async function closedJob(store: Store, { batchId, job }: JobRef, documents: DocumentOutcome[]): Promise<ClosedJob> {
  const file = lastSeen(await findJson(store, jobKeys(batchId, job).job, jobFileSchema), documents);
  return {
    counts: countsOf(documents),
    pages: pagesOf(documents),
    credits: file?.creditsDebited ?? documents.reduce((sum, { credits }) => sum + (credits ?? 0), 0),
    resend: await resendFrom(store, { batchId, job }, documents, file),
    failedWith: file?.status === 'failed' ? (file.error?.code ?? 'unknown') : null,
  };
}

/** What job.json says of an earlier remote job says nothing about these documents. */
const lastSeen = (file: JobFile | null, documents: DocumentOutcome[]): JobFile | null =>
  documents.some(({ jobId }) => jobId !== null && jobId !== file?.jobId) ? null : file;

function countsOf(documents: DocumentOutcome[]): Counts {
  const counts: Counts = {};
  for (const { outcome } of documents) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function pagesOf(documents: DocumentOutcome[]): number {
  const counted = new Map<string, number>();
  for (const { result, documentId, pages } of documents) if (result && documentId !== null && !counted.has(documentId)) counted.set(documentId, pages ?? 0);
  return [...counted.values()].reduce((sum, pages) => sum + pages, 0);
}

async function resendFrom(store: Store, { batchId, job }: { batchId: string; job: number }, documents: DocumentOutcome[], file: JobFile | null): Promise<ClosedJob['resend']> {
  const keys = batchKeys(batchId);
  const range = (await readPlan(store, batchId)).jobs[job - 1];
  const followUp = range ? null : await findJson(store, keys.followUp(job), followUpSchema);
  const input = await findJson(store, keys.input, inputFileSchema);
  const ranges = range ? [range] : followUp?.ranges;
  // Once the working files are gone the batch is over, and nothing is sent again.
  if (!ranges || !input) return null;
  return resendOf({
    status: file?.status ?? null,
    errorCode: file?.error?.code ?? null,
    creditsDebited: file?.creditsDebited ?? null,
    planned: ranges.reduce((sum, part) => sum + part.documents, 0),
    documents,
    resends: followUp?.resends ?? 0,
    refusals: followUp?.refusals ?? 0,
    rules: input.input,
  });
}
