import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createPlanActivities, readJobLines, readPlan } from '../../../src/activities/plan';
import { planLineSchema, planSchema } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';
import type { BatchInputOptions } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys } from '../../../src/contract/keys';
import { FolderStore } from '../../../src/store/folder';
import type { Store } from '../../../src/store';
import { readBytes, readJson } from '../../../src/store/jsonl';
import { quietActivity, temporaryFolder, writeFiles } from './planning';

const batchId = 'b1';
const keys = batchKeys(batchId);
const settings = { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };

let folder: string;
let store: FolderStore;
beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'source'));
  store = new FolderStore(join(folder, 'archive'));
});

async function accept(rest: Partial<BatchInputOptions> = {}, id = batchId): Promise<void> {
  const input = batchInputSchema.parse({ project: 'p', source: { folder: join(folder, 'source') }, ...rest });
  await store.write(batchKeys(id).input, JSON.stringify({ batchId: id, input, acceptedAt: new Date().toISOString() }));
}

const planBatch = (from: Store = store, environment = quietActivity(), countPages = () => Promise.resolve({ pages: 3 })) =>
  environment.run(createPlanActivities({ store: from, settings, countPages }).planBatch, { batchId, projectId: null });

const text = async (key: string) => (await readBytes(store, key, 1_000_000)).toString();

describe('planBatch', () => {
  afterEach(() => jest.useRealTimers());

  it('writes the lines, and the plan that says where they are', async () => {
    writeFiles(join(folder, 'source'), { 'a/1.pdf': '1', 'a/2.pdf': '22', 'é/3.pdf': '333', '4.pdf': '333', 'empty.pdf': '' });
    await accept({ limits: { maxFiles: 2, maxPages: 100 } });
    const planned = await planBatch();
    expect(planned).toEqual({ documents: 5, rejected: 1, duplicates: 1, skipped: 0, jobs: 2, bytes: 6, pages: 9 });
    const lines = await text(keys.planLines);
    const plan = await readJson(store, keys.plan, planSchema);
    expect(plan).toMatchObject({ batchId, root: join(folder, 'source'), pages: 9, credits: { min: 9, max: 90 }, lowerBoundJobs: 2 });
    expect(plan.sha256).toBe(createHash('sha256').update(lines).digest('hex'));
    for (const [at, { offset, length, documents, sizeBytes, pages }] of plan.jobs.entries()) {
      const own = Buffer.from(lines).subarray(offset, offset + length).toString().trimEnd().split('\n').map((line) => planLineSchema.parse(JSON.parse(line)));
      expect(own.every(({ job }) => job === at + 1)).toBe(true);
      expect(own).toHaveLength(documents);
      expect(own.reduce((sum, line) => sum + line.sizeBytes!, 0)).toBe(sizeBytes);
      expect(pages).toBe(documents * 3);
      expect(await readJobLines(store, batchId, at + 1)).toEqual(own);
    }
  });

  it('leaves the archive out when it lies in the source', async () => {
    writeFiles(folder, { 'a.pdf': '1' });
    await accept({ source: { folder } });
    expect(await planBatch()).toMatchObject({ documents: 1, jobs: 1 });
  });

  it('keeps a plan that is there, whatever became of the source', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1' });
    await accept();
    const planned = await planBatch();
    const before = await text(keys.plan);
    rmSync(join(folder, 'source'), { recursive: true });
    expect(await planBatch()).toEqual(planned);
    expect(await text(keys.plan)).toBe(before);
  });

  it('makes the plan again when an attempt died between its two files', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1' });
    await accept();
    await store.write(keys.planLines, 'half a line');
    expect(await planBatch()).toMatchObject({ documents: 1, jobs: 1 });
    expect((await readJobLines(store, batchId, 1)).map(({ source }) => source)).toEqual(['a.pdf']);
  });

  it('lets the plan of another attempt stand that was faster', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1' });
    await accept({ limits: { maxPages: 100 } });
    const other = () => {
      writeFiles(join(folder, 'source'), { 'later.pdf': '22' });
      return planBatch();
    };
    let raced = false;
    const countPages = async () => {
      if (!raced) {
        raced = true;
        await other();
      }
      return { pages: 3 };
    };
    expect(await planBatch(store, quietActivity(), countPages)).toMatchObject({ documents: 2 });
    expect((await readJobLines(store, batchId, 1)).map(({ source }) => source).sort()).toEqual(['a.pdf', 'later.pdf']);
  });

  it('refuses lines that are not those of the plan', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1' });
    await accept();
    await planBatch();
    await store.write(keys.planLines, `${await text(keys.planLines)} `);
    await expect(planBatch()).rejects.toMatchObject({ type: failureTypes.invalidInput, nonRetryable: true });
  });

  it('writes nothing when the source is empty, missing, or a broken list', async () => {
    await accept();
    await expect(planBatch()).rejects.toMatchObject({ type: failureTypes.emptySource });
    rmSync(join(folder, 'source'), { recursive: true });
    await expect(planBatch()).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    writeFiles(folder, { 'list.jsonl': 'nonsense' });
    await accept({ source: { list: join(folder, 'list.jsonl') } });
    await expect(planBatch()).rejects.toMatchObject({ type: failureTypes.invalidInput });
    expect([await store.stat(keys.plan), await store.stat(keys.planLines)]).toEqual([null, null]);
  });

  it('plans nothing for an empty source that may be empty', async () => {
    await accept({ allowEmpty: true });
    expect(await planBatch()).toEqual({ documents: 0, rejected: 0, duplicates: 0, skipped: 0, jobs: 0, bytes: 0, pages: null });
    expect(await text(keys.planLines)).toBe('');
  });

  it('counts pages for maxCredits, and writes nothing when they can cost more', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1', 'b.pdf': '22', 'c.txt': '333' });
    const countPages = (path: Buffer) => Promise.resolve(path.includes('.txt') ? { problem: 'not_pdf', message: 'no' } : { pages: 3 });
    const plan = () => quietActivity().run(createPlanActivities({ store, settings, countPages }).planBatch, { batchId, projectId: null });
    await accept({ maxCredits: 59 });
    const message = '6 pages can cost 6 to 60 credits, more than the 59 that maxCredits allows; 1 document whose pages cannot be counted would come on top. Nothing was started; raise maxCredits or take fewer documents';
    const details = [{ pages: 6, uncounted: 1, credits: { min: 6, max: 60 } }];
    await expect(plan()).rejects.toMatchObject({ type: failureTypes.tooExpensive, nonRetryable: true, message, details });
    expect([await store.stat(keys.plan), await store.stat(keys.planLines)]).toEqual([null, null]);
    await accept({ maxCredits: 60 });
    expect(await plan()).toMatchObject({ jobs: 1, pages: 6 });
    expect(await readJson(store, keys.plan, planSchema)).toMatchObject({ uncounted: 1, limits: { maxFiles: 100 }, credits: { max: 60 } });
  });

  it('tells how far it is while it takes long, and ends when it is cancelled', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'setTimeout', 'performance', 'hrtime', 'Date'] });
    writeFiles(join(folder, 'source'), { 'a.pdf': '1', 'b.pdf': '22' });
    await accept({ limits: { maxPages: 100 } });
    const environment = quietActivity();
    const beats: unknown[] = [];
    environment.on('heartbeat', (details: unknown) => beats.push(details));
    const countPages = () => {
      jest.advanceTimersByTime(10_000);
      environment.cancel('CANCELLED');
      return Promise.resolve({ pages: 1 });
    };
    await expect(planBatch(store, environment, countPages)).rejects.toMatchObject({ name: 'CancelledFailure' });
    expect(beats).toContainEqual({ phase: expect.any(String), documents: 2 });
    expect(await store.stat(keys.plan)).toBeNull();
  });
});

describe('readPlan', () => {
  it('keeps the plans of a few batches', async () => {
    writeFiles(join(folder, 'source'), { 'a.pdf': '1' });
    await accept();
    await planBatch();
    const plan = await readPlan(store, batchId);
    expect(await readPlan(store, batchId)).toBe(plan);
    const ids = Array.from({ length: 8 }, (_, at) => `other${at}`);
    for (const id of ids) {
      await store.write(batchKeys(id).plan, JSON.stringify({ ...plan, batchId: id }));
      expect((await readPlan(store, id)).batchId).toBe(id);
    }
    expect(await readPlan(store, batchId)).not.toBe(plan);
    expect(await readPlan(new FolderStore(store.location), batchId)).toEqual(plan);
  });

  it('says when there is none', async () => {
    await expect(readPlan(store, 'none')).rejects.toMatchObject({ name: 'NotFoundError' });
  });
});
