import { ApiError, invalidRequest } from './errors';
import type { SimDocument, SimJob } from './job';
import { partRanges } from './registration';
import type { CompleteUploads } from './requests';
import type { SimulatorState } from './state';

type MultipartUpload = CompleteUploads['multipartUploads'][number];

/** What a completion call comes to. */
export interface Completion {
  included: SimDocument[];
  /** Declared failed by the client. */
  failed: { document: SimDocument; message: string }[];
  /** Registered, and mentioned nowhere. */
  waiting: SimDocument[];
}

/**
 * Checks every record of a completion call and puts multipart uploads together; nothing of the job changes but the content
 * of those.
 *
 * @throws ApiError 400 when a record does not fit what is stored, or when nothing would be left to process
 */
export async function resolveCompletion(state: SimulatorState, job: SimJob, body: CompleteUploads): Promise<Completion> {
  const failed = body.failedUploads.map(({ documentId, error }) => ({ document: find(job, documentId), message: error ?? 'The upload failed.' }));
  const confirmed = new Set(body.directUploads.map((record) => confirmDirect(state, job, record)));
  for (const record of body.multipartUploads) confirmed.add(await confirmMultipart(state, job, record));
  for (const document of job.documents) if (document.mode === 'form') confirmed.add(document);
  const failures = new Set(failed.map(({ document }) => document));
  const wanted = body.documentIds ? body.documentIds.map((id) => find(job, id)) : [...confirmed];
  const missing = wanted.find((document) => !confirmed.has(document) && !failures.has(document));
  if (missing) throw new ApiError(400, 'upload_missing', `${missing.id} has no record of its upload.`);
  const chosen = new Set(wanted);
  const included = job.documents.filter((document) => chosen.has(document) && !failures.has(document));
  if (included.length === 0) throw new ApiError(400, 'no_documents', 'There is no uploaded document to process.');
  const waiting = body.documentIds ? [] : job.documents.filter((document) => !confirmed.has(document) && !failures.has(document));
  return { included, failed, waiting };
}

function find(job: SimJob, documentId: string): SimDocument {
  const document = job.documents.find(({ id }) => id === documentId);
  if (!document) throw new ApiError(400, 'unknown_document', `The job has no document ${JSON.stringify(documentId)}.`);
  return document;
}

function checkToken(state: SimulatorState, document: SimDocument, token: string): void {
  if (token !== state.signer.uploadToken(document.id, document.base64)) {
    throw new ApiError(400, 'invalid_upload_token', `The upload token of ${document.id} is another one.`);
  }
}

function confirmDirect(state: SimulatorState, job: SimJob, record: CompleteUploads['directUploads'][number]): SimDocument {
  const document = find(job, record.documentId);
  checkToken(state, document, record.uploadToken);
  if (document.content === null) throw new ApiError(400, 'upload_missing', `No content of ${document.id} has arrived.`);
  return document;
}

async function confirmMultipart(state: SimulatorState, job: SimJob, record: MultipartUpload): Promise<SimDocument> {
  const document = find(job, record.documentId);
  checkToken(state, document, record.uploadToken);
  if (document.mode !== 'multipart' || record.multipartUploadId !== state.signer.multipartUploadId(document.id)) {
    throw invalidRequest(`${document.id} has no such multipart upload.`);
  }
  if (document.content === null) await assemble(state, document, record);
  return document;
}

async function assemble(state: SimulatorState, document: SimDocument, record: MultipartUpload): Promise<void> {
  const { parts } = document;
  const count = partRanges(document.sizeBytes, state.settings.partBytes).length;
  const given = record.parts ?? Array.from({ length: count }, (_, index) => ({ partNumber: index + 1, etag: parts?.get(index + 1)?.etag ?? '' }));
  const right = given.length === count && given.every(({ partNumber, etag }, index) => partNumber === index + 1 && etag !== '' && etag === parts?.get(partNumber)?.etag);
  if (!right || !parts) throw new ApiError(400, 'invalid_parts', `${document.id} needs its ${count} parts in order, each with the ETag of its PUT.`);
  const received = await parts.finish(count);
  if (received.sha256 !== document.sha256) {
    await received.discard();
    state.counters.refusedDigests += 1;
    throw new ApiError(400, 'checksum_mismatch', `The SHA-256 of ${document.id} is not the registered one.`);
  }
  document.content = await received.store();
  document.parts = null;
  await parts.discard();
}
