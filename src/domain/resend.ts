import type { ResendKind } from '../contract/activities';
import type { DocumentOutcome } from '../contract/archive';
import type { BatchInput, Reason } from '../contract/batch';
import { hasResult } from './job-state';

/** What a batch's input says about sending again. */
export type ResendRules = Pick<BatchInput, 'retryFailedDocuments' | 'retryPartialDocuments' | 'splitFailedJobs'>;

/** What decides about one document. */
export type ResendDocument = Pick<DocumentOutcome, 'outcome' | 'reason' | 'pagesPaid'>;

/** A job that is over, as its files tell it. */
export interface ResendQuestion {
  /** The remote job's last status; null when it never was one. */
  status: string | null;
  /** The error code of a failed job. */
  errorCode: string | null;
  /** Null when the job does not say: then something may have been debited. */
  creditsDebited: number | null;
  /** Documents that the job was made of. */
  planned: number;
  /** The outcomes in its documents.jsonl. */
  documents: readonly ResendDocument[];
  /** How often these documents were sent again before. */
  resends: number;
  /** How often their job was refused before anything was paid, and they got another one. */
  refusals: number;
  rules: ResendRules;
}

/**
 * How documents of a closed job are sent again, or null. No document goes again of which pages were, or may have been, paid for,
 * unless `retryPartialDocuments` asks for it; and every way comes to an end: parts are smaller than the job, and the rest is counted.
 */
export function resendOf({ status, errorCode, creditsDebited, planned, documents, resends, refusals, rules }: ResendQuestion): ResendKind | null {
  // A job that was split before anything was sent has outcomes only for what fits nowhere: the parts are there already.
  if (documents.length < planned) return 'halves';
  const again = resends < rules.retryFailedDocuments;
  if (status !== null && hasResult(status)) return again && documents.some((document) => isSentAgain('documents', document, rules)) ? 'documents' : null;
  // What a refused job never got to send costs nothing and may pass next time. That is none of the documents' fault: a kill while a full job is registered is enough.
  const anew = refusals < Math.max(1, rules.retryFailedDocuments) && resends <= rules.retryFailedDocuments;
  if (isRefusal(status)) return anew && documents.some((document) => document.pagesPaid === 0 && isSentAgain('documents', document, rules)) ? 'documents' : null;
  if (creditsDebited !== 0) return null;
  const unpaid = documents.filter((document) => isSentAgain('whole', document, rules)).length;
  if (unpaid === 0) return null;
  if (isPageLimit(errorCode)) return unpaid > 1 ? 'pages' : null;
  if (isPassing(errorCode)) return again ? 'whole' : null;
  return unpaid > 1 && rules.splitFailedJobs ? 'halves' : null;
}

/** Whether a job with this last status neither came to a result nor failed: it was refused, or given up, before that. */
export const isRefusal = (status: string | null): boolean => status !== 'failed' && (status === null || !hasResult(status));

/** Reasons of failed documents that another job may do better with; what lies in the document, or was decided, stays. */
const mendable = new Set<Reason['code'] | undefined>(['remote_error', 'job_failed']);

/** Whether one document of a closed job is among those that are sent again in this way. */
export function isSentAgain(how: ResendKind, { outcome, reason, pagesPaid }: ResendDocument, rules: ResendRules): boolean {
  const mayPayAgain = how === 'documents' && rules.retryPartialDocuments;
  if (outcome === 'partial') return mayPayAgain;
  return outcome === 'failed' && mendable.has(reason?.code) && (pagesPaid === 0 || mayPayAgain);
}

/** Whether an error code says that a job has more pages than the organization's limit (/api-reference/jobs/get-job lists no codes). */
export const isPageLimit = (code: string | null): boolean => code !== null && /page[._-]?limit/i.test(code);

/** Codes that speak of the project or of what runs it, not of the documents; Plangrep documents none, so they are told by their words. */
const passingCodes = [/^project(?![a-z])/i, /runtime/i, /provision/i, /maintenance/i, /unavailable/i, /overload/i];

/** Whether an error code says that the same documents may well pass at another time. */
export const isPassing = (code: string | null): boolean => code !== null && passingCodes.some((pattern) => pattern.test(code));
