import { ServiceError } from '@temporalio/client';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { isOutage, readProgress } from '../../src/client/reading';

/** What the SDK throws when a call came back with this status of gRPC's. */
const refusal = (code: number): Error => new ServiceError('Failed to query Workflow', { cause: Object.assign(new Error('Call cancelled'), { code, details: 'Call cancelled', metadata: {} }) });

function read(error: Error) {
  const client = {
    options: { namespace: 'default' },
    workflowService: { describeTaskQueue: async () => ({ pollers: [] }) },
    withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
    workflow: { getHandle: () => ({ query: () => Promise.reject(error) }) },
  } as unknown as Client;
  const description = { type: 'batchWorkflow', workflowId: 'batch/b1', runId: 'r1', status: { name: 'RUNNING' }, typedSearchAttributes: new TypedSearchAttributes([]), memo: {} };
  return readProgress(client, description as unknown as WorkflowExecutionDescription);
}

describe('a running batch that is asked how it stands', () => {
  // At the caller's deadline gRPC reports 4, and now and then 1.
  it.each([[4, 'the deadline'], [1, 'a call cancelled by its deadline'], [9, 'nobody polls']])('without an answer (%d, %s) has no worker', async (code) => {
    expect((await read(refusal(code))).error).toMatchObject({ code: 'no_worker' });
  });

  it('is not known when Temporal is away', () => expect(read(refusal(14))).rejects.toThrow('Failed to query'));

  it('says so when it answers with an error', async () => {
    expect((await read(refusal(3))).error).toMatchObject({ code: 'no_answer' });
  });
});

test.each([[1, true], [4, true], [14, true], [3, false], [5, false]])('status %d of gRPC is an outage: %s', (code, is) => expect(isOutage(refusal(code))).toBe(is));
