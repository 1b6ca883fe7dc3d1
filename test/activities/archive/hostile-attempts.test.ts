/** Attempts that were given up because their heartbeat was lost, and that go on beside the next ones, or wake after them. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { createArchiveActivities } from '../../../src/activities/archive';
import { saveJobFile } from '../../../src/activities/job-file';
import type { UploadRecord } from '../../../src/contract/archive';
import { batchKeys, jobKeys } from '../../../src/contract/keys';
import { jobSchema } from '../../../src/plangrep/schemas';
import type { Store } from '../../../src/store';
import { jsonLines } from '../../../src/store/jsonl';
import { verifyBatch } from '../../../src/verify';
import { buildBatch, writeManifest } from '../../../scripts/bench/batch-builder';
import { Bench, body, link, quietly, remote, resultOf } from './fake-api';

const keys = jobKeys('b', 1);
const bench = new Bench();
const { api } = bench;
beforeEach(async () => {
  await bench.start();
  await buildBatch(bench.store, 'b', { documents: [{ job: 1 }, { job: 1 }], jobs: [] });
  await writeUploads();
});
afterEach(() => bench.stop());

const writeUploads = () =>
  bench.store.write(keys.uploads, jsonLines([1, 2].map((seq): UploadRecord => ({ seq, documentId: `doc_${seq}`, sha256: String(seq).repeat(64), sizeBytes: 1_000, sent: true, reason: null }))));

const paths = Array.from({ length: 4 }, (_, index) => `r/${index}.png`);
/** A result that is another one each time it is asked for, as one with a short-lived address in it is. */
function serve(): void {
  let times = 0;
  const result = () => {
    const documents = [1, 2].map((seq) => ({ documentId: `doc_${seq}`, pageCount: 1, successfulPageCount: 1, failedPageCount: 0, artifacts: paths.filter((_, index) => index % 2 === seq - 1).map((path) => link(path)) }));
    return JSON.stringify(resultOf(documents, { resultUrl: `https://storage.example/${'x'.repeat((times += 1))}` }));
  };
  api.results = [(request, response) => body(result(), 'application/json')(request, response)];
  for (const path of paths) api.artifacts.set(path, (request, response) => body(`bytes of ${path}, drawn ${(times += 1)}`)(request, response));
}

const activities = (store: Store) => createArchiveActivities({ store, plangrep: bench.client, pace: { wait: () => Promise.resolve(), slowDown: () => undefined } });
const archive = (store: Store = bench.store, attempt = 1) => quietly(attempt).run(activities(store).archiveJob, { batchId: 'b', job: 1, projectId: 'p', remote, warnAt: null });

/** A store that stands still before a call that `at` chooses, until it is let go on. */
function sleepingStore(at: (call: string, key: string) => boolean): { store: Store; asleep: Promise<void>; wake: () => void } {
  let [wake, sleep] = [() => undefined as void, () => undefined as void];
  const [awake, asleep] = [new Promise<void>((done) => (wake = done)), new Promise<void>((done) => (sleep = done))];
  const store = new Proxy(bench.store, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function' || name === 'list') return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      return async (key: string, ...rest: unknown[]) => {
        if (at(String(name), key)) {
          sleep();
          await awake;
        }
        return (value as (...args: unknown[]) => unknown).call(target, key, ...rest);
      };
    },
  });
  return { store, asleep, wake };
}

async function checkBatch(): Promise<void> {
  await writeManifest(bench.store, 'b');
  expect((await verifyBatch(bench.store, 'b')).problems).toEqual([]);
  expect(await bench.lines(batchKeys('b').manifestLines)).toMatchObject([1, 2].map((seq) => ({ seq, outcome: 'processed', artifacts: { length: 2 } })));
}

/** Every call to the store that one whole attempt makes, but those for single artifacts. */
async function callsOf(attempt: (store: Store) => Promise<unknown>): Promise<{ call: string; key: string }[]> {
  const calls: { call: string; key: string }[] = [];
  await attempt(sleepingStore((call, key) => calls.push({ call, key }) < 0).store);
  const seen = new Set<string>();
  return calls.filter(({ call, key }) => !key.includes('/artifacts/') && !seen.has(`${call} ${key}`) && seen.add(`${call} ${key}`));
}

/** Begins an attempt again and again, each time asleep before another of its calls, lets the next one and the batch end, wakes it, and compares. */
async function wakeAtEveryCall(attempt: (store: Store) => Promise<unknown>): Promise<void> {
  const calls = await callsOf(attempt);
  expect(calls.length).toBeGreaterThan(8);
  for (const { call, key } of calls) {
    for (const name of Object.keys(await bench.snapshot('batches'))) if (name.startsWith('b/jobs') || name.startsWith('b/manifest')) await bench.store.remove(`batches/${name}`);
    await writeUploads();
    const sleeper = sleepingStore((c, k) => c === call && k === key);
    const given = attempt(sleeper.store).catch((error: unknown) => error);
    await sleeper.asleep;
    await attempt(bench.store);
    await writeManifest(bench.store, 'b');
    const after = await bench.snapshot('batches');
    sleeper.wake();
    await given;
    expect([call, key, await bench.snapshot('batches')]).toEqual([call, key, after]);
  }
}

test('an attempt to archive that falls asleep before any call, and wakes after the next one has closed the job and the batch is finished, changes nothing', async () => {
  serve();
  await wakeAtEveryCall((store) => archive(store));
  await checkBatch();
});

test('nor does one to close a job that ended without a result: it finds the working files gone, and must not say that nothing was sent', async () => {
  await wakeAtEveryCall((store) => activities(store).closeJob({ batchId: 'b', job: 1, projectId: 'p', remote, ending: { kind: 'ended', outcome: 'expired', reason: { code: 'expired', message: 'Too late.' } } }));
  expect(await bench.lines(keys.documents)).toMatchObject([1, 2].map((seq) => ({ seq, outcome: 'expired', documentId: `doc_${seq}` })));
});

test('a look at a job that was given up does not take back what its closing wrote', async () => {
  serve();
  const seen = jobSchema.parse({ id: 'job_1', status: 'completed', externalId: remote.externalId });
  await saveJobFile(bench.store, { batchId: 'b', job: 1 }, seen);
  const sleepers = ['replaceIf', 'stat'].map((call) => sleepingStore((c, key) => c === call && key === keys.job));
  const given = sleepers.map(({ store }) => saveJobFile(store, { batchId: 'b', job: 1 }, { ...seen, status: 'processing' }));
  await Promise.all(sleepers.map(({ asleep }) => asleep));
  await archive();
  await writeManifest(bench.store, 'b');
  const after = await bench.snapshot('batches');
  for (const { wake } of sleepers) wake();
  await Promise.all(given);
  expect(await bench.snapshot('batches')).toEqual(after);
  await checkBatch();
});

test('two processes that archive one job at once, with other bytes for each: the archive is one of them, whole', async () => {
  serve();
  const run = async (attempt: number) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'archiver.ts'), api.url, bench.folder, String(attempt)], { stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(await text(child.stdout)) as { counts?: object; failed?: string };
  };
  const ends = await Promise.all([1, 2].map(run));
  expect(ends.some(({ counts }) => counts !== undefined)).toBe(true);
  for (const { counts, failed } of ends) expect(failed ?? counts).toEqual(failed ? expect.any(String) : { processed: 2 });
  await archive(bench.store, 3);
  await checkBatch();
});
