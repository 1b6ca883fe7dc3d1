import { setTimeout as pause } from 'node:timers/promises';
import type { BatchInputOptions, BatchSummary } from '../../src/client';
import type { FaultOptions } from '../../src/simulator/faults';
import { creditsPerPage, type BatchPlan } from './plan';
import type { Site } from './site';

/** How often something is looked at that is waited for, in ms. */
const lookMs = 250;
/** More than any run needs. */
export const plenty = 1_000_000;

/** The other batch of a `ledger`, over the same documents. */
export const twinOf = (id: string): string => `${id}-twin`;

/** What the remote job of a `project` takes less than planned. */
export const loweredFiles = 2;

const fileName = (batch: BatchPlan, index: number): string => batch.documents[index]!.path.split('/').at(-1)!;

/** Indexes of the documents that something befalls: `resend` fails once and is sent again, `partial` loses its first page, `poison` fails its job for ever. */
export const special = { resend: 0, partial: 1, poison: 1 } as const;

/** What goes wrong at Plangrep for this batch. */
function faultsOf(batch: BatchPlan): FaultOptions[] {
  const externalId = `batch/${batch.id}/`;
  switch (batch.scenario) {
    case 'resend':
      return [
        { kind: 'document', fileName: fileName(batch, special.resend), failPages: 'all', times: 1 },
        { kind: 'document', fileName: fileName(batch, special.partial), failPages: [1] },
      ];
    case 'split':
      return [{ kind: 'job', fileName: fileName(batch, special.poison), failJob: { code: 'document_broken', message: 'Scripted.' } }];
    case 'project':
      return [{ kind: 'job', externalId, limits: { maxFiles: loweredFiles } }];
    case 'cancel':
      return [{ kind: 'job', externalId, hold: 'processing', times: 1 }];
    case 'signed':
    case 'form':
    case 'credits':
    case 'ledger':
      return [];
  }
}

function inputOf(site: Site, batch: BatchPlan): BatchInputOptions {
  const { id, scenario, maxFiles, maxConcurrentJobs, upload } = batch;
  return {
    project: scenario === 'project' ? `Project of ${id}` : 'Quickstart',
    source: { folder: site.source(id) },
    classify: Object.keys(creditsPerPage).map((folder) => ({ glob: `${folder}/**`, classification: folder === 'drawings' ? ('plans' as const) : ('specifications' as const) })),
    limits: { maxFiles },
    maxConcurrentJobs,
    upload,
    createProject: scenario === 'project',
    skipProcessed: scenario === 'ledger',
  };
}

/** Runs a batch to its end, with what befalls it; answers with it, and with its twin's when it has one. */
export async function runBatch(site: Site, batch: BatchPlan, signal: AbortSignal): Promise<BatchSummary[]> {
  const faults = faultsOf(batch);
  if (faults.length > 0) await site.control('faults', { faults });
  if (batch.scenario === 'credits') await site.control('credits', { available: Math.ceil(priceOf(batch) / 2) });
  await start(site, batch, batch.id, signal);
  const wait = (id: string): Promise<BatchSummary> => site.batches.wait(id, { signal });
  switch (batch.scenario) {
    case 'credits':
      await refill(site, batch.id, signal);
      return [await wait(batch.id)];
    case 'cancel':
      await cancel(site, batch, signal);
      return [await wait(batch.id)];
    case 'ledger': {
      const first = batch.twin === 'after' ? await wait(batch.id) : null;
      await start(site, batch, twinOf(batch.id), signal);
      return first ? [first, await wait(twinOf(batch.id))] : Promise.all([wait(batch.id), wait(twinOf(batch.id))]);
    }
    case 'signed':
    case 'form':
    case 'resend':
    case 'split':
    case 'project':
      return [await wait(batch.id)];
  }
}

/** Credits that the batch's documents cost together. */
export function priceOf({ documents }: BatchPlan): number {
  const originals = documents.filter(({ path }) => !path.startsWith('zz-'));
  return originals.reduce((sum, { path, pages }) => sum + pages * creditsPerPage[path.split('/')[0] as keyof typeof creditsPerPage], 0);
}

async function start(site: Site, batch: BatchPlan, id: string, signal: AbortSignal): Promise<void> {
  await untilDone(signal, async () => {
    await site.batches.start(inputOf(site, batch), { id }).catch((error: Error) => {
      // A start whose answer was lost with the server has happened.
      if (error.name !== 'BatchIdInUseError') throw error;
    });
  });
}

/** Sees the batch blocked, gives the credits back and lets it go on. */
async function refill(site: Site, id: string, signal: AbortSignal): Promise<void> {
  const isBlocked = await until(signal, async () => {
    const { status, closedAt } = await site.batches.status(id);
    return closedAt !== null ? 'closed' : status === 'blocked_credits' ? 'blocked' : null;
  });
  if (isBlocked === 'closed') throw new Error(`Batch ${id} ended although it lacked credits`);
  await site.control('credits', { available: plenty });
  // A job may have been blocked right after the credits came, or a kill may have eaten the answer: until it is not blocked any more.
  await until(signal, async () => {
    const { status, closedAt } = await site.batches.status(id);
    if (closedAt !== null || status !== 'blocked_credits') return true;
    await site.batches.resume(id);
    return null;
  });
}

/** Cancels once a job is held while it is processed. */
async function cancel(site: Site, { id, cancelAfterMs }: BatchPlan, signal: AbortSignal): Promise<void> {
  await until(signal, async () => {
    const { jobs } = (await site.control(`records?externalId=batch/${id}/`)) as { jobs: { status: string }[] };
    return jobs.some(({ status }) => status === 'processing') || null;
  });
  await pause(cancelAfterMs, null, { signal });
  await untilDone(signal, async () => void (await site.batches.cancel(id)));
}

async function untilDone(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  await until(signal, async () => {
    await act();
    return true;
  });
}

/** Looks until there is an answer. What fails meanwhile is tried again: the server, or every worker, may have been killed. */
async function until<T>(signal: AbortSignal, look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    try {
      const found = await look();
      if (found !== null) return found;
    } catch (error) {
      if (!isPassing(error as Error)) throw error;
    }
    await pause(lookMs, null, { signal });
  }
}

const isPassing = (error: Error & { code?: unknown }): boolean =>
  typeof error.code === 'number' || /NoWorker|ServiceError|Unreachable|QueryNotRegistered|BatchNotFound|WorkflowUpdate/.test(error.name);
