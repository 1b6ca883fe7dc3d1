import type { JobRef, RemoteJob } from '../../contract/activities';
import type { PlanLine, UploadRecord } from '../../contract/archive';
import type { Dependencies } from '../dependencies';
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
  signal: AbortSignal;
  /** What became of each document so far. */
  records: Map<number, UploadRecord>;
}

/** Settles a document as sent. */
export function settleSent(upload: JobUpload, { seq, sizeBytes }: PlanLine, documentId: string | null, sha256: string | null): void {
  upload.records.set(seq, { seq, documentId, sha256, sizeBytes: sizeBytes ?? 0, sent: true, reason: null });
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
    const registration = upload.ledger.registrations.get(line.seq);
    upload.records.set(line.seq, {
      seq: line.seq,
      documentId: registration?.instruction.documentId ?? null,
      sha256: registration?.sha256 ?? null,
      sizeBytes: line.sizeBytes ?? 0,
      sent: false,
      reason: error.reason,
    });
  } finally {
    await file?.close();
  }
}
