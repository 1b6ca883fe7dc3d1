import { cancellationSignal } from '@temporalio/activity';
import type { ManifestRequest, ManifestTotals, TransferActivities } from '../../contract/activities';
import { inputFileSchema, manifestSchema, planSchema, type ManifestLine, type Plan } from '../../contract/archive';
import { batchFolder, batchKeys, workFolder } from '../../contract/keys';
import { addLine, finalStatus, lostLine, manifestBodyText, manifestText, manifestTotals, missingReason, newTally } from '../../domain/manifest';
import type { ManifestBody, ManifestTally } from '../../domain/manifest';
import { JobTree, manifestLines } from '../../domain/manifest-lines';
import type { Store } from '../../store';
import { Digest, sha256 } from '../../store/digest';
import { BrokenFileError, findJson, jsonLines, readJson } from '../../store/jsonl';
import type { Dependencies } from '../dependencies';
import { withHeartbeat } from '../heartbeat';
import { Digests, readJobs } from './jobs';
import { findOriginals, placedLines, readJobTree, readOutcomes } from './sources';

/** Activity that ends a batch: writes what became of every document. */
export function createManifestActivities({ store }: Pick<Dependencies, 'store'>): Pick<TransferActivities, 'writeManifest'> {
  return {
    writeManifest: (request) =>
      withHeartbeat(async () => {
        const known = await findTotals(store, request.batchId);
        // Nothing is written here any more that would clear away what a killed attempt left.
        if (known) await store.tidy?.(batchFolder(request.batchId));
        const totals = known ?? (await writeOnce(store, request));
        await store.removeAll(workFolder(request.batchId));
        return totals;
      }),
  };
}

/** Another attempt wrote the manifest meanwhile. */
class AlreadyWrittenError extends Error {}

async function findTotals(store: Store, batchId: string): Promise<ManifestTotals | null> {
  const manifest = await findJson(store, batchKeys(batchId).manifest, manifestSchema);
  return manifest && manifestTotals(manifest);
}

async function writeOnce(store: Store, request: ManifestRequest): Promise<ManifestTotals> {
  try {
    return await writeBatch(store, request);
  } catch (error) {
    if (error instanceof AlreadyWrittenError) return (await findTotals(store, request.batchId))!;
    throw error;
  }
}

async function writeBatch(store: Store, request: ManifestRequest): Promise<ManifestTotals> {
  const { batchId } = request;
  const keys = batchKeys(batchId);
  const { input } = await readJson(store, keys.input, inputFileSchema);
  const digests = new Digests(store, batchId);
  const { tree, tally } = await writeLines(store, request, digests);
  for (const key of [keys.input, keys.plan]) await digests.find(key);
  const jobs = await readJobs(store, batchId, tree, tally, digests);
  const body: ManifestBody = {
    batchId,
    status: finalStatus(tally, request),
    labels: input.labels,
    retryOf: 'retryOf' in input.source ? input.source.retryOf : null,
    projectId: request.projectId,
    startedAt: request.startedAt,
    closedAt: request.closedAt,
    counts: tally.counts,
    pages: tally.pages,
    bytes: tally.bytes,
    credits: jobs.reduce((sum, { credits }) => sum + credits, 0),
    jobs,
    sha256: digests.sorted(),
    error: request.error,
  };
  const written = await store.createIfAbsent(keys.manifest, manifestText(body, sha256(manifestBodyText(body))));
  return written ? manifestTotals(body) : (await findTotals(store, batchId))!;
}

/** manifest.jsonl, from the plan and the jobs' outcomes. Without a plan it is empty. */
async function writeLines(store: Store, request: ManifestRequest, digests: Digests): Promise<{ tree: JobTree; tally: ManifestTally }> {
  const { batchId } = request;
  const keys = batchKeys(batchId);
  const tally = newTally();
  const plan = await findJson(store, keys.plan, planSchema);
  // Lines of a plan that was never finished stand for nothing.
  if (!plan) await store.remove(keys.planLines);
  const tree = plan ? await readJobTree(store, batchId, plan.jobs.length) : new JobTree(0, []);
  const digest = new Digest();
  const lines = plan ? unchanged(documentLines(store, request, tree, tally, digest), () => checkPlan(plan, digest.hex(), keys.planLines)) : [];
  const written = await store.write(keys.manifestLines, jsonLines(lines));
  digests.add(keys.manifestLines, written.sha256);
  if (plan) digests.add(keys.planLines, plan.sha256);
  return { tree, tally };
}

/** Lines that were cut off or changed since would leave documents out without a word. @throws BrokenFileError */
function checkPlan(plan: Plan, found: string, key: string): void {
  if (found !== plan.sha256) throw new BrokenFileError(key, null, `is not the file that plan.json was made with: it has SHA-256 ${found}, and plan.json says ${plan.sha256}`);
}

/** The same lines; what `check` throws at their end fails them. */
async function* unchanged(lines: AsyncIterable<ManifestLine>, check: () => void): AsyncGenerator<ManifestLine> {
  yield* lines;
  check();
}

async function* documentLines(store: Store, request: ManifestRequest, tree: JobTree, tally: ManifestTally, digest: Digest): AsyncGenerator<ManifestLine> {
  const { batchId } = request;
  const signal = cancellationSignal();
  const reason = missingReason(request);
  const lines = manifestLines(placedLines(store, batchId, digest), {
    originals: await findOriginals(store, batchId),
    outcomes: (plannedJob) => readOutcomes(store, batchId, tree.family(plannedJob), tally),
    lost: ({ line, offset }, plannedJob) => lostLine(line, tree.holder(plannedJob, offset), reason),
  });
  for await (const traced of lines) {
    signal.throwIfAborted();
    addLine(tally, traced);
    yield traced.line;
  }
  // An attempt that was given up, and woke after the next one had done its work, must not replace what that one wrote.
  if (await store.stat(batchKeys(batchId).manifest)) throw new AlreadyWrittenError();
}
