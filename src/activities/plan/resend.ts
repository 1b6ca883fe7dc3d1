import { cancellationSignal } from '@temporalio/activity';
import type { JobRef, ResendKind, TransferActivities } from '../../contract/activities';
import { documentOutcomeSchema, inputFileSchema, jobFileSchema } from '../../contract/archive';
import type { DocumentOutcome } from '../../contract/archive';
import type { Counts } from '../../contract/batch';
import { batchKeys, jobKeys } from '../../contract/keys';
import { jobLimits, packDocuments } from '../../domain/plan';
import { isRefusal, isSentAgain } from '../../domain/resend';
import type { Store } from '../../store';
import { findJson, readJson, readJsonLines } from '../../store/jsonl';
import { withHeartbeat } from '../heartbeat';
import type { PlanDependencies } from './batch';
import { countPagesOf } from './count';
import { holds, makeFollowUps, triesBefore } from './follow-ups';
import { readFollowUps, readPlacedLines, readPlan } from './read';
import type { PlacedLine } from './read';
import { openRoot } from './root';
import { packable } from './split';

type ResendRequest = JobRef & { how: ResendKind; next: number };

/**
 * Makes follow-up jobs of those documents of a closed job that are to be sent again; see domain/resend. Follow-up jobs that it has already are
 * answered again, whatever `next` says, as when a batch was started again and its jobs end in another order. `nextFollowUp` is never
 * below a number that is taken.
 * @throws SourceUnavailable when pages must be counted and the source cannot be read on this host
 */
export function resendDocuments(deps: PlanDependencies, request: ResendRequest): ReturnType<TransferActivities['resendDocuments']> {
  return withHeartbeat(() => resend(deps, request));
}

async function resend(deps: PlanDependencies, { batchId, job, how, next }: ResendRequest): ReturnType<TransferActivities['resendDocuments']> {
  const { store } = deps;
  const outcomes = await readOutcomes(store, { batchId, job });
  const lines = await readPlacedLines(store, batchId, job);
  const open = await linesToSend(store, batchId, how, lines, outcomes);
  const tries = await triesNow(store, { batchId, job, how });
  const parts = open.length === 0 ? [] : await partsOf(deps, batchId, how, open);
  const made = await makeFollowUps(store, { batchId, job, next, tries, parts });
  const taken = lines.filter((line) => made.some((followUp) => holds(followUp, line)));
  const highest = (await readFollowUps(store, batchId)).at(-1)?.job ?? 0;
  return { jobs: made.map((followUp) => followUp.job), counts: countsOf(taken, outcomes), nextFollowUp: Math.max(next, highest + 1) };
}

/** A job that was refused took none of its documents' tries; parts of a job are as many as they must be. */
async function triesNow(store: Store, { batchId, job, how }: JobRef & { how: ResendKind }): ReturnType<typeof triesBefore> {
  const { resends, refusals } = await triesBefore(store, { batchId, job });
  if (how !== 'documents' && how !== 'whole') return { resends, refusals };
  const file = await findJson(store, jobKeys(batchId, job).job, jobFileSchema);
  return how === 'documents' && isRefusal(file?.status ?? null) ? { resends, refusals: refusals + 1 } : { resends: resends + 1, refusals };
}

async function readOutcomes(store: Store, { batchId, job }: JobRef): Promise<Map<number, DocumentOutcome>> {
  const outcomes = new Map<number, DocumentOutcome>();
  for await (const outcome of readJsonLines(store, jobKeys(batchId, job).documents, documentOutcomeSchema)) outcomes.set(outcome.seq, outcome);
  return outcomes;
}

/** The documents to send: no part has them yet. One without an outcome belongs to a part of a job that was split. */
async function linesToSend(store: Store, batchId: string, how: ResendKind, lines: PlacedLine[], outcomes: Map<number, DocumentOutcome>): Promise<PlacedLine[]> {
  const { input } = await readJson(store, batchKeys(batchId).input, inputFileSchema);
  return lines.filter(({ line }) => {
    const outcome = outcomes.get(line.seq);
    return !outcome || isSentAgain(how, outcome, input);
  });
}

const partsOf = (deps: PlanDependencies, batchId: string, how: ResendKind, lines: PlacedLine[]): PlacedLine[][] | Promise<PlacedLine[][]> => {
  if (how === 'pages') return partsByPages(deps, batchId, lines);
  return how === 'halves' ? halves(lines) : [lines];
};

function halves(lines: PlacedLine[]): PlacedLine[][] {
  const middle = Math.ceil(lines.length / 2);
  return [lines.slice(0, middle), lines.slice(middle)];
}

/**
 * Packed anew by pages, each part with at most half of them, or with one document that has more. Documents whose pages cannot be counted are
 * spread over the parts. Halves when nothing can be counted, or when counting sets nothing apart.
 */
async function partsByPages(deps: PlanDependencies, batchId: string, lines: PlacedLine[]): Promise<PlacedLine[][]> {
  const plan = await readPlan(deps.store, batchId);
  const pages = await countLines(deps, plan.root, lines);
  const counted = lines.filter((_, at) => pages[at]! >= 0);
  const known = pages.filter((count) => count >= 0);
  const half = Math.ceil(known.reduce((sum, count) => sum + count, 0) / 2);
  const maxPages = known.reduce((most, count) => Math.max(most, count), Math.max(half, 1));
  const packing = packDocuments(packable(counted, known), jobLimits(plan.limits, { maxPages }));
  // The plan's own page limit is not what failed here, but a document above it must not get lost.
  if (packing.jobs < 2 || packing.jobOf.includes(0)) return halves(lines);
  const parts = Array.from({ length: packing.jobs }, (_, part) => counted.filter((_line, at) => packing.jobOf[at] === part + 1));
  lines.filter((_, at) => pages[at]! < 0).forEach((line, at) => parts[at % parts.length]!.push(line));
  return parts.map((part) => part.sort((a, b) => a.line.seq - b.line.seq));
}

/** Pages of each document, as planning counted them, else as its file has them now; -1 when they cannot be told. */
async function countLines(deps: PlanDependencies, root: string, lines: PlacedLine[]): Promise<number[]> {
  const unknown = lines.filter(({ line }) => line.pages === null);
  const counts = unknown.length === 0 ? [] : await countPagesOf(await openRoot(root), unknown.map(({ line }) => line.source), { countPages: deps.countPages, signal: cancellationSignal() });
  const found = new Map(unknown.map(({ line }, at) => [line.seq, counts[at]!]));
  return lines.map(({ line }) => line.pages ?? found.get(line.seq)!);
}

function countsOf(lines: PlacedLine[], outcomes: Map<number, DocumentOutcome>): Counts {
  const counts: Counts = {};
  for (const { line } of lines) {
    const outcome = outcomes.get(line.seq)?.outcome;
    if (outcome) counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
