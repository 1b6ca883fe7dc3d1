import { followUpSchema, planLineSchema, planSchema } from '../../contract/archive';
import type { Plan, PlanLine, PlanRange } from '../../contract/archive';
import { batchKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { parseJson, readJson, splitLines } from '../../store/jsonl';

/** Plans that are kept in memory, per store: a worker works on a few batches at a time. */
const plansKept = 8;

const plans = new WeakMap<Store, Map<string, Plan>>();

/** A batch's plan.json. It never changes once it is there, so it is kept. @throws NotFoundError, BrokenFileError */
export async function readPlan(store: Store, batchId: string): Promise<Plan> {
  const kept = plans.get(store) ?? new Map<string, Plan>();
  plans.set(store, kept);
  const plan = kept.get(batchId) ?? (await readJson(store, batchKeys(batchId).plan, planSchema));
  // Last in, last out: a Map keeps the order in which its keys came.
  kept.delete(batchId);
  kept.set(batchId, plan);
  if (kept.size > plansKept) kept.delete(kept.keys().next().value!);
  return plan;
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
    for await (const placed of rangeLines(store, batchId, range)) lines.push(placed);
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
