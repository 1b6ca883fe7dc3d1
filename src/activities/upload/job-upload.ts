import type { JobRef, RemoteJob } from '../../contract/activities';
import type { PlanLine, UploadRecord } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import type { Dependencies } from '../dependencies';
import { claim, skippedReason } from '../ledger';
import type { Claimant } from '../ledger';
import type { SourceRoot } from '../plan/root';
import type { UploadEngine } from './engine';
import { SourceFile, UnsendableError, type HashedState } from './file';
import type { Ledger } from './ledger';
import { watched, type Movement, type WatchOptions } from './stall';

/** One job's upload while it runs. */
export interface JobUpload {
  deps: Dependencies;
  engine: UploadEngine;
  ref: JobRef;
  remote: RemoteJob;
  /** The plan's root. */
  root: SourceRoot;
  ledger: Ledger;
  /** What the remote job takes, or what the contract says it does. */
  limits: { maxFiles: number; maxBytes: number };
  /** Claims each content before it is registered or sent; null when documents that other batches have are sent all the same. */
  claimant: Claimant | null;
  signal: AbortSignal;
  /** What became of each document so far. */
  records: Map<number, UploadRecord>;
}

/** Settles a document as sent. */
export function settleSent(upload: JobUpload, { seq, sizeBytes }: PlanLine, documentId: string | null, sha256: string | null): void {
  upload.records.set(seq, { seq, documentId, sha256, sizeBytes: sizeBytes ?? 0, sent: true, reason: null });
}

/** Settles a document as not sent; one that is registered, or that Plangrep has all the same, is declared failed at the job's completion. */
export function settleUnsent(upload: JobUpload, { seq, sizeBytes }: PlanLine, reason: Reason, { sha256 = null, sentAs = null }: { sha256?: string | null; sentAs?: string | null } = {}): void {
  const registration = upload.ledger.registrations.get(seq);
  const documentId = registration?.instruction.documentId ?? sentAs;
  upload.records.set(seq, { seq, documentId, sha256: registration?.sha256 ?? sha256, sizeBytes: sizeBytes ?? 0, sent: false, reason });
}

/** Whether the content is this job's to send. If another batch has it, the document is settled as skipped. */
export async function isOurs(upload: JobUpload, line: PlanLine, sha256: string): Promise<boolean> {
  const { claimant } = upload;
  const elsewhere = claimant && (await watch(upload, { what: line.fileName, awaits: 'archive' }, () => claim(upload.deps.store, claimant, { seq: line.seq, sha256 })));
  if (elsewhere) settleUnsent(upload, line, skippedReason(elsewhere), { sha256 });
  return !elsewhere;
}

/**
 * Runs `work` over the document's open file. A file that cannot be sent is settled with its reason, and the job goes on;
 * every other error passes.
 * @param hashed the state in which it was hashed, if it was
 */
export async function withFile(upload: JobUpload, line: PlanLine, hashed: HashedState | null, work: (file: SourceFile) => Promise<void>): Promise<void> {
  let opening: Promise<SourceFile> | null = null;
  try {
    const file = await watchSource(upload, line, () => (opening = SourceFile.open(upload.root, line, hashed)));
    await work(file);
  } catch (error) {
    if (!(error instanceof UnsendableError)) throw error;
    settleUnsent(upload, line, error.reason, { sentAs: error.documentId });
  } finally {
    // Not waited for: it ends after a read, or an open, that hangs.
    (opening as Promise<SourceFile> | null)?.then((file) => file.close()).catch(() => undefined);
  }
}

/** SHA-256 of a document's file. The caller has a turn of `engine.hashing`. @throws what {@link SourceFile.sha256} does */
export const digestOf = (upload: JobUpload, line: PlanLine, file: SourceFile): Promise<string> => watchSource(upload, line, (movement) => file.sha256(movement));

/** Makes sure that what was read of a document's file has this digest. @throws what {@link SourceFile.prove} does */
export const prove = (upload: JobUpload, file: SourceFile, sha256: string): Promise<void> => watchSource(upload, file.line, (movement) => file.prove(movement, sha256));

/** Sends on a stream, in the job's turn. Who pauses before it begins does so outside of `send`, which is watched. */
export function onStream(
  upload: JobUpload,
  { line, to, pause }: { line: PlanLine; to: 'storage' | 'Plangrep'; pause?: () => Promise<void> },
  send: (movement: Movement) => Promise<void>,
): Promise<void> {
  const { streams } = upload.engine;
  return streams.run(upload, upload.signal, async () => {
    await pause?.();
    await watch(upload, { what: line.fileName, awaits: to, onMoved: (bytes) => streams.moved(bytes) }, send);
  });
}

const watchSource = <T>(upload: JobUpload, line: PlanLine, work: (movement: Movement) => Promise<T>): Promise<T> =>
  watch(upload, { what: line.fileName, awaits: 'source' }, work);

/** Runs a step of the upload that must not stand still. */
export const watch = <T>(
  { signal, engine }: Pick<JobUpload, 'signal' | 'engine'>,
  options: Omit<WatchOptions, 'signal' | 'limitMs'>,
  work: (movement: Movement) => Promise<T>,
): Promise<T> => watched({ ...options, signal, limitMs: engine.stallLimitMs }, work);
