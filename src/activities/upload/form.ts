import { createHash, type Hash } from 'node:crypto';
import type { PlanLine } from '../../contract/archive';
import { jobKeys, jobName } from '../../contract/keys';
import { BodyLengthError, RejectedError } from '../../plangrep/errors';
import { maxFormBytes, unconfirmedFiles } from '../../plangrep/form';
import { UnsendableError } from './file';
import type { SourceFile } from './file';
import { digestOf, isOurs, onStream, prove, settleSent, settleUnsent, withFile } from './job-upload';
import type { JobUpload } from './job-upload';
import { runPool } from './pool';
import type { Movement } from './stall';
import { streamsPerJob } from './streams';

/** Room for the form's own lines, in bytes, within what one request may carry. */
const envelopeBytes = 64 * 1024;
const maxFileBytes = maxFormBytes - envelopeBytes;

/**
 * Sends documents by the multipart form, one file a request. The form has no idempotency key, so after a doubtful attempt
 * the job's own list of files tells, by their unique names, which have arrived.
 */
export async function uploadForm(upload: JobUpload, lines: PlanLine[]): Promise<void> {
  const arrived = await arrivedNames(upload);
  await runPool(lines, streamsPerJob, async (line) => {
    const sent = upload.ledger.sentDocument(line.seq);
    if (sent?.changed) return settleUnsent(upload, line, changedReason, { sentAs: sent.documentId });
    if (sent) return settleSent(upload, line, sent.documentId, sent.sha256);
    if (arrived.has(line.fileName)) return settleSent(upload, line, null, await arrivedDigest(upload, line));
    await withFile(upload, line, null, async (file) => {
      const sha256 = await neededDigest(upload, line, file);
      if (sha256 === null || (await isOurs(upload, line, sha256))) await sendForm(upload, line, file, sha256);
    });
  });
}

/** A form upload hashes while it sends; a claim needs the digest before, and one that a list gives must be right, or Plangrep refuses the request. */
async function neededDigest(upload: JobUpload, line: PlanLine, file: SourceFile): Promise<string | null> {
  if (upload.claimant === null && line.sha256 === null) return null;
  return upload.engine.hashing.run(upload, upload.signal, () => digestOf(upload, line, file));
}

/** Names of the files that earlier attempts brought to the job; none when this is the first. */
async function arrivedNames({ deps, ref, remote, signal }: JobUpload): Promise<Set<string>> {
  const key = `${jobKeys(ref.batchId, ref.job).work}/form-started.json`;
  if (await deps.store.createIfAbsent(key, '{}')) return new Set();
  await deps.pace.wait(signal);
  const { files } = await deps.plangrep.getJob(remote.jobId, { signal });
  return new Set((files ?? []).flatMap(({ fileName }) => fileName ?? []));
}

/** Digest of a file whose form arrived while its answer was lost: without one no later batch knows the content. Null when the file is not what it was. */
async function arrivedDigest(upload: JobUpload, line: PlanLine): Promise<string | null> {
  let digest: string | null = null;
  await withFile(upload, line, null, async (file) => {
    digest = await upload.engine.hashing.run(upload, upload.signal, () => digestOf(upload, line, file));
  });
  return digest;
}

const changedReason = { code: 'changed', message: 'The file changed while it was sent' } as const;

async function sendForm(upload: JobUpload, line: PlanLine, file: SourceFile, sha256: string | null): Promise<void> {
  const { deps, signal } = upload;
  if (file.sizeBytes > maxFileBytes) {
    throw new UnsendableError({ code: 'too_large', message: `A form upload takes files of at most ${maxFileBytes} bytes; use signed uploads` });
  }
  try {
    await onStream(upload, { line, to: 'Plangrep', pause: () => deps.pace.wait(signal) }, (movement) => postForm(upload, file, { movement, sha256 }));
  } catch (error) {
    if (error instanceof BodyLengthError) throw new UnsendableError(changedReason);
    // Plangrep compares with the digest in the form: a refusal may be about the file.
    if (error instanceof RejectedError && sha256 !== null) await prove(upload, file, sha256);
    throw error;
  }
}

async function postForm(upload: JobUpload, file: SourceFile, { movement, sha256: known }: { movement: Movement; sha256: string | null }): Promise<void> {
  const { deps, ref, remote, ledger } = upload;
  const { line } = file;
  const hash = createHash('sha256');
  const form = {
    fileName: line.fileName,
    contentType: line.contentType,
    sizeBytes: file.sizeBytes,
    open: () => hashed(file.read(movement), hash),
    ...(line.classification && { classification: line.classification }),
    ...(line.sha256 && { sha256: line.sha256 }),
  };
  const answer = await deps.plangrep.uploadFiles(remote.jobId, [form], { flowId: `${ref.batchId}/${jobName(ref.job)}/${line.seq}`, signal: movement.signal });
  if (unconfirmedFiles([form], answer).length > 0) {
    throw new UnsendableError({ code: 'remote_error', message: `Plangrep took the request but does not list the file (${answer.status ?? 'no status'})` });
  }
  const documentId = answer.uploads[0]?.documentId ?? null;
  const sha256 = hash.digest('hex');
  const changed = (known !== null && known !== sha256) || (await file.hasChanged());
  await movement.awaiting('archive', ledger.markSent(line.seq, { documentId, etag: null, sha256, ...(changed && { changed }) }));
  if (changed) throw new UnsendableError(changedReason, documentId);
  settleSent(upload, line, documentId, sha256);
}

/** The file's bytes, hashed as they pass: a form upload reads them once. */
async function* hashed(chunks: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}
