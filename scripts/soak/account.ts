import type { Manifest, ManifestLine } from '../../src/contract/archive';
import type { BatchStatus, BatchSummary, Outcome } from '../../src/client';
import type { Records } from '../simulator-records';
import { creditsPerPage, type DocumentKind } from './plan';
import type { WrittenDocument } from './documents';

/** What earlier batches over the same documents did with their contents. */
export interface Before {
  /** Contents that were part of a remote job. */
  sent: Set<string>;
  /** Contents of which a page was paid for. */
  paid: Set<string>;
}

/** A batch that is over, from outside. */
export interface EndedBatch {
  batchId: string;
  /** Every document it was about. */
  documents: readonly WrittenDocument[];
  /** It was told to end. */
  cancelled: boolean;
  failsHalfway: boolean;
  /** It leaves out what was processed before. */
  skips: boolean;
  before: Before;
  /** The root of its plan. */
  root: string;
  lines: readonly Pick<ManifestLine, 'source' | 'outcome' | 'reason' | 'credits' | 'sha256'>[];
  manifest: Pick<Manifest, 'counts' | 'credits' | 'status'>;
  summary: Pick<BatchSummary, 'status' | 'documents' | 'counts' | 'credits'>;
  records: Records;
}

const usual: Record<DocumentKind, Outcome[]> = {
  good: ['processed'], twin: ['duplicate'], empty: ['rejected'], text: ['failed'], sick: ['partial'], dead: ['failed'], poison: ['failed'], gone: ['rejected'],
};

/** How a document may end in this batch. */
export function allowedOutcomes({ kind }: Pick<WrittenDocument, 'kind'>, { cancelled, failsHalfway, skips }: Pick<EndedBatch, 'cancelled' | 'failsHalfway' | 'skips'>): Set<Outcome> {
  const allowed = new Set(usual[kind]);
  const content = kind !== 'empty' && kind !== 'gone';
  if (content && skips) allowed.add('skipped');
  if (content && failsHalfway) allowed.add('failed');
  if (content && cancelled) allowed.add('cancelled').add('failed');
  return allowed;
}

/** It was told to end before its plan was written: nobody knows its documents yet, and nothing has been made for them. */
const neverPlanned = ({ cancelled, lines, records }: EndedBatch): boolean => cancelled && lines.length === 0 && records.jobs.length === 0;

/** What is wrong with a batch that is over. Empty: every document is accounted for, once. */
export function brokenAccounts(batch: EndedBatch): string[] {
  const problems = [...linesProblems(neverPlanned(batch) ? { ...batch, documents: [] } : batch), ...totalsProblems(batch), ...jobProblems(batch), ...contentProblems(batch)];
  return problems.map((problem) => `${batch.batchId}: ${problem}`);
}

const fileOf = (root: string, source: string): string => `${root === '/' ? '' : root}/${source}`;

function linesProblems({ documents, lines, root, ...batch }: EndedBatch): string[] {
  const found = new Map<string, EndedBatch['lines'][number][]>();
  for (const line of lines) found.set(fileOf(root, line.source), [...(found.get(fileOf(root, line.source)) ?? []), line]);
  const problems = documents.flatMap((document) => {
    const own = found.get(document.file) ?? [];
    found.delete(document.file);
    if (own.length !== 1) return [`${document.path} (${document.kind}) is in the manifest ${own.length} times`];
    const { outcome, reason } = own[0]!;
    return allowedOutcomes(document, batch).has(outcome) ? [] : [`${document.path} (${document.kind}) is ${outcome}: ${reason?.code} ${reason?.message}`];
  });
  return [...problems, ...[...found.keys()].map((file) => `${file} is in the manifest and was never given`)];
}

const differ = (what: string, is: unknown, should: unknown): string[] => (is === should ? [] : [`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(should)}`]);
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);

function totalsProblems({ lines, manifest, summary, documents, cancelled, records, root }: EndedBatch): string[] {
  const { documents: total, ...counts } = manifest.counts;
  const tally = Object.entries(counts).flatMap(([outcome, count]) => [
    ...differ(`${outcome} documents in manifest.json`, count, lines.filter((line) => line.outcome === outcome).length),
    ...differ(`${outcome} documents in the summary`, summary.counts[outcome as Outcome] ?? 0, count),
  ]);
  const byContent = new Map(documents.map((document) => [document.file, document]));
  const firsts = new Map(lines.filter(({ outcome }) => outcome !== 'duplicate').map((line) => [byContent.get(fileOf(root, line.source))?.sha256, line.outcome]));
  const isGood = ({ outcome, source }: EndedBatch['lines'][number]): boolean => {
    const real = outcome === 'duplicate' ? firsts.get(byContent.get(fileOf(root, source))?.sha256) : outcome;
    return real === 'processed' || real === 'skipped';
  };
  const status: BatchStatus = lines.every(isGood) ? 'completed' : 'completed_with_errors';
  const statuses = new Set<BatchStatus>(cancelled ? ['cancelled', status] : [status]);
  return [
    ...tally,
    ...differ('documents in manifest.json', total, lines.length),
    ...differ('documents in the summary', summary.documents, lines.length),
    ...differ('status in manifest.json', manifest.status, summary.status),
    ...(statuses.has(summary.status) ? [] : [`it ended as ${summary.status} instead of ${[...statuses].join(' or ')}`]),
    ...differ('credits in manifest.json', manifest.credits, sum(records.jobs.map(({ creditsDebited }) => creditsDebited))),
    ...differ('credits in the summary', summary.credits, manifest.credits),
  ];
}

const ended = new Set(['completed', 'completed_with_errors', 'failed', 'cancelled', 'expired']);
const withResult = new Set(['completed', 'completed_with_errors']);
/** Calls that would do something to a job; those whose answer was lost may come again after its end. */
const harmful = new Set(['registerUploads', 'uploadFiles', 'uploadRegisteredFile', 'putObject', 'putPart']);

function jobProblems({ records: { jobs } }: EndedBatch): string[] {
  return jobs.flatMap(({ id, externalId, status, creditsReserved, callsAfterEnd }) => [
    ...(ended.has(status) ? [] : [`remote job ${id} (${externalId}) was left as ${status}`]),
    ...(creditsReserved === 0 ? [] : [`remote job ${id} still has ${creditsReserved} credits reserved`]),
    ...Object.entries(callsAfterEnd).flatMap(([operation, times]) => (harmful.has(operation) ? [`${times} calls of ${operation} after remote job ${id} had ended`] : [])),
  ]);
}

function contentProblems(batch: EndedBatch): string[] {
  const { documents, records, lines, root, before } = batch;
  const live = records.jobs.filter(({ status }) => withResult.has(status)).flatMap((job) => job.documents.flatMap(({ sha256, included }) => (included ? [sha256] : [])));
  const times = new Map<string, number>();
  for (const sha256 of live) times.set(sha256, (times.get(sha256) ?? 0) + 1);
  const known = new Map(documents.flatMap((document) => (document.sha256 !== null && document.kind !== 'twin' ? [[document.sha256, document] as const] : [])));
  const unknown = records.jobs.flatMap((job) => job.documents).filter(({ sha256 }) => !known.has(sha256)).map(({ sha256 }) => `content ${sha256} is in a job and was never given`);
  const outcomes = new Map(lines.map((line) => [fileOf(root, line.source), line]));
  const wrong = [...known.values()].flatMap((document) => {
    const line = outcomes.get(document.file);
    // Of two files with one content either one is the original.
    if (!line || line.outcome === 'duplicate') return [];
    return documentProblems(document, line, { times: times.get(document.sha256!) ?? 0, paid: records.debits[document.sha256!] ?? [], before });
  });
  return [...unknown, ...wrong];
}

interface Found {
  /** Jobs with a result that hold the content. */
  times: number;
  /** How often each page was paid for. */
  paid: number[];
  before: Before;
}

function documentProblems({ path, sha256, pages }: WrittenDocument, { outcome, credits, sha256: written }: EndedBatch['lines'][number], { times, paid, before }: Found): string[] {
  const rate = path.includes('drawings/') ? creditsPerPage.drawings : creditsPerPage.papers;
  const problems = paid.some((count) => count > 1) ? [`pages of ${path} were paid ${JSON.stringify(paid)} times`] : [];
  const isPaid = sum(paid) > 0;
  if (isPaid && before.paid.has(sha256!)) problems.push(`pages of ${path} were paid in an earlier batch already`);
  if (outcome === 'processed') {
    if (times !== 1) problems.push(`${path} is processed, and ${times} jobs with a result hold its content`);
    if (sum(paid) !== pages) problems.push(`${path} is processed, and of its ${pages} pages ${JSON.stringify(paid)} were paid`);
    problems.push(...differ(`credits of ${path}`, credits, pages * rate), ...differ(`digest of ${path}`, written, sha256));
  }
  if (outcome === 'partial' && (times !== 1 || sum(paid) !== pages - 1)) problems.push(`${path} is partial, ${times} jobs with a result hold it, and of its ${pages} pages ${JSON.stringify(paid)} were paid`);
  if (outcome === 'skipped' && (times > 0 || isPaid || !before.sent.has(sha256!))) problems.push(`${path} is skipped, ${times} jobs with a result hold it, and it was ${before.sent.has(sha256!) ? '' : 'not '}sent before`);
  if ((outcome === 'rejected' || outcome === 'duplicate') && isPaid) problems.push(`${path} is ${outcome}, and pages of it were paid`);
  return problems;
}
