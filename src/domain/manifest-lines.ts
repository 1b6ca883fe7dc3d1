import type { ManifestLine, PlanLine, PlanRange } from '../contract/archive';
import { duplicateLine, leftOutLine, settledLine, type Original, type Settled, type TracedLine } from './manifest';

/** A line of the plan, and the byte of plan.jsonl it starts at. */
export interface PlacedLine {
  line: PlanLine;
  offset: number;
}

/** The plan contradicts itself. */
export class BrokenPlanError extends Error {
  override readonly name = 'BrokenPlanError';
}

/** What the lines of the manifest are made from, beside the plan. */
export interface LineSource {
  /** Documents that others are duplicates of, by `seq`. */
  originals: ReadonlySet<number>;
  /** What a planned job, and the jobs made of it, say of their documents, by `seq`. */
  outcomes(plannedJob: number): Promise<ReadonlyMap<number, Settled>>;
  /** The line of a document that none of them mentions. */
  lost(placed: PlacedLine, plannedJob: number): ManifestLine;
}

/**
 * The manifest's lines, in the order of the plan's. Keeps the outcomes of one planned job in memory, and of each document that others
 * are duplicates of a few words.
 * @throws BrokenPlanError when the plan has a duplicate of no earlier document
 */
export async function* manifestLines(plan: AsyncIterable<PlacedLine>, source: LineSource): AsyncGenerator<TracedLine> {
  const originals = new Map<number, Original>();
  let current: { job: number; outcomes: ReadonlyMap<number, Settled> } = { job: 0, outcomes: new Map() };
  for await (const placed of plan) {
    const { job, seq } = placed.line;
    if (job === null) {
      yield withoutJob(placed.line, originals, source.originals.has(seq));
      continue;
    }
    if (current.job !== job) current = { job, outcomes: await source.outcomes(job) };
    const settled = current.outcomes.get(seq);
    const line = settled ? settledLine(placed.line, settled) : source.lost(placed, job);
    if (source.originals.has(seq)) originals.set(seq, originalOf(line));
    yield { line, original: null, plannedJob: job };
  }
}

function withoutJob(plan: PlanLine, originals: Map<number, Original>, isOriginal: boolean): TracedLine {
  const reason = plan.reason ?? { code: 'unreadable', message: 'The plan gives this document neither a job nor a reason.' };
  if (plan.duplicateOf === null) {
    const line = leftOutLine(plan, reason);
    // Copies of a document that was passed over were not sent either.
    if (line.outcome === 'skipped' && isOriginal) originals.set(plan.seq, originalOf(line));
    return { line, original: null, plannedJob: null };
  }
  const original = originals.get(plan.duplicateOf);
  if (!original) throw new BrokenPlanError(`line ${plan.seq} equals document ${plan.duplicateOf}, which no job got and no line passed over before it`);
  return { line: duplicateLine(plan, reason, original), original: original.outcome, plannedJob: null };
}

/** A copy, so that the rest of the line can go. */
const originalOf = ({ outcome, pages, job, jobId, documentId, result }: ManifestLine): Original => ({ outcome, pages, job, jobId, documentId, result });

/** The jobs of a batch: those of the plan, and for each the ones that were made of it later, in the order of their numbers. */
export class JobTree {
  /** The job each follow-up is a part of. */
  readonly parents = new Map<number, number>();
  readonly #roots = new Map<number, number>();
  readonly #families = new Map<number, number[]>();
  readonly #ranges = new Map<number, PlanRange[]>();

  constructor(
    /** Jobs of the plan: numbers 1 to this. */
    readonly planned: number,
    /** Jobs made later; a parent comes before its parts, as its number does. */
    followUps: Iterable<{ job: number; parent: number; ranges?: PlanRange[] }>,
  ) {
    for (const { job, parent, ranges } of [...followUps].sort((a, b) => a.job - b.job)) {
      const root = this.#roots.get(parent) ?? parent;
      this.parents.set(job, parent);
      this.#roots.set(job, root);
      this.#families.set(root, [...this.family(root), job]);
      if (ranges) this.#ranges.set(job, ranges);
    }
  }

  /** Every job, in order. */
  jobs(): number[] {
    return [...Array.from({ length: this.planned }, (_, i) => i + 1), ...[...this.parents.keys()].filter((job) => job > this.planned)];
  }

  /** The planned job that this one is, or was made of. */
  root(job: number): number {
    return this.#roots.get(job) ?? job;
  }

  /** Whether a job was made of another, or of one that was. */
  isMadeOf(job: number, other: number): boolean {
    // Numbers grow from parent to part; a damaged manifest may say otherwise, and must not lead in circles.
    for (let parent = this.parents.get(job); parent !== undefined && parent < job; job = parent, parent = this.parents.get(job)) if (parent === other) return true;
    return false;
  }

  /** A planned job and all that was made of it. */
  family(plannedJob: number): number[] {
    return this.#families.get(plannedJob) ?? [plannedJob];
  }

  /** The last of the family that was handed the plan's line at this offset. */
  holder(plannedJob: number, offset: number): number {
    const holds = (job: number) => this.#ranges.get(job)?.some((range) => offset >= range.offset && offset < range.offset + range.length);
    return this.family(plannedJob).findLast(holds) ?? plannedJob;
  }
}
