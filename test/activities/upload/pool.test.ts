import { runPool } from '../../../src/activities/upload/pool';
import { maxSliceFiles, observe, sliceLength, unknownPace } from '../../../src/activities/upload/slices';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('runPool', () => {
  test('runs everything, never more than its width at a time', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await runPool([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++running);
      await turn();
      running -= 1;
      done.push(item);
    });
    expect(done).toHaveLength(7);
    expect(most).toBe(3);
  });

  test('after a failure what is under way ends, and nothing new starts', async () => {
    const ended: number[] = [];
    const run = runPool([1, 2, 3, 4, 5], 2, async (item) => {
      if (item === 1) throw new Error('first');
      await turn();
      await turn();
      ended.push(item);
    });
    await expect(run).rejects.toThrow('first');
    expect(ended).toEqual([2]);
  });
});

describe('sliceLength', () => {
  test('takes what can be sent in half of the life of a signed URL', () => {
    expect(sliceLength([10, 10, 10, 10], { bytesPerSecond: 10, urlLifeMs: 6_000 })).toBe(3);
  });
  test('takes at least one document, however large', () => {
    expect(sliceLength([1e12, 1], { bytesPerSecond: 1, urlLifeMs: 1_000 })).toBe(1);
  });
  test('takes at most what one registration call takes', () => {
    expect(sliceLength(Array.from({ length: 500 }, () => 1), unknownPace())).toBe(maxSliceFiles);
    expect(sliceLength([], unknownPace())).toBe(0);
  });
  test('what is sent first is in before its URLs expire on a line of 1 MB a second, and is all of an ordinary job', () => {
    const sizes = Array.from({ length: 100 }, () => 9_000_000);
    expect(sliceLength(sizes, unknownPace())).toBe(100);
    const huge = Array.from({ length: 100 }, () => 100_000_000);
    expect(sliceLength(huge, unknownPace())).toBe(9);
  });
  test('a job of the largest size takes two calls when it is sent fast, and more when it is not', () => {
    const calls = (bytesPerSecond: number): number => {
      const pace = unknownPace();
      const rest = Array.from({ length: 100 }, () => 100_000_000);
      let slices = 0;
      while (rest.length > 0) {
        const bytes = rest.splice(0, sliceLength(rest, pace)).reduce((sum, size) => sum + size, 0);
        observe(pace, bytes, (bytes / bytesPerSecond) * 1000);
        slices += 1;
      }
      return slices;
    };
    expect(calls(50_000_000)).toBe(2);
    expect(calls(2_000_000)).toBe(12);
  });
  test('tiny documents tell nothing of the rate', () => {
    const pace = unknownPace();
    observe(pace, 100_000, 10_000);
    expect(pace).toEqual(unknownPace());
  });
});
