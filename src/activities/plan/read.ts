import { followUpSchema, planLineSchema, planSchema } from '../../contract/archive';
import type { FollowUp, Plan, PlanLine, PlanRange } from '../../contract/archive';
import { batchKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { BrokenFileError, findJson, parseJson, readJson, splitLines } from '../../store/jsonl';

/** Batches of which something is kept in memory, per store: a worker works on a few at a time. */
const batchesKept = 8;

type Kept<T> = WeakMap<Store, Map<string, T>>;
const plans: Kept<Plan> = new WeakMap();
const followUps: Kept<Map<string, { version: string; followUp: FollowUp }>> = new WeakMap();

/** What is kept of a batch, or what `make` makes. */
async function keep<T>(all: Kept<T>, store: Store, batchId: string, make: () => T | Promise<T>): Promise<T> {
  const kept = all.get(store) ?? new Map<string, T>();
  all.set(store, kept);
  const value = kept.get(batchId) ?? (await make());
  // Last in, last out: a Map keeps the order in which its keys came.
  kept.delete(batchId);
  kept.set(batchId, value);
  if (kept.size > batchesKept) kept.delete(kept.keys().next().value!);
  return value;
}

/** A batch's plan.json. It never changes once it is there, so it is kept. @throws NotFoundError, BrokenFileError */
export const readPlan = (store: Store, batchId: string): Promise<Plan> => keep(plans, store, batchId, () => readJson(store, batchKeys(batchId).plan, planSchema));

/**
 * The jobs of a batch that were not in its plan, in the order of their numbers. Costs one listing, and a read of each that is new to this
 * process. @throws BrokenFileError
 */
export async function readFollowUps(store: Store, batchId: string): Promise<FollowUp[]> {
  const known = await keep(followUps, store, batchId, () => new Map<string, { version: string; followUp: FollowUp }>());
  const found: FollowUp[] = [];
  for await (const { key, version } of store.list(batchKeys(batchId).followUps)) {
    const kept = known.get(key);
    const followUp = kept?.version === version ? kept.followUp : await findJson(store, key, followUpSchema);
    if (!followUp) continue;
    known.set(key, { version, followUp });
    found.push(followUp);
  }
  return found.sort((a, b) => a.job - b.job);
}

/**
 * The plan's lines of a job, planned or made later, in the order of the plan. `job` in them is the planned one.
 * @throws NotFoundError, BrokenFileError
 */
export async function readJobLines(store: Store, batchId: string, job: number): Promise<PlanLine[]> {
  return (await readPlacedLines(store, batchId, job)).map(({ line }) => line);
}

/** A line, and where it is in plan.jsonl, in bytes with its newline. */
export interface PlacedLine {
  line: PlanLine;
  offset: number;
  length: number;
}

/** See {@link readJobLines}. */
export async function readPlacedLines(store: Store, batchId: string, job: number): Promise<PlacedLine[]> {
  const lines: PlacedLine[] = [];
  for (const range of await jobRanges(store, batchId, job)) {
    const before = lines.length;
    for await (const placed of rangeLines(store, batchId, range)) lines.push(placed);
    // Whole lines may be missing: those documents would be passed over without a word.
    if (lines.length - before !== range.documents) throw new BrokenFileError(batchKeys(batchId).planLines, null, `has ${lines.length - before} of the ${range.documents} documents of job ${job} where ${batchKeys(batchId).plan} says they are`);
  }
  return lines;
}

async function jobRanges(store: Store, batchId: string, job: number): Promise<PlanRange[]> {
  const planned = (await readPlan(store, batchId)).jobs[job - 1];
  return planned ? [planned] : (await readJson(store, batchKeys(batchId).followUp(job), followUpSchema)).ranges;
}

async function* rangeLines(store: Store, batchId: string, range: PlanRange): AsyncGenerator<PlacedLine> {
  const key = batchKeys(batchId).planLines;
  const stream = await store.openRead(key, { start: range.offset, end: range.offset + range.length - 1 });
  let offset = range.offset;
  let number = 0;
  for await (const bytes of splitLines(stream as AsyncIterable<Uint8Array>, key)) {
    const line = parseJson(bytes.toString(), planLineSchema, key, (number += 1));
    yield { line, offset, length: bytes.length + 1 };
    offset += bytes.length + 1;
  }
}
