import type { JobRef, RemoteJob } from '../../contract/activities';
import type { PlanLine, UploadRecord } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import type { Dependencies } from '../dependencies';
import { claim, skippedReason } from '../ledger';
import type { Claimant } from '../ledger';
import type { SourceRoot } from '../plan/root';
import { SourceFile, UnsendableError } from './file';
import type { Ledger } from './ledger';

/** Documents of one job that are sent at the same time. */
export const streamsPerJob = 4;

/** One job's upload while it runs. */
export interface JobUpload {
  deps: Dependencies;
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

/** Settles a document as not sent; one that is registered is declared failed at the job's completion. */
export function settleUnsent(upload: JobUpload, { seq, sizeBytes }: PlanLine, reason: Reason, sha256: string | null = null): void {
  const registration = upload.ledger.registrations.get(seq);
  const documentId = registration?.instruction.documentId ?? null;
  upload.records.set(seq, { seq, documentId, sha256: registration?.sha256 ?? sha256, sizeBytes: sizeBytes ?? 0, sent: false, reason });
}

/** Whether the content is this job's to send. If another batch has it, the document is settled as skipped. */
export async function isOurs(upload: JobUpload, line: PlanLine, sha256: string): Promise<boolean> {
  const elsewhere = upload.claimant && (await claim(upload.deps.store, upload.claimant, { seq: line.seq, sha256 }));
  if (elsewhere) settleUnsent(upload, line, skippedReason(elsewhere), sha256);
  return !elsewhere;
}

/**
 * Runs `work` over the document's open file. A file that cannot be sent is settled with its reason, and the job goes on;
 * every other error passes.
 */
export async function withFile(upload: JobUpload, line: PlanLine, work: (file: SourceFile) => Promise<void>): Promise<void> {
  let file: SourceFile | null = null;
  try {
    file = await SourceFile.open(upload.root, line);
    await work(file);
  } catch (error) {
    if (!(error instanceof UnsendableError)) throw error;
    settleUnsent(upload, line, error.reason);
  } finally {
    await file?.close();
  }
}
