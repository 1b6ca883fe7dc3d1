import type { DocumentOutcome, ManifestLine } from '../contract/archive';

/** What is known of a document that is over: its line in a manifest, or in its job's documents.jsonl. */
export type OverDocument = Pick<ManifestLine, 'outcome' | 'reason' | 'jobId' | 'credits'> & Partial<Pick<DocumentOutcome, 'pagesPaid'>>;

/**
 * Whether pages of a document were paid for, or may have been: what nobody knows counts as paid, because a page is never paid for twice.
 * @param debited what its job's job.json says was debited; null when that is not known
 */
export function mayBePaid({ outcome, reason, jobId, credits, pagesPaid }: OverDocument, debited: number | null): boolean {
  if (outcome === 'processed' || outcome === 'partial') return true;
  if (typeof pagesPaid === 'number') return pagesPaid > 0;
  if (debited === 0) return false;
  // Of a job that was lost nobody wrote down what it had sent.
  if (jobId === null) return reason?.code === 'job_workflow_lost';
  return !(outcome === 'failed' && credits === 0);
}

/**
 * What a retry does with a document of the old batch: `take` it, `leave` it since its content is processed, or take it only when pages that are
 * `paid` for, or may be, are to be paid for once more.
 */
export type RetryFate = 'take' | 'leave' | 'paid';

/** What is known of a document's last job. */
export interface LastJob {
  /** As its job.json says; null when that is not known. */
  debited: number | null;
  /** Pages of its documents may have been paid for in an earlier job of the batch, which sent them again all the same. */
  resent: boolean;
}

/**
 * The fate of one document. A duplicate shares that of the document it equals, which comes before it.
 * @param last null for a document that no job got
 * @param original the fate of the document that a duplicate equals; null for all others
 */
export function retryFate(line: OverDocument, last: LastJob | null, original: RetryFate | null): RetryFate {
  if (original !== null) return original;
  if (line.outcome === 'processed' || line.outcome === 'skipped') return 'leave';
  return last?.resent || mayBePaid(line, last?.debited ?? null) ? 'paid' : 'take';
}
