import fc from 'fast-check';
import { claim, type Claimant } from '../../../src/activities/ledger';
import type { LedgerEntry } from '../../../src/contract/archive';
import type { Store } from '../../../src/store';
import type { FolderStore } from '../../../src/store/folder';
import { digest, entry, put, read, temporaryStore } from './entries';

let store: FolderStore;
beforeEach(() => {
  store = temporaryStore();
});

const content = { seq: 5, sha256: digest(1) };
const dead = () => Promise.resolve(false);
const live = () => Promise.resolve(true);
const claimant = (rest: Partial<Claimant> = {}): Claimant => ({ projectId: 'p', batchId: 'new', job: 2, jobId: 'job_2', runId: 'run-9', retryPartial: false, isLive: dead, ...rest });

describe('claim', () => {
  test('of what nobody has is ours, and says who we are', async () => {
    expect(await claim(store, claimant(), content)).toBeNull();
    expect(await read(store)).toMatchObject({ state: 'claimed', batchId: 'new', job: 2, seq: 5, jobId: 'job_2', runId: 'run-9', paid: false });
  });

  test.each<[string, Partial<LedgerEntry>, Partial<Claimant>, string | null]>([
    ['processed', { state: 'processed' }, { retryPartial: true }, 'processed'],
    ['partial', { state: 'partial' }, {}, 'partial'],
    ['partial, and pages may be paid for again', { state: 'partial' }, { retryPartial: true }, null],
    ['claimed by a live batch', {}, { isLive: live }, 'claimed'],
    ['claimed by a live batch, whatever may be paid again', {}, { isLive: live, retryPartial: true }, 'claimed'],
    ['claimed by a batch that is over', {}, {}, null],
    ['claimed by a batch that is over, and paid for before', { paid: true }, {}, 'partial'],
    ['claimed by a batch that is over, and may be paid for again', { paid: true }, { retryPartial: true }, null],
    ['claimed by another job of this batch', { batchId: 'new', job: 1 }, { isLive: live }, null],
    ['claimed by an earlier run of this job', { batchId: 'new', job: 2 }, { isLive: live }, null],
    ['partial in an earlier job of this batch', { state: 'partial', batchId: 'new', job: 1 }, {}, null],
    ['processed in an earlier job of this batch', { state: 'processed', batchId: 'new', job: 1 }, {}, 'processed'],
  ])('of what is %s', async (_what, known, who, state) => {
    await put(store, entry(known));
    const before = await read(store);
    const elsewhere = await claim(store, claimant(who), content);
    if (state === null) {
      expect(elsewhere).toBeNull();
      expect(await read(store)).toMatchObject({ state: 'claimed', batchId: 'new', job: 2, runId: 'run-9', paid: known.state === 'partial' || known.paid === true });
    } else {
      expect(elsewhere).toEqual({ state, batchId: before!.batchId, job: before!.job, seq: before!.seq });
      expect(await read(store)).toEqual(before);
    }
  });

  test('is found by a repeat, which changes nothing', async () => {
    await claim(store, claimant(), content);
    const before = await read(store);
    expect(await claim(store, claimant({ isLive: live }), content)).toBeNull();
    expect(await read(store)).toEqual(before);
  });

  test('made anew by a later run is not taken over by who saw the earlier run closed', async () => {
    await put(store, entry());
    const isLive = async () => {
      await claim(store, claimant({ batchId: 'old', job: 1, runId: 'run-2' }), content);
      return false;
    };
    const slow = claimant({ isLive: async ({ runId }) => (runId === 'run-1' ? isLive() : true) });
    expect(await claim(store, slow, content)).toMatchObject({ state: 'claimed', batchId: 'old' });
    expect(await read(store)).toMatchObject({ runId: 'run-2' });
  });

  test('is won by exactly one of several at once, in whatever order their steps come', async () => {
    const before = fc.constantFrom<Partial<LedgerEntry> | null>(null, {}, { batchId: 'gone', runId: null });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), before, fc.integer({ min: 2, max: 4 }), async (scheduler, known, others) => {
        await store.remove(`ledger/p/00/${digest(1)}.json`);
        if (known) await put(store, entry(known));
        const stepped = inSteps(store, scheduler);
        // The first run of batch `old` is over; batch `old` may have been started again.
        const isLive = scheduler.scheduleFunction(({ runId }: { runId: string | null }) => Promise.resolve(runId === 'run-9'));
        const batches = ['old', ...Array.from({ length: others }, (_, at) => `new-${at}`)];
        const claims = batches.map((batchId) => claim(stepped, claimant({ batchId, job: 1, isLive }), content));
        const answers = await scheduler.waitFor(Promise.all(claims));
        const winners = batches.filter((_, at) => answers[at] === null);
        expect(winners).toHaveLength(1);
        expect(await read(store)).toMatchObject({ batchId: winners[0], runId: 'run-9' });
        expect(answers.filter((answer) => answer !== null).map(({ batchId }) => batchId)).toEqual(batches.slice(1).map(() => winners[0]));
      }),
      { numRuns: 25 },
    );
  });
});

/** The store, with each of its calls made when the scheduler says so. */
function inSteps(store: Store, scheduler: fc.Scheduler): Store {
  const step = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => scheduler.scheduleFunction((...args: A) => call.apply(store, args));
  return new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? step(value as (...args: unknown[]) => Promise<unknown>) : value;
    },
  });
}
