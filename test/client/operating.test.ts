import { WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { BatchClosedError, NoWorkerError } from '../../src/client/errors';
import { cancelBatch, tellBatch } from '../../src/client/operating';
import { resumeUpdate } from '../../src/contract/messages';

/** A client of which only what happens between two calls matters: each describe answers the next of `states`. */
function scripted(states: string[], handle: object): Client {
  const [last] = states.slice(-1);
  const describe = async () => ({ type: 'batchWorkflow', workflowId: 'batch/b1', runId: 'r1', status: { name: states.shift() ?? last }, typedSearchAttributes: new TypedSearchAttributes([]), memo: {} });
  return {
    options: { namespace: 'default' },
    workflowService: { describeTaskQueue: async () => ({ pollers: [{ lastAccessTime: { seconds: Date.now() / 1000 } }] }) },
    withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
    connection: { workflowService: { listWorkflowExecutions: async () => ({ executions: [] }) } },
    workflow: { getHandle: () => ({ describe, ...handle }), result: async () => null },
  } as unknown as Client;
}

describe('an update', () => {
  it('that no worker takes in time may still take effect, and says so', async () => {
    const executeUpdate = async () => Promise.reject(new WorkflowUpdateRPCTimeoutOrCancelledError('too late'));
    const error: unknown = await tellBatch(scripted(['RUNNING'], { executeUpdate }), 'b1', resumeUpdate).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NoWorkerError);
    expect(error).toMatchObject({ sent: true, message: expect.stringContaining('may still take effect') as string });
  });

  it('that meets a batch which closes is refused as for any closed batch', async () => {
    const executeUpdate = async () => Promise.reject(new WorkflowNotFoundError('closed', 'batch/b1', 'r1'));
    await expect(tellBatch(scripted(['RUNNING', 'COMPLETED'], { executeUpdate }), 'b1', resumeUpdate)).rejects.toBeInstanceOf(BatchClosedError);
  });

  it('that fails for another reason says so itself', async () => {
    const executeUpdate = async () => Promise.reject(new Error('no such update'));
    await expect(tellBatch(scripted(['RUNNING'], { executeUpdate }), 'b1', resumeUpdate)).rejects.toThrow('no such update');
  });
});

test('a batch that ends just before it is cancelled needs no cancelling', async () => {
  const cancel = async () => Promise.reject(new WorkflowNotFoundError('closed', 'batch/b1', 'r1'));
  expect(await cancelBatch(scripted(['RUNNING', 'COMPLETED'], { cancel }), 'b1', () => null)).toMatchObject({ cancelled: 'nothing', jobs: 0 });
});
