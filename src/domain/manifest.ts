import type { ManifestRequest, ManifestTotals } from '../contract/activities';
import type { DocumentOutcome, JobFile, Manifest, ManifestLine, PlanLine } from '../contract/archive';
import { outcomes, type Counts, type Outcome, type Reason } from '../contract/batch';

/** A document's outcome, and the job whose documents.jsonl holds it. */
export interface Settled {
  job: number;
  outcome: DocumentOutcome;
}

/** What a duplicate takes over from the document it equals. */
export type Original = Pick<ManifestLine, 'outcome' | 'pages' | 'job' | 'jobId' | 'documentId' | 'result'>;

/** Why a document has no outcome when nobody gave a reason. */
export const lostReason: Reason = { code: 'job_workflow_lost', message: 'The job of this document ended without an account of it.' };

type Ending = Omit<ManifestLine, 'seq' | 'source' | 'fileName' | 'sizeBytes' | 'classification' | 'duplicateOf'>;

const nothing: Omit<Ending, 'outcome' | 'reason' | 'sha256' | 'pages'> = {
  job: null,
  jobId: null,
  documentId: null,
  credits: null,
  pagesFailed: null,
  result: null,
  artifacts: [],
};

/** The line of a document that its job gave an outcome. */
export function settledLine(plan: PlanLine, { job, outcome }: Settled): ManifestLine {
  return lineOf(plan, { ...outcome, job, sha256: outcome.sha256 ?? plan.sha256 });
}

/** The line of a document whose job (the last it was handed to) gave it no outcome. */
export function lostLine(plan: PlanLine, job: number, reason: Reason): ManifestLine {
  const outcome = reason.code === 'cancelled' || reason.code === 'expired' ? reason.code : 'failed';
  return lineOf(plan, { ...nothing, outcome, reason, job, sha256: plan.sha256, pages: plan.pages });
}

/** The line of a document that no job got: rejected, or skipped because an earlier batch processed it. */
export function leftOutLine(plan: PlanLine, reason: Reason): ManifestLine {
  const outcome = reason.code === 'skipped' ? 'skipped' : 'rejected';
  return lineOf(plan, { ...nothing, outcome, reason, sha256: plan.sha256, pages: plan.pages });
}

/** The line of a document with the same content as an earlier one of this batch: it points where that one points, and costs nothing. */
export function duplicateLine(plan: PlanLine, reason: Reason, original: Original): ManifestLine {
  const { pages, job, jobId, documentId, result } = original;
  return lineOf(plan, { ...nothing, outcome: 'duplicate', reason, sha256: plan.sha256, pages, job, jobId, documentId, result });
}

/** Fields in one fixed order, so that equal lines are equal bytes. */
function lineOf(plan: PlanLine, ending: Ending): ManifestLine {
  return {
    seq: plan.seq,
    source: plan.source,
    fileName: plan.fileName,
    sizeBytes: plan.sizeBytes,
    sha256: ending.sha256,
    pages: ending.pages,
    classification: plan.classification,
    outcome: ending.outcome,
    reason: ending.reason,
    job: ending.job,
    jobId: ending.jobId,
    documentId: ending.documentId,
    duplicateOf: plan.duplicateOf,
    credits: ending.credits,
    pagesFailed: ending.pagesFailed,
    result: ending.result,
    artifacts: ending.artifacts,
  };
}

/** Why a document has no outcome in a batch that was cancelled. */
export const cancelledReason: Reason = { code: 'cancelled', message: 'The batch was cancelled before this document’s job ended.' };

/** Why a document has no outcome: the batch's own reason, that it was cancelled, or that nobody knows. */
export const missingReason = ({ failure, cancelled }: Pick<ManifestRequest, 'failure' | 'cancelled'>): Reason => failure ?? (cancelled ? cancelledReason : lostReason);

/** What manifest lines add up to. */
export interface ManifestTally {
  counts: Manifest['counts'];
  /** Pages of the documents that a result names, equal content once. */
  pages: number;
  /** Bytes of the documents that jobs got. */
  bytes: number;
  /** Documents that are processed or skipped, or duplicates of such a one. */
  good: number;
  /** `documents`: lines that name the job. `credits`: of all of its outcomes, those that a later job took back included. */
  jobs: Map<number, { documents: number; credits: number }>;
  /** Remote documents of the planned job in hand whose pages are counted. */
  counted: { plannedJob: number; documentIds: Set<string> };
}

/** The tally of no line. */
export function newTally(): ManifestTally {
  const counts = { documents: 0, ...Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) } as Manifest['counts'];
  return { counts, pages: 0, bytes: 0, good: 0, jobs: new Map(), counted: { plannedJob: 0, documentIds: new Set() } };
}

const isGood = (outcome: Outcome): boolean => outcome === 'processed' || outcome === 'skipped';

/** A line of the manifest, and what is not in it. */
export interface TracedLine {
  line: ManifestLine;
  /** What became of the document that a duplicate equals. */
  original: Outcome | null;
  /** The job it was planned into; null when none. */
  plannedJob: number | null;
}

/** Counts one line; they come in the order of the plan. */
export function addLine(tally: ManifestTally, { line, original, plannedJob }: TracedLine): void {
  tally.counts.documents += 1;
  tally.counts[line.outcome] += 1;
  if (isGood(original ?? line.outcome)) tally.good += 1;
  if (plannedJob === null || line.job === null) return;
  tally.bytes += line.sizeBytes ?? 0;
  if (line.result && isNewContent(tally, line, plannedJob)) tally.pages += line.pages ?? 0;
  jobOf(tally, line.job).documents += 1;
}

/** Counts what a job says of one document, whether it is the last word or not: what it cost was paid. */
export function addOutcome(tally: ManifestTally, job: number, { credits }: DocumentOutcome): void {
  jobOf(tally, job).credits += credits ?? 0;
}

function jobOf({ jobs }: ManifestTally, job: number): { documents: number; credits: number } {
  const known = jobs.get(job) ?? { documents: 0, credits: 0 };
  jobs.set(job, known);
  return known;
}

/** Files of equal content in one job can be one document there, with pages that were counted and paid once. */
function isNewContent(tally: ManifestTally, { documentId }: ManifestLine, plannedJob: number): boolean {
  if (documentId === null) return true;
  if (tally.counted.plannedJob !== plannedJob) tally.counted = { plannedJob, documentIds: new Set() };
  const { documentIds } = tally.counted;
  const isNew = !documentIds.has(documentId);
  documentIds.add(documentId);
  return isNew;
}

/**
 * How the batch ended: `cancelled` when it was, whatever its documents came to; `completed` only when every document is processed or
 * skipped, or a duplicate of such a one.
 */
export function finalStatus(tally: ManifestTally, ended: Pick<ManifestRequest, 'cancelled' | 'error'>): ManifestTotals['status'] {
  if (ended.cancelled) return 'cancelled';
  if (ended.error) return 'failed';
  return tally.good === tally.counts.documents ? 'completed' : 'completed_with_errors';
}

/** The entry of one job. What Plangrep says it debited counts; without that, what its outcomes add up to. */
export function manifestJob(tally: ManifestTally, job: number, parent: number | null, file: JobFile | null): Manifest['jobs'][number] {
  const { documents, credits } = tally.jobs.get(job) ?? { documents: 0, credits: 0 };
  return { job, jobId: file?.jobId ?? null, status: file?.status ?? null, parent, documents, credits: file?.creditsDebited ?? credits };
}

/** All of manifest.json but its checksum. */
export type ManifestBody = Omit<Manifest, 'checksum'>;

/** What the checksum of manifest.json is made of. */
export const manifestBodyText = (body: object): string => `${JSON.stringify(body, null, 2)}\n`;

/** manifest.json, byte for byte. */
export const manifestText = (body: object, checksum: string): string => manifestBodyText({ ...body, checksum });

/** What the workflow is told of a manifest; outcomes that did not occur are left out. */
export function manifestTotals({ status, counts: { documents, ...counts }, pages, credits }: Manifest | ManifestBody): ManifestTotals {
  const occurred = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)) as Counts;
  return { status, documents, counts: occurred, pages, credits };
}
