import { ApplicationFailure, condition, continueAsNew, defineSignal, isCancellation, setHandler, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { BatchInput, BatchProgress, Gate } from '../../src/contract/batch';
import { failureTypes } from '../../src/contract/failures';
import { pauseUpdate, resumeUpdate, statusQuery, summaryMemo, type Answer } from '../../src/contract/messages';

/** Ends a fake batch. `renew` lets it go on in a new run first. */
export const endSignal = defineSignal<['complete' | 'errors' | 'fail' | 'break' | 'renew']>('end');
/** Closes a fake batch's gate, as if a job had been blocked. */
export const blockSignal = defineSignal<[Pick<Gate, 'reason' | 'nextProbeAt'>]>('block');
/** A label that keeps a fake batch from leaving its summary when it is cancelled. */
export const silentLabel = 'silent';

/** What the fake batch says of itself. */
export const fakeProgress = (status: BatchProgress['status'], documentsDone: number, gate: Gate | null = null): BatchProgress => ({
  status,
  gate,
  warning: null,
  documents: 10,
  documentsDone,
  counts: documentsDone === 10 ? { processed: status === 'completed' ? 10 : 9, ...(status === 'cancelled' ? { cancelled: 1 } : status !== 'completed' && { failed: 1 }) } : {},
  jobs: { planned: 2, open: documentsDone === 10 ? 0 : 1, done: documentsDone === 10 ? 2 : 1 },
  bytes: 1000,
  pages: 20,
  credits: 200,
  archive: '/archive',
  error: status === 'failed' ? { code: failureTypes.unauthorized, message: 'the key is refused' } : null,
});

const statusOf = (gate: Gate | null) => (gate === null ? 'running' : gate.reason === 'paused' ? 'paused' : 'blocked_credits');

/** A batch that does nothing but answer, and end when it is told to: for tests of those who watch and steer. */
export async function batchWorkflow(input: BatchInput): Promise<BatchProgress> {
  let end: string | null = null;
  let gate: Gate | null = null;
  const close = (closed: Omit<Gate, 'since'>) => (gate = { ...closed, since: workflowInfo().startTime.toISOString() });
  setHandler(statusQuery, () => fakeProgress(statusOf(gate), 3, gate));
  setHandler(blockSignal, (closed) => {
    close(closed);
    upsertSearchAttributes([{ key: defineSearchAttributeKey('BatchStatus', 'KEYWORD'), value: statusOf(gate) }]);
  });
  setHandler(pauseUpdate, (): Answer => {
    close({ reason: 'paused', nextProbeAt: null });
    return { status: 'paused', message: 'it pauses' };
  });
  setHandler(resumeUpdate, (): Answer => {
    gate = null;
    return { status: 'running', message: 'it goes on' };
  });
  setHandler(endSignal, (how) => {
    end = how;
  });
  try {
    await condition(() => end !== null);
  } catch (error) {
    if (isCancellation(error) && !input.labels[silentLabel]) upsertMemo({ [summaryMemo]: fakeProgress('cancelled', 10) });
    throw error;
  }
  if (end === 'renew') return continueAsNew<typeof batchWorkflow>(input);
  if (end === 'break') throw ApplicationFailure.nonRetryable('something broke', 'Odd');
  if (end === 'fail') throw ApplicationFailure.create({ type: failureTypes.batchFailed, message: 'failed', nonRetryable: true, details: [fakeProgress('failed', 10)] });
  return fakeProgress(end === 'complete' ? 'completed' : 'completed_with_errors', 10);
}

/** A job that runs until it is cancelled. */
export const jobWorkflow = (): Promise<void> => condition(() => false);
