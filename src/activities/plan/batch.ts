import { createHash } from 'node:crypto';
import { cancellationSignal } from '@temporalio/activity';
import type { PlannedBatch, TransferActivities } from '../../contract/activities';
import { inputFileSchema, planSchema } from '../../contract/archive';
import type { InputFile, Plan } from '../../contract/archive';
import { failureTypes } from '../../contract/failures';
import { batchKeys } from '../../contract/keys';
import { tooExpensive } from '../../domain/plan-cost';
import type { Store } from '../../store';
import { jsonText, readJson } from '../../store/jsonl';
import type { Dependencies } from '../dependencies';
import { giveUp } from '../failure';
import { withHeartbeat } from '../heartbeat';
import { findProcessed, liveness } from '../ledger';
import type { UploadEngine } from '../upload/engine';
import { stallLimitMs, watched, type Movement } from '../upload/stall';
import { invalidInput } from './broken-lines';
import type { PlanProgress } from './candidate';
import type { CountPages } from './count';
import { preparePlan } from './documents';
import type { PreparedPlan } from './documents';
import type { FindElsewhere } from './skips';

/** What planning a batch needs. */
export interface PlanDependencies {
  store: Store;
  /** Asked whether the holder of a claim still runs. Without it every claim counts as held. */
  temporal?: Pick<Dependencies['temporal'], 'workflow'>;
  settings: { creditsPerDrawingPage: number; creditsPerDocumentPage: number };
  countPages?: CountPages;
  /** Says how long planning may stand still. */
  uploads?: Pick<UploadEngine, 'stallLimitMs'>;
}

type Request = Parameters<TransferActivities['planBatch']>[0];

/** Writes plan.jsonl and then plan.json; when plan.json is there, it stands. */
export async function planBatch(deps: PlanDependencies, request: Request): Promise<PlannedBatch> {
  const { store } = deps;
  const { batchId } = request;
  const keys = batchKeys(batchId);
  if (await store.stat(keys.plan)) return plannedBatch(await knownPlan(store, batchId));
  const { input } = await readJson(store, keys.input, inputFileSchema);
  let progress: PlanProgress | undefined;
  const plan = async (): Promise<PlannedBatch> => {
    const onProgress = (now: PlanProgress): void => void (progress = now);
    const prepared = await prepare(deps, request, { input, onProgress });
    try {
      const problem = tooExpensive(prepared.cost, input.maxCredits);
      if (problem) throw giveUp(failureTypes.tooExpensive, `${problem}. Nothing was started; raise maxCredits or take fewer documents`, prepared.cost);
      return plannedBatch(await write(store, batchId, prepared));
    } finally {
      prepared.close();
    }
  };
  return withHeartbeat(plan, () => progress);
}

/** Reads and decides everything. A source that gives nothing any more ends the attempt, though its heartbeat would go on: another worker may do better. */
function prepare(deps: PlanDependencies, request: Request, { input, onProgress }: { input: InputFile['input']; onProgress: (progress: PlanProgress) => void }): Promise<PreparedPlan> {
  const { store, countPages, settings, uploads } = deps;
  const credits = { drawingPage: settings.creditsPerDrawingPage, documentPage: settings.creditsPerDocumentPage };
  const watch = { what: 'Planning', awaits: 'source', limitMs: uploads?.stallLimitMs ?? stallLimitMs, signal: cancellationSignal() } as const;
  return watched(watch, async (movement) => {
    const moved = (progress: PlanProgress): void => {
      movement.moved(0);
      onProgress(progress);
    };
    const findElsewhere = ledgerOf(deps, request, { input, movement });
    const prepared = await preparePlan(input, { batchId: request.batchId, archive: store.location, store, findElsewhere, countPages, credits, signal: movement.signal, onProgress: moved });
    // Given up meanwhile: nobody else closes it.
    if (movement.signal.aborted) prepared.close();
    return prepared;
  });
}

/** The project's ledger, when the input wants to pass over what is in it; a project that is not there yet has none. */
function ledgerOf({ store, temporal }: PlanDependencies, { batchId, projectId }: Request, { input, movement }: { input: InputFile['input']; movement: Movement }): FindElsewhere | undefined {
  if (!input.skipProcessed || projectId === null) return undefined;
  const asker = { batchId, retryPartial: input.retryPartialDocuments, isLive: temporal ? liveness(temporal) : () => Promise.resolve(true) };
  return (sha256) => movement.awaiting('archive', findProcessed(store, projectId, sha256, asker));
}

const plannedBatch = ({ documents, rejected, duplicates, skipped, jobs, bytes, pages }: Plan): PlannedBatch => ({
  documents,
  rejected,
  duplicates,
  skipped,
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
