import { setImmediate } from 'node:timers/promises';
import { ahead } from '../../../src/activities/plan/ahead';

/** Work that ends when it is told to. */
class Desk {
  readonly begun: number[] = [];
  private readonly open = new Map<number, (error?: Error) => void>();

  readonly work = (item: number): Promise<string> =>
    new Promise((resolve, reject) => {
      this.begun.push(item);
      this.open.set(item, (error) => (error ? reject(error) : resolve(`done ${item}`)));
    });

  end(item: number, error?: Error): Promise<void> {
    this.open.get(item)!(error);
    return setImmediate();
  }
}

test('results come in the order of the items, and only so many are under way', async () => {
  const desk = new Desk();
  const results: string[] = [];
  const all = (async () => {
    for await (const { item, result } of ahead([1, 2, 3, 4], 2, desk.work)) results.push(`${item}: ${result}`);
  })();
  await setImmediate();
  await desk.end(2);
  expect([desk.begun, results]).toEqual([[1, 2], []]);
  await desk.end(1);
  expect([desk.begun, results]).toEqual([[1, 2, 3, 4], ['1: done 1', '2: done 2']]);
  await desk.end(3);
  await desk.end(4);
  await all;
  expect(results).toEqual(['1: done 1', '2: done 2', '3: done 3', '4: done 4']);
});

test('a failure is thrown in its turn, starts nothing more, and waits for what is under way', async () => {
  const desk = new Desk();
  const results: string[] = [];
  let ended = false;
  const all = (async () => {
    for await (const { result } of ahead([1, 2, 3, 4, 5], 3, desk.work)) results.push(result);
  })();
  const outcome = all.catch((error: Error) => error.message).finally(() => (ended = true));
  await setImmediate();
  await desk.end(2, new Error('broken'));
  await desk.end(1);
  expect([desk.begun, results, ended]).toEqual([[1, 2, 3, 4], ['done 1'], false]);
  await desk.end(3);
  await desk.end(4);
  expect(await outcome).toBe('broken');
  expect(desk.begun).toEqual([1, 2, 3, 4]);
});
