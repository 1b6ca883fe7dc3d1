import { MockActivityEnvironment } from '@temporalio/testing';
import { withHeartbeat } from '../../src/activities/heartbeat';

describe('withHeartbeat', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'setTimeout', 'performance', 'hrtime', 'Date'] }));
  afterEach(() => jest.useRealTimers());

  function start(work: () => Promise<void>, details?: () => unknown): { heard: unknown[]; run: () => Promise<void> } {
    const env = new MockActivityEnvironment();
    const heard: unknown[] = [];
    env.on('heartbeat', (told) => heard.push(told));
    return { heard, run: () => env.run(() => withHeartbeat(work, details)) };
  }

  test('tells every ten seconds how far the work is, and nothing once it is over', async () => {
    let files = 0;
    const { heard, run } = start(async () => {
      for (files = 1; files <= 3; files += 1) jest.advanceTimersByTime(10_000);
    }, () => ({ files }));
    await run();
    jest.advanceTimersByTime(60_000);
    expect(heard).toEqual([{ files: 1 }, { files: 2 }, { files: 3 }]);
  });

  test('is silent while work is short: a heartbeat is an action', async () => {
    const { heard, run } = start(async () => {
      jest.advanceTimersByTime(9_999);
    });
    await run();
    expect(heard).toEqual([]);
  });

  test('ends with work that fails, whose error passes', async () => {
    const { heard, run } = start(() => Promise.reject(new Error('no')));
    await expect(run()).rejects.toThrow('no');
    jest.advanceTimersByTime(60_000);
    expect(heard).toEqual([]);
  });
});
