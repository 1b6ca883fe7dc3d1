import type { Classification, Reason } from '../../contract/batch';
import type { BytePath } from '../../domain/source-path';

/** A document as its source names it, before it is compared with others and packed. */
export interface Candidate {
  /** Relative to the source's root; for a document outside it, as the list has it. */
  path: BytePath;
  /** The list's own values; null: not given. */
  fileName: string | null;
  contentType: string | null;
  classification: Classification | null;
  sha256: string | null;
  /** Null when nobody could tell. */
  sizeBytes: number | null;
  /** Null when the file was not looked at. */
  mtimeMs: number | null;
  inode: string | null;
  /** Why it cannot be sent, when that is clear already. */
  reason: Reason | null;
}

/** What planning reports while it works. */
export interface PlanProgress {
  phase: 'reading' | 'comparing' | 'looking up' | 'counting' | 'packing' | 'writing';
  /** Documents that the phase is done with. */
  documents: number;
}
