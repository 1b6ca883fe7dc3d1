import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { PlannedBatch } from '../../contract/activities';
import { inputFileSchema, planSchema } from '../../contract/archive';
import type { Plan } from '../../contract/archive';
import { batchKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { jsonText, readJson } from '../../store/jsonl';
import { invalidInput } from './broken-lines';
import type { PlanProgress } from './candidate';
import type { CountPages } from './count';
import { preparePlan } from './documents';
import type { PreparedPlan } from './documents';

/** Time between two heartbeats, in ms; the heartbeat timeout is at least 60 s. */
const heartbeatMs = 5000;

/** What planning a batch needs. */
export interface PlanDependencies {
  store: Store;
  settings: { creditsPerDrawingPage: number; creditsPerDocumentPage: number };
  countPages?: CountPages;
}

/** Writes plan.jsonl and then plan.json; when plan.json is there, it stands. */
export async function planBatch(deps: PlanDependencies, batchId: string): Promise<PlannedBatch> {
  const { store } = deps;
  const keys = batchKeys(batchId);
  if (await store.stat(keys.plan)) return plannedBatch(await knownPlan(store, batchId));
  const { input } = await readJson(store, keys.input, inputFileSchema);
  return withHeartbeat(async (signal, onProgress) => {
    const credits = { drawingPage: deps.settings.creditsPerDrawingPage, documentPage: deps.settings.creditsPerDocumentPage };
    const prepared = await preparePlan(input, { batchId, archive: store.location, countPages: deps.countPages, credits, signal, onProgress });
    try {
      return plannedBatch(await write(store, batchId, prepared));
    } finally {
      prepared.close();
    }
  });
}

const plannedBatch = ({ documents, rejected, duplicates, jobs, bytes, pages }: Plan): PlannedBatch => ({
  documents,
  rejected,
  duplicates,
  jobs: jobs.length,
  bytes,
  pages,
});

/** Another attempt has written plan.json in the meantime. */
class PlannedElsewhereError extends Error {
  override readonly name = 'PlannedElsewhereError';
}

async function write(store: Store, batchId: string, prepared: PreparedPlan): Promise<Plan> {
  const keys = batchKeys(batchId);
  try {
    const { sha256 } = await store.write(keys.planLines, unlessPlanned(store, batchId, prepared));
    const plan = prepared.plan(sha256);
    if (await store.createIfAbsent(keys.plan, jsonText(plan))) return plan;
  } catch (error) {
    if (!(error instanceof PlannedElsewhereError)) throw error;
  }
  return knownPlan(store, batchId);
}

/** An attempt that was thought dead must not replace the lines under the plan of a later one: its write fails and changes nothing. */
async function* unlessPlanned(store: Store, batchId: string, prepared: PreparedPlan): AsyncGenerator<Buffer> {
  yield* prepared.bytes();
  if (await store.stat(batchKeys(batchId).plan)) throw new PlannedElsewhereError(`Batch ${batchId} is planned already`);
}

/** A plan that was there before, if its lines still are what it was made of. @throws InvalidInput when they are not */
async function knownPlan(store: Store, batchId: string): Promise<Plan> {
  const keys = batchKeys(batchId);
  const plan = await readJson(store, keys.plan, planSchema);
  const hash = createHash('sha256');
  for await (const chunk of await store.openRead(keys.planLines)) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== plan.sha256) throw invalidInput(`${keys.planLines} is not the file that ${keys.plan} was made with`);
  return plan;
}

async function withHeartbeat<T>(run: (signal: AbortSignal, onProgress: (progress: PlanProgress) => void) => Promise<T>): Promise<T> {
  const context = Context.current();
  let latest: PlanProgress | undefined;
  const timer = setInterval(() => context.heartbeat(latest), heartbeatMs);
  try {
    context.heartbeat();
    return await run(context.cancellationSignal, (progress) => {
      latest = progress;
    });
  } finally {
    clearInterval(timer);
  }
}
