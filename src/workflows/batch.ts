import { allHandlersFinished, condition, continueAsNew, isCancellation, setHandler, workflowInfo } from '@temporalio/workflow';
import type { BatchProgress } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { batchIdRule, jobFinishedSignal, parseBatchWorkflowId, statusQuery } from '../contract/messages';
import type { BatchState } from '../contract/messages';
import { batchFailure, failureOf, newBatch, showProgress } from './batch-state';
import { batchActivities } from './proxies';
import { closeJob, runWindow } from './window';

const { store, api, transfer } = batchActivities;

/**
 * A batch of documents from its input to its manifest: accept, plan, find the project, run the jobs, write the manifest.
 * `carried` is what an earlier run of the same batch handed over. A batch that fails ends as a failed workflow whose
 * details hold its summary.
 */
export async function batchWorkflow(input: unknown, carried?: BatchState): Promise<BatchProgress> {
  const batchId = parseBatchWorkflowId(workflowInfo().workflowId);
  if (!batchId) throw batchFailure({ code: failureTypes.invalidInput, message: `The workflow id must be batch/ and a batch id: ${batchIdRule}` }, null);
  const batch = carried ?? newBatch(batchId, workflowInfo().startTime.toISOString());
  setHandler(statusQuery, () => batch.progress);
  setHandler(jobFinishedSignal, (report) => closeJob(batch, report));

  if (!carried) await accept(batch, input);
  const more = await runToEnd(batch, carried !== undefined);
  if (more) {
    await condition(allHandlersFinished);
    return continueAsNew<typeof batchWorkflow>(null, batch);
  }
  await finish(batch);
  if (batch.progress.status === 'failed') throw batchFailure(batch.progress.error, batch.progress);
  return batch.progress;
}

/** Nothing is written for a batch whose input or id is refused. */
async function accept(batch: BatchState, input: unknown): Promise<void> {
  try {
    const accepted = await store.acceptBatch({ batchId: batch.batchId, input, startedAt: batch.startedAt });
    batch.input = accepted.input;
    batch.attributes = accepted.attributes;
    batch.progress.archive = accepted.archive;
  } catch (error) {
    if (isCancellation(error)) throw error;
    batch.progress.status = 'failed';
    batch.progress.error = failureOf(error);
    throw batchFailure(batch.progress.error, batch.progress);
  }
}

/** Everything between input and manifest; a failure starts no more jobs, but the open ones end. True when the history is full and a new run must go on. */
async function runToEnd(batch: BatchState, planned: boolean): Promise<boolean> {
  try {
    if (!planned) {
      await plan(batch);
      batch.projectId = batch.progress.jobs.planned > 0 ? await findProject(batch) : '';
      showProgress(batch, 'running');
    }
    return await runWindow(batch);
  } catch (error) {
    if (isCancellation(error)) throw error;
    batch.progress.error = failureOf(error);
    return batch.open.length > 0 && runWindow(batch);
  }
}

async function plan(batch: BatchState): Promise<void> {
  const planned = await transfer.planBatch({ batchId: batch.batchId });
  const { progress } = batch;
  batch.plannedJobs = planned.jobs;
  batch.nextFollowUp = planned.jobs + 1;
  progress.documents = planned.documents;
  progress.bytes = planned.bytes;
  progress.jobs.planned = planned.jobs;
  if (planned.rejected > 0) progress.counts.rejected = planned.rejected;
  if (planned.duplicates > 0) progress.counts.duplicate = planned.duplicates;
  progress.documentsDone = planned.rejected + planned.duplicates;
}

/** The project's id, once the project takes jobs. */
async function findProject({ input }: BatchState): Promise<string> {
  const found = await api.findProject({ project: input.project, orFail: !input.createProject });
  const { projectId } = found ?? (await api.createProject({ name: input.project }));
  await api.awaitProject({ projectId, since: new Date().toISOString() });
  return projectId;
}

/** A manifest that cannot be written fails the batch: what was archived stays, and the error says what to mend. */
async function finish(batch: BatchState): Promise<void> {
  try {
    await writeManifest(batch);
  } catch (error) {
    if (isCancellation(error)) throw error;
    batch.progress.error = failureOf(error);
    showProgress(batch, 'failed');
  }
}

async function writeManifest(batch: BatchState): Promise<void> {
  const { batchId, startedAt, progress } = batch;
  showProgress(batch, 'archiving');
  const unauthorized = progress.error?.code === failureTypes.unauthorized;
  const totals = await transfer.writeManifest({
    batchId,
    startedAt,
    projectId: batch.projectId || null,
    closedAt: new Date().toISOString(),
    failure: progress.error && { code: unauthorized ? 'unauthorized' : 'remote_error', message: progress.error.message },
    error: progress.error,
  });
  Object.assign(progress, { documents: totals.documents, documentsDone: totals.documents, counts: totals.counts, pages: totals.pages, credits: totals.credits });
  showProgress(batch, totals.status);
}
