import type { JobEnding } from '../contract/activities';
import type { DocumentOutcome, PlanLine, ResultRecord, UploadRecord } from '../contract/archive';
import type { Outcome, Reason } from '../contract/batch';
import { isPageLimit } from './resend';

/** All that is known about one document of a job when the job closes. */
export interface DocumentAccount {
  line: PlanLine;
  /** Null when the upload never came to this document. */
  upload: UploadRecord | null;
  /** What the result says of it: nothing, or one entry, seldom several (/concepts/results). */
  records: ResultRecord[];
  /** Null when no remote job was created. */
  jobId: string | null;
  ending: JobEnding;
  /** Credits that a job without a result was debited; null when it has one, or does not say. */
  debited: number | null;
  /** The job was made for no other document that could be sent. */
  alone: boolean;
  /** Batch-relative path of result.json. */
  resultPath: string;
  /** An earlier document of the job has the same documentId: its pages were paid there. */
  paidBefore: boolean;
}

type Verdict = Pick<DocumentOutcome, 'outcome' | 'reason' | 'pagesFailed'>;

/** Longest part of a remote message that a reason repeats, in characters. */
const maxMessage = 500;

/** One document's line in `documents.jsonl`: its outcome, and why when it is not `processed`. */
export function documentOutcome(account: DocumentAccount): DocumentOutcome {
  const { line, upload, jobId, resultPath, paidBefore } = account;
  const sent = upload?.sent === true;
  const record = sent && account.ending.kind === 'archived' ? mergeRecords(account.records) : null;
  return {
    seq: line.seq,
    ...verdictOf(account, record),
    jobId: sent ? jobId : null,
    documentId: sent ? (upload.documentId ?? record?.documentId ?? null) : null,
    sha256: upload?.sha256 ?? line.sha256,
    pages: record?.pageCount ?? line.pages,
    pagesPaid: pagesPaid(account, record),
    credits: record && (paidBefore ? 0 : record.credits),
    result: record && { path: resultPath, index: record.index },
    artifacts: record?.artifacts ?? [],
  };
}

function verdictOf({ upload, ending, alone }: DocumentAccount, record: ResultRecord | null): Verdict {
  if (upload && !upload.sent && upload.reason) {
    const own = { outcome: outcomeOfReason(upload.reason), reason: upload.reason, pagesFailed: null };
    if (ending.kind !== 'ended' || ending.outcome === 'failed' || standing.has(own.outcome)) return own;
  }
  if (ending.kind === 'ended') return { outcome: ending.outcome, reason: ending.reason, pagesFailed: null };
  if (!upload?.sent) return failed({ code: 'job_failed', message: 'This document was never sent.' });
  if (ending.kind === 'failed') return failed(failedJobReason(ending, alone));
  return record ? verdictOfRecord(record) : failed({ code: 'remote_error', message: 'The document was sent, but Plangrep’s result does not mention it.' });
}

/** Outcomes that lie in the document itself, or in another batch: they stand, whatever became of the job. */
const standing = new Set<Outcome>(['rejected', 'skipped', 'duplicate']);

/** Why the documents of a failed job failed, and why nothing of it is sent again when credits are the reason. */
function failedJobReason({ error, creditsDebited }: JobEnding & { kind: 'failed' }, alone: boolean): Reason {
  const why = error ? `The job failed: ${[error.code, error.message].filter(Boolean).join(': ').slice(0, maxMessage)}` : 'The job failed; Plangrep gave no reason.';
  const code = alone && isPageLimit(error?.code ?? null) ? 'too_many_pages' : 'job_failed';
  if (creditsDebited === 0) return { code, message: why };
  const paid = creditsDebited === null ? 'Plangrep does not say whether it debited credits for the job' : `Plangrep debited ${creditsDebited} credits for the job`;
  return { code, message: `${why.replace(/[.]?$/, '.')} ${paid}, so it is not split, and nothing of it is sent again.` };
}

/** Pages of the document that were paid for; null when nothing says. */
function pagesPaid({ upload, debited }: DocumentAccount, record: ResultRecord | null): number | null {
  if (!upload?.sent) return 0;
  return (record && pagesOf(record).good) ?? (debited === 0 ? 0 : null);
}

const failed = (reason: Reason): Verdict => ({ outcome: 'failed', reason, pagesFailed: null });

/** What a document that was not sent counts as: `rejected` when the reason lies in the document itself. */
function outcomeOfReason({ code }: Reason): Outcome {
  switch (code) {
    case 'cancelled':
    case 'expired':
    case 'skipped':
    case 'duplicate':
      return code;
    case 'remote_error':
    case 'job_failed':
    case 'job_workflow_lost':
    case 'unauthorized':
    case 'partial':
      return 'failed';
    default:
      return 'rejected';
  }
}

/** Pages of a result's entry; what it leaves out is worked out from the rest where that is certain. */
export function pagesOf(record: Pick<ResultRecord, 'pageCount' | 'successfulPageCount' | 'failedPageCount'>): { total: number | null; good: number | null; bad: number | null } {
  const { pageCount: total, successfulPageCount: good, failedPageCount: bad } = record;
  const rest = (part: number | null) => (total !== null && part !== null && part <= total ? total - part : null);
  return { total: total ?? (good !== null && bad !== null ? good + bad : null), good: good ?? rest(bad), bad: bad ?? rest(good) };
}

/** Statuses of a document that say that all of it came out; anything else says nothing. */
const doneStatuses = new Set(['completed', 'complete', 'processed', 'success']);

function verdictOfRecord(record: ResultRecord): Verdict {
  const { total, good, bad } = pagesOf(record);
  if (good === 0) return failed(remoteReason(record, 'No page came out'));
  if (good === null && bad === null) return verdictWithoutCounts(record);
  const lost = Math.max(bad ?? 0, total !== null && good !== null ? total - good : 0);
  if (lost === 0) return { outcome: 'processed', reason: missingReason(record), pagesFailed: null };
  const message = `${lost} of ${total ?? 'its'} pages did not come out${because(record)}`;
  return { outcome: 'partial', reason: { code: 'partial', message: withMissing(message, record) }, pagesFailed: lost };
}

function verdictWithoutCounts(record: ResultRecord): Verdict {
  if (record.error) return failed(remoteReason(record, 'Plangrep reports an error'));
  if (record.status !== null && /fail|error/i.test(record.status) && !record.status.includes('with')) return failed(remoteReason(record, `Plangrep calls it ${record.status}`));
  if (!record.issue && (record.status === null || doneStatuses.has(record.status))) return { outcome: 'processed', reason: missingReason(record), pagesFailed: null };
  // Some of it may have been processed and paid: it must not be sent again as if nothing had been.
  const message = `The result does not say how many pages came out${because(record)}`;
  return { outcome: 'partial', reason: { code: 'partial', message: withMissing(message, record) }, pagesFailed: null };
}

const said = ({ error, issue }: ResultRecord): string | null => {
  const first = error ?? issue;
  return first && [first.code, first.message].filter(Boolean).join(': ').slice(0, maxMessage);
};
const because = (record: ResultRecord): string => (said(record) === null ? '.' : `: ${said(record)}`);
const remoteReason = (record: ResultRecord, what: string): Reason => ({ code: 'remote_error', message: said(record) ?? `${what}, and Plangrep gives no reason.` });

const missingText = ({ missing }: ResultRecord): string | null =>
  missing && `${missing.count} ${missing.count === 1 ? 'artifact' : 'artifacts'} that the result names could not be had: ${missing.first.slice(0, maxMessage)}`;
const withMissing = (message: string, record: ResultRecord): string => [message, missingText(record)].filter(Boolean).join(' ');
/** Every page came out, so the document is processed; that something derived from it is gone must be said all the same. */
function missingReason(record: ResultRecord): Reason | null {
  const message = missingText(record);
  return message === null ? null : { code: 'remote_error', message };
}

/** Several entries for one document: the first one's place and counts, everyone's artifacts, the first error. */
function mergeRecords(records: ResultRecord[]): ResultRecord | null {
  const [first, ...others] = records;
  if (!first || others.length === 0) return first ?? null;
  const counted = records.find((record) => pagesOf(record).good !== null) ?? first;
  const missing = records.flatMap((record) => record.missing ?? []);
  return {
    ...counted,
    index: first.index,
    error: records.find((record) => record.error)?.error ?? null,
    issue: records.find((record) => record.issue)?.issue ?? null,
    artifacts: records.flatMap((record) => record.artifacts),
    missing: missing.length === 0 ? null : { count: missing.reduce((sum, { count }) => sum + count, 0), first: missing[0]!.first },
  };
}
