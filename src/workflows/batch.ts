import { allHandlersFinished, CancellationScope, CancelledFailure, condition, continueAsNew, isCancellation, setHandler, upsertMemo, workflowInfo } from '@temporalio/workflow';
import type { BatchProgress } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { batchIdRule, jobFinishedSignal, parseBatchWorkflowId, statusQuery, summaryMemo } from '../contract/messages';
import type { BatchState } from '../contract/messages';
import { batchFailure, failureOf, newBatch, runningStatus, showProgress, takeUp } from './batch-state';
import { keepGate, setGateHandlers, throughGate } from './gate';
import { batchActivities } from './proxies';
import { closeJob } from './report';
import { beside, cancelOpenJobs, runWindow } from './window';

const { store, api, transfer } = batchActivities;

/**
 * A batch of documents from its input to its manifest: accept, plan, find the project, run the jobs, write the manifest.
 * `carried` is what an earlier run of the same batch handed over. A batch that fails ends as a failed workflow whose details hold its
 * summary; one that is cancelled sees its jobs end, and ends as a cancelled workflow whose memo holds its summary.
 */
export async function batchWorkflow(input: unknown, carried?: BatchState): Promise<BatchProgress> {
  const batchId = parseBatchWorkflowId(workflowInfo().workflowId);
  if (!batchId) throw batchFailure({ code: failureTypes.invalidInput, message: `The workflow id must be batch/ and a batch id: ${batchIdRule}` }, null);
  const batch = takeUp(newBatch(batchId, workflowInfo().startTime.toISOString()), carried);
  setHandler(statusQuery, () => batch.progress);
  setHandler(jobFinishedSignal, (report) => closeJob(batch, report));
  setGateHandlers(batch);

  if (!carried) await CancellationScope.nonCancellable(() => accept(batch, input));
  const more = await runToEnd(batch, carried !== undefined);
  return CancellationScope.nonCancellable(async () => {
    if (more) {
      await condition(allHandlersFinished);
      return continueAsNew<typeof batchWorkflow>(null, batch);
    }
    await finish(batch);
    return endOf(batch);
  });
}

/** Nothing is written for a batch whose input or id is refused. */
async function accept(batch: BatchState, input: unknown): Promise<void> {
  try {
    const accepted = await store.acceptBatch({ batchId: batch.batchId, input, startedAt: batch.startedAt });
    batch.input = accepted.input;
    batch.attributes = accepted.attributes;
    batch.progress.archive = accepted.archive;
  } catch (error) {
    batch.progress.status = 'failed';
    batch.progress.error = failureOf(error);
    throw batchFailure(batch.progress.error, batch.progress);
  }
}

/** Everything between input and manifest. True when the history is full and a new run must go on. */
async function runToEnd(batch: BatchState, planned: boolean): Promise<boolean> {
  try {
    if (batch.cancelled) return await seeJobsEnd(batch);
    // Nothing waits at the gate yet, but a call of the batch's own may be refused too.
    if (!planned) await beside([() => keepGate(batch, () => {})], () => prepare(batch));
    return await runWindow(batch);
  } catch (error) {
    // Neither a failure nor a cancellation starts any more jobs, but the open ones end.
    if (isCancellation(error)) batch.cancelled = true;
    else batch.progress.error = failureOf(error);
    return seeJobsEnd(batch);
  }
}

/** The plan, and the project that its jobs go to. */
async function prepare(batch: BatchState): Promise<void> {
  const { input } = batch;
  // Only an existing project has a ledger; where nothing is to be skipped, nobody is asked before there is something to send.
  const known = input.skipProcessed ? await findProject(batch) : null;
  await plan(batch, known);
  batch.projectId = known ?? '';
  if (batch.plannedJobs > 0) batch.projectId = await openProject(batch, known);
  showProgress(batch, runningStatus(batch));
}

async function plan(batch: BatchState, projectId: string | null): Promise<void> {
  const planned = await transfer.planBatch({ batchId: batch.batchId, projectId });
  const { progress } = batch;
  batch.plannedJobs = planned.jobs;
  batch.nextFollowUp = planned.jobs + 1;
  progress.documents = planned.documents;
  progress.bytes = planned.bytes;
  progress.jobs.planned = planned.jobs;
  if (planned.rejected > 0) progress.counts.rejected = planned.rejected;
  if (planned.duplicates > 0) progress.counts.duplicate = planned.duplicates;
  if (planned.skipped > 0) progress.counts.skipped = planned.skipped;
  progress.documentsDone = planned.rejected + planned.duplicates + planned.skipped;
}

/** The batch's first call to Plangrep: a refused key fails it. Null when there is no such project and it may be created. */
async function findProject(batch: BatchState): Promise<string | null> {
  const { project, createProject } = batch.input;
  const found = await throughGate(batch, () => api.findProject({ project, orFail: !createProject }), { orFail: true });
  return found?.projectId ?? null;
}

/** The project's id, once it takes jobs. */
async function openProject(batch: BatchState, known: string | null): Promise<string> {
  const { project } = batch.input;
  const projectId = known ?? (await findProject(batch)) ?? (await throughGate(batch, () => api.createProject({ name: project }))).projectId;
  const since = new Date().toISOString();
  await throughGate(batch, () => api.awaitProject({ projectId, since }));
  return projectId;
}

/** Waits for the jobs that are open; those of a cancelled batch are asked to end. */
function seeJobsEnd(batch: BatchState): Promise<boolean> {
  return CancellationScope.nonCancellable(async () => {
    if (batch.cancelled) await cancelOpenJobs(batch);
    return batch.open.length > 0 && runWindow(batch);
  });
}

/** A manifest that cannot be written fails the batch: what was archived stays, and the error says what to mend. */
async function finish(batch: BatchState): Promise<void> {
  try {
    batch.gate = null;
    showProgress(batch, 'archiving');
    await writeManifest(batch);
  } catch (error) {
    batch.progress.error = failureOf(error);
    showProgress(batch, 'failed');
  }
}

async function writeManifest(batch: BatchState): Promise<void> {
  const { batchId, startedAt, progress, cancelled } = batch;
  const { error } = progress;
  const code = error?.code === failureTypes.unauthorized ? 'unauthorized' : 'remote_error';
  const totals = await transfer.writeManifest({
    batchId,
    startedAt,
    projectId: batch.projectId || null,
    closedAt: new Date().toISOString(),
    failure: cancelled ? { code: 'cancelled', message: 'The batch was cancelled before this document was sent.' } : error && { code, message: error.message },
    error,
    cancelled,
  });
  Object.assign(progress, { documents: totals.documents, documentsDone: totals.documents, counts: totals.counts, pages: totals.pages, credits: totals.credits });
  showProgress(batch, totals.status);
}

function endOf({ progress, cancelled }: BatchState): BatchProgress {
  if (progress.status === 'failed') throw batchFailure(progress.error, progress);
  if (!cancelled) return progress;
  upsertMemo({ [summaryMemo]: progress });
  throw new CancelledFailure('The batch was cancelled');
}
