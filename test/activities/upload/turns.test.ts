import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { Turns } from '../../../src/activities/upload/turns';

const free = new AbortController().signal;
setMaxListeners(0, free);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('Turns', () => {
  test('a job with one file does not wait behind the hundred of another', async () => {
    const turns = new Turns(2);
    const [large, small] = [{}, {}];
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(name);
      await turn();
    };
    const runs = Array.from({ length: 100 }, () => turns.run(large, free, work('large')));
    runs.push(turns.run(small, free, work('small')));
    await Promise.all(runs);
    expect(order.indexOf('small')).toBe(2);
  });

  test('a job has no more than its own bound, however many places are free', async () => {
    const turns = new Turns(16, 3);
    const job = {};
    const given = await Promise.all([1, 2, 3].map(() => turns.take(job, free)));
    const fourth = turns.take(job, free);
    await turn();
    expect(turns.running).toBe(3);
    given[0]!();
    (await fourth)();
  });

  test('whoever gives up waiting leaves no place taken', async () => {
    const turns = new Turns(1);
    const stop = new AbortController();
    const giveBack = await turns.take({}, free);
    const waiting = turns.take({}, stop.signal);
    stop.abort(new Error('not wanted'));
    await expect(waiting).rejects.toThrow('not wanted');
    await expect(turns.take({}, stop.signal)).rejects.toThrow('not wanted');
    giveBack();
    (await turns.take({}, free))();
    expect(turns.running).toBe(0);
  });

  test('all get their turn within the bounds, and equal jobs get the same number of places', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }), async (places, perJob, sizes) => {
        const turns = new Turns(places, perJob);
        let done = 0;
        const work = (job: { running: number }) => async () => {
          job.running += 1;
          expect(turns.running).toBeLessThanOrEqual(places);
          expect(job.running).toBeLessThanOrEqual(perJob);
          await turn();
          job.running -= 1;
          done += 1;
        };
        const runs = sizes.flatMap((size) => {
          const job = { running: 0 };
          return Array.from({ length: size }, () => turns.run(job, free, work(job)));
        });
        await Promise.all(runs);
        expect(done).toBe(sizes.reduce((sum, size) => sum + size, 0));
        expect(turns.running).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
