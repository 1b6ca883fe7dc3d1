import { overLimit } from './errors';
import type { Classification, SimDocument, SimJob } from './job';
import type { SimulatorState } from './state';

/** What is known of a file when it joins a job. */
export interface NewFile {
  fileName: string;
  contentType: string;
  classification: Classification | null;
  sizeBytes: number;
  sha256: string;
}

/** A file as a document of no job yet. */
export function newDocument(state: SimulatorState, { fileName, contentType, classification, sizeBytes, sha256 }: NewFile, mode: SimDocument['mode']): SimDocument {
  // Field by field: an object that starts as a copy takes more memory, and there may be a million.
  return {
    id: state.newId('doc'), fileName, contentType, classification, sizeBytes, sha256, mode, urlsExpireAtMs: state.clock.now() + state.settings.uploadUrlMs, content: null, base64: false,
    parts: null, included: false, uploadFailure: null, donePages: 0, failedPages: [], pageProblem: null,
  };
}

/** Adding files to a job counts every one it ever had, sent or not. @throws ApiError 413 */
export function refuseOverLimits(job: SimJob, files: { sizeBytes: number }[]): void {
  const { maxFiles, maxDeclaredBytes } = job.limits;
  if (job.documents.length + files.length > maxFiles) throw overLimit(`A job takes ${maxFiles} files.`);
  const declared = [...job.documents, ...files].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (declared > maxDeclaredBytes) throw overLimit(`A job takes ${maxDeclaredBytes} declared bytes; these would be ${declared}.`);
}

/** The document of a job that already holds this content. */
export const storedTwin = (job: SimJob, sha256: string): SimDocument | undefined =>
  job.documents.find((document) => document.content !== null && document.sha256 === sha256);
