import { spawnSync } from 'node:child_process';
import { link, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createManifestActivities } from '../../src/activities/manifest';
import { inputFileSchema, manifestLineSchema, manifestSchema, type ManifestLine } from '../../src/contract/archive';
import { batchFolder, batchKeys, jobKeys } from '../../src/contract/keys';
import { manifestBodyText, manifestText } from '../../src/domain/manifest';
import { sha256 } from '../../src/store/digest';
import { FolderStore } from '../../src/store/folder';
import { newOwner } from '../../src/store/owner';
import { jsonText, readBytes, readJson, readJsonLines } from '../../src/store/jsonl';
import type { Store } from '../../src/store';
import { verifyBatch } from '../../src/verify';
import type { Outcome } from '../../src/contract/batch';
import { buildBatch, mixedBatch, writeManifest, type BatchSpec } from '../../scripts/bench/batch-builder';

let root: string;
let store: FolderStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'manifest-'));
  store = new FolderStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const keys = batchKeys('b');
const manifest = () => readJson(store, keys.manifest, manifestSchema);
async function lines(): Promise<ManifestLine[]> {
  const found: ManifestLine[] = [];
  for await (const line of readJsonLines(store, keys.manifestLines, manifestLineSchema)) found.push(line);
  return found;
}
const everyKey = async (prefix: string) => {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
};

/** The store with some calls replaced. */
const storeWith = (calls: Partial<Store>): Store =>
  new Proxy<Store>(store, {
    get(target, name: keyof Store) {
      const call: unknown = calls[name] ?? target[name];
      return typeof call === 'function' ? (call.bind(target) as unknown) : call;
    },
  });

test('killed right after manifest.json has its place, the next attempt clears away its other name', async () => {
  await buildBatch(store, 'b', mixedBatch);
  const totals = await writeManifest(store, 'b');
  const [place, , start, random] = newOwner().split('-');
  await link(join(root, keys.manifest), join(root, batchFolder('b'), `.tmp-${[place, spawnSync('true').pid, start, random].join('-')}`));
  expect(await writeManifest(new FolderStore(root), 'b')).toEqual(totals);
  expect((await readdir(join(root, batchFolder('b')))).sort()).toEqual(['input.json', 'jobs', 'manifest.json', 'manifest.jsonl', 'plan.json', 'plan.jsonl']);
});

test('every document has a line, every job an entry, and the working files are gone', async () => {
  await buildBatch(store, 'b', mixedBatch);
  const totals = await writeManifest(store, 'b');
  expect(totals).toEqual({ status: 'completed_with_errors', documents: 10, counts: { processed: 3, partial: 1, failed: 3, rejected: 1, duplicate: 2 }, pages: 12, credits: 28 });
  expect((await lines()).map(({ seq, outcome, job, reason }) => [seq, outcome, job, reason?.code ?? null])).toEqual([
    [1, 'processed', 1, null], [2, 'partial', 1, 'partial'], [3, 'processed', 1, null],
    [4, 'failed', 2, 'job_failed'], [5, 'failed', 2, 'job_failed'],
    [6, 'processed', 4, null], [7, 'failed', 5, 'job_workflow_lost'],
    [8, 'rejected', null, 'empty'], [9, 'duplicate', 1, 'duplicate'], [10, 'duplicate', 2, 'duplicate'],
  ]);
  const { jobs, labels, sha256: digests, status, bytes } = await manifest();
  expect(jobs.map(({ job, jobId, parent, documents, credits }) => [job, jobId, parent, documents, credits])).toEqual([
    [1, 'job_1', null, 3, 25], [2, 'job_2', null, 2, 0], [3, 'job_3', null, 0, 0], [4, 'job_4', 3, 1, 3], [5, null, 3, 1, 0],
  ]);
  expect({ labels, status, bytes }).toEqual({ labels: { site: 'north', 7: 'seven' }, status: 'completed_with_errors', bytes: 7_021 });
  const guarded = (await everyKey('batches/b')).map((key) => key.slice('batches/b/'.length)).filter((path) => !/manifest\.json$|result\.json|artifacts/.test(path));
  expect(Object.keys(digests).sort()).toEqual(guarded.sort());
  expect(await everyKey('work')).toEqual([]);
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('a batch in which all went well is completed', async () => {
  await buildBatch(store, 'b', { documents: [{ job: 1 }, { reason: { code: 'duplicate', message: 'x' }, duplicateOf: 1 }], jobs: [{ job: 1, outcomes: { 1: 'processed' }, status: 'completed' }] });
  expect(await writeManifest(store, 'b')).toMatchObject({ status: 'completed', counts: { processed: 1, duplicate: 1 } });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('a repeat changes nothing and answers the same, also when only the working files were left', async () => {
  await buildBatch(store, 'b', mixedBatch);
  const first = await writeManifest(store, 'b');
  const before = await readBytes(store, keys.manifest, 1e6);
  await store.write('work/b/left', 'x');
  expect(await writeManifest(store, 'b', { failure: { code: 'unauthorized', message: 'x' }, error: { code: 'x', message: 'x' } })).toEqual(first);
  expect((await readBytes(store, keys.manifest, 1e6)).equals(before)).toBe(true);
  expect(await everyKey('work')).toEqual([]);
});

test('an attempt that is killed anywhere is finished by the next', async () => {
  await buildBatch(store, 'b', mixedBatch);
  for (const call of ['write', 'createIfAbsent', 'removeAll'] as const) {
    const broken = storeWith({ [call]: () => Promise.reject(new Error('killed')) });
    await expect(writeManifest(broken, 'b')).rejects.toThrow('killed');
  }
  await writeManifest(store, 'b');
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
  expect(await everyKey('work')).toEqual([]);
});

test('an attempt that was given up does not replace what the next one wrote', async () => {
  await buildBatch(store, 'b', mixedBatch);
  // The late one reads half the plan, then sleeps while another does the whole work; the follow-ups are gone when it wakes.
  let first = true;
  const sleep = async (key: string) => {
    if (!first || key !== jobKeys('b', 1).documents) return;
    first = false;
    await writeManifest(store, 'b');
  };
  const late = storeWith({
    openRead: (key, range) => sleep(key).then(() => store.openRead(key, range)),
    read: (key, maxBytes) => sleep(key).then(() => store.read!(key, maxBytes)),
  });
  const totals = await writeManifest(late, 'b', { failure: { code: 'unauthorized', message: 'x' } });
  expect(first).toBe(false);
  expect(totals.counts).toMatchObject({ failed: 3 });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('documents of jobs that did nothing get the reason of the batch', async () => {
  await buildBatch(store, 'b', mixedBatch);
  await store.removeAll(jobKeys('b', 2).folder);
  const message = 'Plangrep refuses the API key';
  expect(await writeManifest(store, 'b', { failure: { code: 'unauthorized', message }, error: { code: 'Unauthorized', message } })).toMatchObject({ status: 'failed' });
  expect((await lines()).filter(({ reason }) => reason?.code === 'unauthorized').map(({ seq, outcome, job }) => [seq, outcome, job])).toEqual([[4, 'failed', 2], [5, 'failed', 2], [7, 'failed', 5]]);
  expect((await manifest()).error).toEqual({ code: 'Unauthorized', message });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('a cancelled batch: documents without an outcome are cancelled with it', async () => {
  await buildBatch(store, 'b', mixedBatch);
  await store.removeAll(jobKeys('b', 2).folder);
  expect(await writeManifest(store, 'b', { cancelled: true })).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 } });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('a cancelled batch in which all went well is cancelled all the same', async () => {
  await buildBatch(store, 'b', { documents: [{ job: 1 }], jobs: [{ job: 1, outcomes: { 1: 'processed' }, status: 'completed' }] });
  expect(await writeManifest(store, 'b', { cancelled: true })).toMatchObject({ status: 'cancelled', counts: { processed: 1 } });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('documents that were passed over are skipped, and so are their copies', async () => {
  const skipped = { code: 'skipped' as const, message: 'processed in batch x' };
  await buildBatch(store, 'b', {
    documents: [{ job: 1 }, { job: 1 }, { reason: skipped }, { reason: { code: 'duplicate', message: 'x' }, duplicateOf: 3 }],
    jobs: [{ job: 1, outcomes: { 1: 'processed', 2: 'skipped' }, status: 'completed' }],
  });
  expect(await writeManifest(store, 'b')).toMatchObject({ status: 'completed', documents: 4, counts: { processed: 1, skipped: 2, duplicate: 1 } });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('a retry names the batch that it retries, and verify holds it against the input', async () => {
  await buildBatch(store, 'b', { documents: [], jobs: [] });
  const { input, ...rest } = await readJson(store, keys.input, inputFileSchema);
  await store.write(keys.input, jsonText({ ...rest, input: { ...input, source: { retryOf: 'first' } } }));
  await writeManifest(store, 'b');
  expect(await manifest()).toMatchObject({ retryOf: 'first' });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
  const { checksum: _, ...body } = await manifest();
  const other = { ...body, retryOf: 'second' };
  await store.write(keys.manifest, manifestText(other, sha256(manifestBodyText(other))));
  expect((await verifyBatch(store, 'b')).problems).toEqual([{ code: 'count', path: 'manifest.json', message: 'retries second, and input.json says first' }]);
});

test('a batch without a plan ends with an empty manifest, and its half plan is gone', async () => {
  await buildBatch(store, 'b', mixedBatch);
  await store.removeAll(keys.jobs);
  await store.remove(keys.plan);
  const error = { code: 'SourceUnavailable', message: 'On host x: /plans is not there' };
  expect(await writeManifest(store, 'b', { projectId: null, failure: { code: 'remote_error', message: 'x' }, error })).toEqual({ status: 'failed', documents: 0, counts: {}, pages: 0, credits: 0 });
  expect(await everyKey('batches')).toEqual([keys.input, keys.manifest, keys.manifestLines].sort());
  expect((await readBytes(store, keys.manifestLines, 10)).length).toBe(0);
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true, documents: 0 });
});

test('an empty batch is completed', async () => {
  await buildBatch(store, 'b', { documents: [], jobs: [] });
  expect(await writeManifest(store, 'b')).toEqual({ status: 'completed', documents: 0, counts: {}, pages: 0, credits: 0 });
  expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
});

test('what a lost job archived before it was lost is kept and accounted for', async () => {
  await buildBatch(store, 'b', mixedBatch);
  const job = jobKeys('b', 2);
  await store.remove(job.documents);
  await store.write(job.result, '{"half": "an archive"}');
  await store.write(`${job.artifacts}/x/y.png`, 'png');
  await writeManifest(store, 'b');
  expect((await readBytes(store, job.files, 1e6)).toString().trim().split('\n').map((line) => (JSON.parse(line) as { path: string }).path)).toEqual(['artifacts/x/y.png', 'result.json']);
  // job.json counts documents of a file that is not there any more: that is all that verify finds.
  expect((await verifyBatch(store, 'b')).problems).toMatchObject([{ code: 'count', path: 'jobs/00002/job.json' }]);
});

describe('documents that were sent again', () => {
  const family: BatchSpec = {
    documents: [{ job: 1 }, { job: 1 }, { job: 1 }, { job: 1 }, { job: 2 }, { job: 2 }],
    jobs: [
      { job: 1, outcomes: { 1: 'failed', 2: 'processed', 3: 'failed', 4: 'partial' }, status: 'completed_with_errors', creditsDebited: null },
      { job: 2, outcomes: { 5: 'failed', 6: 'failed' }, status: 'failed', creditsDebited: 0 },
      { job: 3, parent: 1, outcomes: { 1: 'failed', 3: 'processed', 4: 'processed' }, status: 'completed_with_errors', creditsDebited: 6 },
      { job: 4, parent: 2, outcomes: { 5: 'processed' }, status: 'completed', creditsDebited: 3 },
      { job: 5, parent: 2, outcomes: { 6: 'failed' }, status: 'failed', creditsDebited: 0 },
      { job: 6, parent: 3, outcomes: { 1: 'cancelled' }, status: 'cancelled', creditsDebited: 0 },
    ],
  };

  test('count where they were last, and cost what every job of the family was debited', async () => {
    await buildBatch(store, 'b', family);
    // Job 1 does not say what it was debited: the page that document 4 paid there counts, though job 3 had the document again.
    expect(await writeManifest(store, 'b')).toMatchObject({ status: 'completed_with_errors', documents: 6, credits: 3 + 2 + 0 + 6 + 3, counts: { processed: 4, failed: 1, cancelled: 1 } });
    expect((await lines()).map(({ seq, job, outcome }) => [seq, job, outcome])).toEqual([[1, 6, 'cancelled'], [2, 1, 'processed'], [3, 3, 'processed'], [4, 3, 'processed'], [5, 4, 'processed'], [6, 5, 'failed']]);
    expect((await manifest()).jobs.map(({ job, parent, documents }) => [job, parent, documents])).toEqual([[1, null, 1], [2, null, 0], [3, 1, 2], [4, 2, 1], [5, 2, 1], [6, 3, 1]]);
    expect(await everyKey('work')).toEqual([]);
    expect(await verifyBatch(store, 'b')).toMatchObject({ ok: true });
  });

  test.each<[string, number, Record<number, Outcome>, string]>([
    ['processed before', 3, { 1: 'failed', 2: 'processed' }, 'has document 2, which is processed in job 1'],
    ['another part’s', 5, { 5: 'failed', 6: 'failed' }, 'has document 5, which is processed in job 4'],
  ])('one that was %s is damage', async (_, job, outcomes, message) => {
    await buildBatch(store, 'b', { ...family, jobs: family.jobs.map((spec) => (spec.job === job ? { ...spec, outcomes } : spec)) });
    await writeManifest(store, 'b');
    expect((await verifyBatch(store, 'b')).problems).toContainEqual({ code: 'count', path: `jobs/0000${job}/documents.jsonl`, message });
  });

  test('a part of another job is damage, though its own files agree', async () => {
    await buildBatch(store, 'b', { ...family, jobs: family.jobs.map((spec) => (spec.job === 6 ? { ...spec, parent: 1 } : spec)) });
    await writeManifest(store, 'b');
    expect((await verifyBatch(store, 'b')).problems).toEqual([{ code: 'count', path: 'jobs/00006/documents.jsonl', message: 'has document 1 of job 3, which it was not made of' }]);
  });
});

test('cancellation ends it, and leaves no manifest', async () => {
  await buildBatch(store, 'b', mixedBatch);
  const environment = new MockActivityEnvironment({ attempt: 1 });
  const { writeManifest: run } = createManifestActivities({ store });
  environment.cancel('CANCELLED');
  await expect(environment.run(run, { batchId: 'b', projectId: null, startedAt: '', closedAt: '', failure: null, error: null, cancelled: false })).rejects.toThrow();
  expect(await store.stat(keys.manifest)).toBeNull();
  expect(await everyKey('work')).not.toEqual([]);
});
