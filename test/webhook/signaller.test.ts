import fc from 'fast-check';
import type { WebhookNews } from '../../src/contract/messages';
import { Signaller, type SignallerOptions } from '../../src/webhook/signaller';
import { longestIntervalMs, signalIntervalMs } from '../../src/webhook/news';

const failed = (updatedAt: string | null = '1'): WebhookNews => ({ status: 'failed', updatedAt });
const told: string[] = [];
const failures: string[] = [];
let up = true;
let late = 0;
let gone = false;
let attempts = 0;

const create = (more: Partial<SignallerOptions> = {}) =>
  new Signaller({
    tell: async (workflowId, { status, updatedAt }) => {
      attempts += 1;
      if (!up) throw new Error('down');
      if (gone) return 'gone';
      told.push(`${workflowId} ${status} ${updatedAt}`);
      return 'sent';
    },
    onFailure: (workflowId) => failures.push(workflowId),
    onLate: () => (late += 1),
    ...more,
  });

beforeEach(() => {
  jest.useFakeTimers();
  told.length = failures.length = late = attempts = 0;
  [up, gone] = [true, false];
});
afterEach(() => jest.useRealTimers());

test('news within ten seconds are told when these are over, the newest only', async () => {
  const signaller = create();
  const deliveries = [];
  for (const updatedAt of ['1', '2', '3', '3']) deliveries.push(await signaller.deliver('a', failed(updatedAt)));
  expect(deliveries).toEqual(['sent', 'waiting', 'waiting', 'waiting']);
  await jest.advanceTimersByTimeAsync(signalIntervalMs - 1);
  expect(told).toEqual(['a failed 1']);
  await jest.advanceTimersByTimeAsync(1);
  expect([told, late]).toEqual([['a failed 1', 'a failed 3'], 1]);
  await jest.advanceTimersByTimeAsync(600_000);
  expect([await signaller.deliver('a', failed('3')), told.length, jest.getTimerCount()]).toEqual(['repeated', 2, 0]);
});

test('what failed is tried again by itself, less and less often, until it is told', async () => {
  const signaller = create();
  up = false;
  await expect(signaller.deliver('a', failed())).rejects.toThrow('down');
  await jest.advanceTimersByTimeAsync(300_000);
  expect(failures.length).toBeGreaterThan(5);
  expect(failures.length).toBeLessThan(20);
  up = true;
  await jest.advanceTimersByTimeAsync(30_000);
  expect([told, await signaller.deliver('a', failed())]).toEqual([['a failed 1'], 'repeated']);
});

test('all who wait for the same attempt share its end', async () => {
  const signaller = create();
  up = false;
  const results = await Promise.allSettled([signaller.deliver('a', failed()), signaller.deliver('a', failed())]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  [up, gone] = [true, true];
  expect(await Promise.all([signaller.deliver('a', failed()), signaller.deliver('a', failed())])).toEqual(['gone', 'gone']);
});

test('a job that is forgotten is told at once what waits', async () => {
  const signaller = create({ maxJobs: 2 });
  for (const job of ['a', 'b']) for (const updatedAt of ['1', '2']) await signaller.deliver(job, failed(updatedAt));
  expect(told).toEqual(['a failed 1', 'b failed 1']);
  await signaller.deliver('c', failed());
  expect(told).toEqual(['a failed 1', 'b failed 1', 'a failed 2', 'c failed 1']);
});

test('a job with endless statuses is told of the first ones by name, and looked at for the others', async () => {
  const signaller = create();
  for (let n = 0; n < 1000; n++) await signaller.deliver('a', { status: `odd ${n}`, updatedAt: '1' });
  await signaller.deliver('a', { status: 'completed', updatedAt: '1' });
  expect(told.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, n) => `a odd ${n} 1`));
  expect(told.slice(16)).toEqual(['a null 1', 'a completed 1']);
});

test('what is repeated for a day to a job that is over, is asked of Temporal a few times an hour, and leaves no timer behind', async () => {
  const signaller = create();
  gone = true;
  for (let second = 0; second < 86_400; second += 30) {
    for (const updatedAt of ['1', '2', null]) await signaller.deliver('a', failed(updatedAt));
    await jest.advanceTimersByTimeAsync(30_000);
  }
  expect(attempts).toBeGreaterThan(1);
  expect(attempts).toBeLessThanOrEqual(86_400_000 / longestIntervalMs + 7);
  await jest.advanceTimersByTimeAsync(longestIntervalMs);
  expect(jest.getTimerCount()).toBe(0);
  gone = false;
  await jest.advanceTimersByTimeAsync(2 * longestIntervalMs);
  expect([await signaller.deliver('a', failed('3')), told]).toEqual(['sent', ['a failed 3']]);
});

test('while Temporal does not answer, only so many jobs wait in memory, and each one beyond is tried once more', async () => {
  let givenUp = 0;
  const signaller = create({ maxJobs: 100, onGivenUp: () => (givenUp += 1) });
  up = false;
  const jobs = Array.from({ length: 1_000 }, (_, number) => `job ${number}`);
  for (const job of jobs) await signaller.deliver(job, failed()).catch(() => undefined);
  await jest.advanceTimersByTimeAsync(0);
  expect([givenUp, jest.getTimerCount(), attempts]).toEqual([900, 100, 1_900]);
  up = true;
  await jest.advanceTimersByTimeAsync(30_000);
  expect(told).toEqual(jobs.slice(-100).map((job) => `${job} failed 1`));
});

test('what a forgotten job waits for behind a signal that is under way, follows it at once', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((done) => (release = done));
  const signaller = create({ maxJobs: 1, tell: async (workflowId, { updatedAt }) => {
    told.push(`${workflowId} ${updatedAt}`);
    if (told.length === 1) await held;
    return 'sent';
  } });
  const first = signaller.deliver('a', failed('1'));
  void signaller.deliver('a', failed('2'));
  await signaller.deliver('b', failed('1'));
  release();
  await first;
  await jest.advanceTimersByTimeAsync(0);
  expect([told, jest.getTimerCount()]).toEqual([['a 1', 'b 1', 'a 2'], 0]);
});

test('draining tells what waits, also behind what is under way, and leaves no timer', async () => {
  const signaller = create();
  const first = signaller.deliver('a', failed('1'));
  void signaller.deliver('a', failed('2'));
  await signaller.drain();
  await first;
  expect([told, jest.getTimerCount()]).toEqual([['a failed 1', 'a failed 2'], 0]);
  up = false;
  const down = create();
  await expect(down.deliver('b', failed())).rejects.toThrow('down');
  await down.drain();
  expect([failures, jest.getTimerCount()]).toEqual([['b'], 0]);
});

const step = fc.record({
  job: fc.constantFrom('a', 'b', 'c'),
  status: fc.option(fc.constantFrom('completed', 'blocked_insufficient_credits', 'odd')),
  updatedAt: fc.option(fc.constantFrom('1', '2', '3')),
  after: fc.oneof(fc.nat(20), fc.nat(12_000)),
  up: fc.boolean(),
});

test('over jobs and statuses, outages and a memory of two jobs: the last news of each is told in the end, or given up for want of memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, small) => {
      told.length = 0;
      const givenUp = new Set<string>();
      const signaller = create({ ...(small && { maxJobs: 2 }), onGivenUp: (workflowId, news) => void givenUp.add(`${workflowId} ${news.status}`) });
      const last = new Map<string, number>();
      const covered = new Map<string, number>();
      for (const { job, status, updatedAt, after, up: answers } of steps) {
        await jest.advanceTimersByTimeAsync(after);
        up = answers;
        const already = told.includes(`${job} ${status} ${updatedAt}`) && updatedAt !== null;
        last.set(`${job} ${status}`, already ? -1 : told.length);
        await signaller.deliver(job, { status, updatedAt }).catch(() => undefined);
      }
      up = true;
      await jest.advanceTimersByTimeAsync(120_000);
      for (const [line, since] of last) covered.set(line, told.slice(Math.max(0, since)).filter((text) => text.startsWith(`${line} `)).length + (since < 0 ? 1 : 0));
      expect([...covered].filter(([line, times]) => times === 0 && !givenUp.has(line))).toEqual([]);
      expect(small || givenUp.size === 0).toBe(true);
    }),
    { numRuns: 60 },
  );
});
