import { newDocument, refuseOverLimits, storedTwin } from './documents';
import { Parts } from './parts';
import { TrustedParts } from './trusted-parts';
import type { SimDocument, SimJob } from './job';
import type { RegisteredFile } from './requests';
import type { SimulatorState } from './state';

/**
 * Registers files on a job and gives an instruction for each. Content that the job holds already, or that comes twice in one
 * registration, is not asked for again: same document, no URL. Registered content that never arrived is asked for as new.
 *
 * @throws ApiError 413 when the job would pass a limit; then nothing is registered
 */
export function registerFiles(state: SimulatorState, job: SimJob, files: RegisteredFile[]): object[] {
  const added = new Map<string, SimDocument>();
  const planned = files.map((file) => {
    const known = storedTwin(job, file.sha256) ?? added.get(file.sha256);
    if (known) return { document: known, send: false };
    const document = toDocument(state, file);
    added.set(file.sha256, document);
    return { document, send: true };
  });
  refuseOverLimits(job, [...added.values()]);
  job.documents.push(...added.values());
  return planned.map(({ document, send }) => (send ? instruction(state, job, document) : nothingToSend(state, document)));
}

/** The byte ranges of a multipart upload, `endByte` inclusive, numbered from 1. */
export function partRanges(sizeBytes: number, partBytes: number): { partNumber: number; startByte: number; endByte: number }[] {
  return Array.from({ length: Math.ceil(sizeBytes / partBytes) }, (_, index) => ({
    partNumber: index + 1,
    startByte: index * partBytes,
    endByte: Math.min(sizeBytes, (index + 1) * partBytes) - 1,
  }));
}

/** The headers that a signed PUT must carry, as they are. */
export const requiredHeaders = (document: SimDocument): Record<string, string> => ({
  'Content-Type': document.contentType,
  'x-amz-checksum-sha256': Buffer.from(document.sha256, 'hex').toString('base64'),
});

function toDocument(state: SimulatorState, { fileName, contentType, classification, fileSize, sha256 }: RegisteredFile): SimDocument {
  const mode = fileSize > state.settings.partThreshold ? 'multipart' : 'direct_put';
  const file = { fileName, contentType, classification: classification ?? null, sizeBytes: fileSize, sha256 };
  const document = newDocument(state, file, mode);
  if (mode === 'multipart') document.parts = state.settings.trustDigests ? new TrustedParts(sha256, state.settings.bytesPerPage) : new Parts(fileSize, state);
  return document;
}

function instruction(state: SimulatorState, job: SimJob, document: SimDocument): object {
  const path = `/uploads/${job.id}/${document.id}`;
  const url = (of: string): string => state.signer.signedUrl(state.storageUrl, 'PUT', of, document.urlsExpireAtMs);
  const expiresAt = state.clock.iso(document.urlsExpireAtMs);
  const common = { ...nothingToSend(state, document), expiresAt };
  if (document.mode === 'direct_put') return { ...common, uploadUrl: url(path), requiredHeaders: requiredHeaders(document) };
  const parts = partRanges(document.sizeBytes, state.settings.partBytes).map((range) => ({ ...range, uploadUrl: url(`${path}/parts/${range.partNumber}`), expiresAt }));
  return { ...common, multipartUploadId: state.signer.multipartUploadId(document.id), parts };
}

function nothingToSend(state: SimulatorState, document: SimDocument): object {
  // A form upload's content has no registration of its own; it counts as sent straight.
  const uploadMode = document.mode === 'multipart' ? 'multipart' : 'direct_put';
  return { documentId: document.id, uploadMode, uploadToken: state.signer.uploadToken(document.id, document.base64) };
}
