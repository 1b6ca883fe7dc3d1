import { createPace } from '../../src/activities/pace';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Asks for `calls` turns at once and counts those granted. */
function ask(pace: ReturnType<typeof createPace>, calls: number): { granted: number } {
  const seen = { granted: 0 };
  for (let call = 0; call < calls; call += 1) void pace.wait().then(() => (seen.granted += 1));
  return seen;
}

describe('createPace', () => {
  test('grants the first call at once and the others at the rate', async () => {
    const seen = ask(createPace(10), 100);
    await jest.advanceTimersByTimeAsync(0);
    expect(seen.granted).toBe(1);
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.granted).toBe(11);
    await jest.advanceTimersByTimeAsync(2000);
    expect(seen.granted).toBe(31);
  });

  test('unused time does not add up to a burst', async () => {
    const pace = createPace(10);
    await pace.wait();
    await jest.advanceTimersByTimeAsync(60_000);
    const seen = ask(pace, 100);
    await jest.advanceTimersByTimeAsync(0);
    expect(seen.granted).toBeLessThanOrEqual(2);
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.granted).toBeLessThanOrEqual(12);
  });

  test('a rate above what timers can tell apart is kept', async () => {
    const seen = ask(createPace(5000), 10_000);
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.granted).toBeGreaterThan(4900);
    expect(seen.granted).toBeLessThanOrEqual(5110);
  });

  test('after slowDown nobody goes for that long, then at half the rate, then at the old one', async () => {
    const pace = createPace(10);
    await pace.wait();
    const seen = ask(pace, 1000);
    pace.slowDown(5000);
    await jest.advanceTimersByTimeAsync(4999);
    expect(seen.granted).toBe(0);
    await jest.advanceTimersByTimeAsync(1001);
    expect(seen.granted).toBeGreaterThanOrEqual(5);
    expect(seen.granted).toBeLessThanOrEqual(7);
    await jest.advanceTimersByTimeAsync(20_000);
    const before = seen.granted;
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.granted - before).toBe(10);
  });

  test.each([Number.MAX_SAFE_INTEGER, 1e12])('an absurd pause of %d ms is cut', async (ms) => {
    const pace = createPace(10);
    pace.slowDown(ms);
    const seen = ask(pace, 1);
    await jest.advanceTimersByTimeAsync(61_000);
    expect(seen.granted).toBe(1);
  });

  test('slowing down without end leaves a rate to go by', async () => {
    const pace = createPace(16);
    for (let time = 0; time < 50; time += 1) pace.slowDown(0);
    const seen = ask(pace, 10);
    await jest.advanceTimersByTimeAsync(2000);
    expect(seen.granted).toBeGreaterThanOrEqual(2);
  });

  test('an aborted wait gives its turn to the next', async () => {
    const pace = createPace(1);
    await pace.wait();
    const abort = new AbortController();
    const aborted = pace.wait(abort.signal).catch((error: Error) => error.message);
    const seen = ask(pace, 1);
    abort.abort(new Error('cancelled by hand'));
    expect(await aborted).toBe('cancelled by hand');
    await jest.advanceTimersByTimeAsync(1000);
    expect(seen.granted).toBe(1);
    await expect(pace.wait(abort.signal)).rejects.toThrow('cancelled by hand');
  });
});
