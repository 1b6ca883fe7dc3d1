import { getEventListeners } from 'node:events';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { BatchClient } from '../../src/client';
import { batchWorkflowId } from '../../src/contract/messages';

/** A batch may run for days, in which its end is polled for thousands of times. */
describe('a long wait', () => {
  let env: TestWorkflowEnvironment;
  beforeAll(async () => {
    // A poll lasts 20 s otherwise.
    env = await startLocalTemporal({ extraArgs: ['--dynamic-config-value', 'history.longPollExpirationInterval="50ms"'] });
  });
  afterAll(() => env.teardown());

  /** The most listeners that any one signal had at a time; `often` resolves when there have been 30 in all. */
  function watchListeners(): { most: () => number; often: Promise<void> } {
    let [most, all] = [0, 0];
    let enough = (): void => undefined;
    const often = new Promise<void>((resolve) => (enough = resolve));
    jest.spyOn(AbortSignal.prototype, 'addEventListener').mockImplementation(function (this: AbortSignal, ...args: unknown[]) {
      EventTarget.prototype.addEventListener.apply(this, args as Parameters<EventTarget['addEventListener']>);
      most = Math.max(most, getEventListeners(this, 'abort').length);
      if (++all === 30) enough();
    });
    return { most: () => most, often };
  }

  test('keeps nothing of the polls that are over', async () => {
    const batches = new BatchClient({ client: env.client });
    await batches.start({ project: 'Tower', source: { folder: '/data' } }, { id: 'long' });
    const { most, often } = watchListeners();
    const waiting = batches.wait('long');
    await often;
    await env.client.workflow.getHandle(batchWorkflowId('long')).terminate();
    expect(await waiting).toMatchObject({ batchId: 'long', status: 'failed' });
    expect(most()).toBeLessThan(5);
  });
});
