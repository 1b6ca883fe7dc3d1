import { streamsPerJob } from '../../src/activities/upload/streams';
import type { BatchSummary } from '../../src/client';
import type { Outcome } from '../../src/contract/batch';
import { special } from './batches';
import { gather, type Archived, type Content, type Evidence } from './evidence';
import { partBytes, type BatchPlan, type CrashDocument, type CrashPlan } from './plan';
import type { Site } from './site';

/** What a batch left that it should not have. Empty: all is well. */
export async function brokenInvariants(site: Site, ended: { plan: CrashPlan; batch: BatchPlan; summaries: BatchSummary[] }): Promise<string[]> {
  return broken(await gather(site, ended));
}

/** What the evidence shows that must not be. */
export function broken(evidence: Evidence): string[] {
  return [checkSummaries, checkJobs, checkLateCalls, checkContents, checkCredits, checkBytes, checkArchive].flatMap((check) =>
    check(evidence).map((problem) => `${evidence.batch.id}: ${problem}`),
  );
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);
const differ = (what: string, is: unknown, should: unknown): string[] =>
  JSON.stringify(is) === JSON.stringify(should) ? [] : [`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(should)}`];

const endings: Record<BatchPlan['scenario'], BatchSummary['status']> = {
  signed: 'completed', form: 'completed', credits: 'completed', project: 'completed', ledger: 'completed',
  resend: 'completed_with_errors', split: 'completed_with_errors', cancel: 'cancelled',
};

function checkSummaries({ batch, archived }: Evidence): string[] {
  return archived.flatMap(({ summary, manifest }) => {
    const { documents: _, ...counts } = manifest.counts;
    const told = Object.fromEntries(Object.entries(counts).map(([outcome]) => [outcome, summary.counts[outcome as Outcome] ?? 0]));
    return [
      ...differ(`${summary.batchId} ended as`, summary.status, endings[batch.scenario]),
      ...differ(`${summary.batchId}: status of the manifest`, manifest.status, endings[batch.scenario]),
      ...differ(`${summary.batchId}: documents`, summary.documents, batch.documents.length),
      ...differ(`${summary.batchId}: counts of the summary`, told, counts),
      ...differ(`${summary.batchId}: credits of the summary`, summary.credits, manifest.credits),
    ];
  });
}

/** How remote jobs may end, beside completed. A job whose documents are all with the twin, or that takes too few, is cancelled. */
const jobEndings: Record<BatchPlan['scenario'], string[]> = {
  signed: [], form: [], credits: [], resend: ['completed_with_errors'], split: ['failed'], project: ['cancelled'], ledger: ['cancelled'], cancel: ['cancelled'],
};

/** One remote job for each planned one, each at its end, and none made anew. */
function checkJobs({ plan, batch, records: { jobs }, archived, counters }: Evidence): string[] {
  const planned = sum(archived.map(({ summary }) => summary.jobs.planned));
  // A job that takes too few is given back, and what it was split into is planned in its place. One that is just large enough has no room for a
  // registration that a kill made come twice: its documents get another one.
  const counted = batch.scenario === 'project' ? jobs.filter(({ status }) => status !== 'cancelled') : jobs;
  const refused = planned - counted.length;
  const isCounted = batch.scenario === 'cancel' ? jobs.length <= planned : batch.scenario === 'project' && refused >= 0 && refused <= plan.kills.length;
  const names = jobs.map(({ externalId }) => externalId);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  const ended = new Set(['completed', ...jobEndings[batch.scenario]]);
  return [
    ...(isCounted ? [] : differ('remote jobs', counted.length, planned)),
    ...twice.map((name) => `there is more than one remote job ${name}`),
    ...names.flatMap((name) => (name !== null && /\/\d+$/.test(name) ? [] : [`remote job ${name} was made anew`])),
    ...jobs.flatMap(({ id, status }) => (ended.has(status) ? [] : [`job ${id} ended as ${status}`])),
    ...(batch.scenario === 'project' ? differ('projects created', counters.requests['createProject']?.['202'] ?? 0, 1) : []),
  ];
}

/** Reads, which change nothing and are what a job's end is for. */
const harmless = new Set(['getJob', 'getJobResult', 'getJobArtifact']);
/** Calls that end or resume something: one whose answer was lost is made once more, and by then a short job may be over. */
const repeated = new Set(['completeUploads', 'resumeJob', 'cancelJob']);

function checkLateCalls({ plan, batch, records: { jobs }, counters }: Evidence): string[] {
  const lost = (operation: string): number => counters.requests[operation]?.['dropped'] ?? 0;
  return jobs.flatMap(({ id, callsAfterEnd }) =>
    Object.entries(callsAfterEnd).flatMap(([operation, times]) => {
      const first = batch.scenario === 'cancel' && operation === 'cancelJob' ? 1 : 0;
      const allowed = harmless.has(operation) ? Infinity : repeated.has(operation) ? plan.kills.length + first + lost(operation) : 0;
      return times > allowed ? [`${times} calls of ${operation} after job ${id} had ended`] : [];
    }),
  );
}

/** Whether the document is the one that something befalls in this scenario. */
const isThe = (which: keyof typeof special, scenario: BatchPlan['scenario'], { batch }: Evidence, document: CrashDocument): boolean =>
  batch.scenario === scenario && batch.documents[special[which]] === document;

/** Each content was sent to jobs that live on as often as it should have been, and each of its pages paid for once. */
function checkContents(evidence: Evidence): string[] {
  const { batch, records, contents } = evidence;
  const live = records.jobs
    .filter(({ status }) => status.startsWith('completed'))
    .flatMap(({ documents }) => documents.flatMap(({ included, sha256 }) => (included ? [sha256] : [])));
  const unknown = live.filter((sha256) => !contents.has(sha256)).map((sha256) => `content ${sha256} is in a job and was never given`);
  const wrong = [...contents].flatMap(([sha256, content]) => {
    const times = live.filter((one) => one === sha256).length;
    const paid = Array.from({ length: content.document.pages }, (_, page) => records.debits[sha256]?.[page] ?? 0);
    const what = `${content.document.path} (${sha256})`;
    if (batch.scenario === 'cancel') return [...paid, times].some((often) => often > 1) ? [`${what} is in ${times} jobs, its pages were paid ${paid.join(', ')} times`] : [];
    return [...differ(`jobs with ${what}`, times, timesSent(evidence, content)), ...differ(`pages paid of ${what}`, paid, paidPages(evidence, content))];
  });
  return [...unknown, ...wrong];
}

function timesSent(evidence: Evidence, { document }: Content): number {
  if (isThe('poison', 'split', evidence, document)) return 0;
  return isThe('resend', 'resend', evidence, document) ? 2 : 1;
}

const paidPages = (evidence: Evidence, { document }: Content): number[] =>
  Array.from({ length: document.pages }, (_, page) => {
    if (isThe('poison', 'split', evidence, document)) return 0;
    return isThe('partial', 'resend', evidence, document) && page === 0 ? 0 : 1;
  });

function checkCredits(evidence: Evidence): string[] {
  const { batch, records: { jobs }, contents, archived } = evidence;
  const reserved = differ('credits still reserved', sum(jobs.map(({ creditsReserved }) => creditsReserved)), 0);
  const debited = sum(jobs.map(({ creditsDebited }) => creditsDebited));
  const told = sum(archived.map(({ manifest }) => manifest.credits));
  // What was paid for in a cancelled job is in no result.
  if (batch.scenario === 'cancel') return [...reserved, ...(told <= debited ? [] : [`the manifest says ${told} credits, ${debited} were debited`])];
  const price = sum([...contents.values()].map((content) => content.creditsPerPage * sum(paidPages(evidence, content))));
  return [...reserved, ...differ('credits debited', debited, price), ...differ('credits of the manifest', told, price)];
}

/** A kill costs each stream what it was sending: a part, or a file that is sent whole. */
function checkBytes({ plan, batch, contents, counters: { bytesReceived, requests } }: Evidence): string[] {
  // Elsewhere documents are sent more than once, or not at all.
  if (plan.batches.length > 1 || !['signed', 'form', 'credits'].includes(batch.scenario)) return [];
  const sizes = [...contents.values()].map(({ sizeBytes }) => sizeBytes);
  const piece = batch.upload === 'form' ? Math.max(...sizes) : partBytes;
  const again = bytesReceived - sum(sizes);
  const lost = sum(['putObject', 'putPart', 'uploadFiles'].flatMap((operation) => ['dropped', '503'].map((outcome) => requests[operation]?.[outcome] ?? 0)));
  const most = (plan.kills.length * batch.maxConcurrentJobs * streamsPerJob + lost) * piece;
  if (again < 0) return [`only ${bytesReceived} of ${sum(sizes)} bytes were received`];
  return again > most ? [`${again} bytes were received again, at most ${most} may be`] : [];
}

/** Every document once, with an outcome that it can have; nothing damaged, nothing left behind. */
function checkArchive(evidence: Evidence): string[] {
  const { batch, archived, leftOver } = evidence;
  const found = archived.flatMap(({ summary: { batchId }, lines, problems }) => [
    ...problems.map((problem) => `verify of ${batchId}: ${problem}`),
    ...differ(`${batchId}: documents of the manifest`, lines.map(({ source }) => source).sort(), batch.documents.map(({ path }) => path).sort()),
  ]);
  const outcomes = batch.documents.flatMap((document) => checkOutcome(evidence, document, archived));
  return [...found, ...outcomes, ...leftOver.map((path) => `${path} was left behind`)];
}

function checkOutcome(evidence: Evidence, document: CrashDocument, archived: Archived[]): string[] {
  const outcomes = archived.flatMap(({ lines }) => lines.flatMap(({ source, outcome }) => (source === document.path ? [outcome] : []))).sort();
  const is = (...should: Outcome[]): string[] => differ(`outcome of ${document.path}`, outcomes, should);
  if (document.path.startsWith('zz-')) return outcomes.every((outcome) => outcome === 'duplicate' || (outcome === 'skipped' && archived.length > 1)) ? [] : is('duplicate');
  if (evidence.batch.scenario === 'cancel') return ['processed', 'cancelled'].includes(outcomes[0]!) ? [] : is('cancelled');
  if (evidence.batch.scenario === 'ledger') return is('processed', 'skipped');
  if (isThe('partial', 'resend', evidence, document)) return is('partial');
  return is(isThe('poison', 'split', evidence, document) ? 'failed' : 'processed');
}
