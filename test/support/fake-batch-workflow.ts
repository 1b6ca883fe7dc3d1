import { ApplicationFailure, condition, continueAsNew, defineSignal, setHandler } from '@temporalio/workflow';
import type { BatchInput, BatchProgress } from '../../src/contract/batch';
import { failureTypes } from '../../src/contract/failures';
import { statusQuery } from '../../src/contract/messages';

/** Ends a fake batch. `renew` lets it go on in a new run first. */
export const endSignal = defineSignal<['complete' | 'errors' | 'fail' | 'break' | 'renew']>('end');

/** What the fake batch says of itself. */
export const fakeProgress = (status: BatchProgress['status'], documentsDone: number): BatchProgress => ({
  status,
  gate: null,
  warning: null,
  documents: 10,
  documentsDone,
  counts: documentsDone === 10 ? { processed: status === 'completed' ? 10 : 9, ...(status !== 'completed' && { failed: 1 }) } : {},
  jobs: { planned: 2, open: documentsDone === 10 ? 0 : 1, done: documentsDone === 10 ? 2 : 1 },
  bytes: 1000,
  pages: 20,
  credits: 200,
  archive: '/archive',
  error: status === 'failed' ? { code: failureTypes.unauthorized, message: 'the key is refused' } : null,
});

/** A batch that does nothing but answer, and end when it is told to: for tests of those who watch. */
export async function batchWorkflow(input: BatchInput): Promise<BatchProgress> {
  let end: string | null = null;
  setHandler(statusQuery, () => fakeProgress('running', 3));
  setHandler(endSignal, (how) => {
    end = how;
  });
  await condition(() => end !== null);
  if (end === 'renew') return continueAsNew<typeof batchWorkflow>(input);
  if (end === 'break') throw ApplicationFailure.nonRetryable('something broke', 'Odd');
  if (end === 'fail') throw ApplicationFailure.create({ type: failureTypes.batchFailed, message: 'failed', nonRetryable: true, details: [fakeProgress('failed', 10)] });
  return fakeProgress(end === 'complete' ? 'completed' : 'completed_with_errors', 10);
}
