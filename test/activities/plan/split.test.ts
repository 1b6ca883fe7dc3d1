import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { createPlanActivities, readJobLines } from '../../../src/activities/plan';
import { planBatch } from '../../../src/activities/plan/batch';
import { documentOutcomeSchema, followUpSchema } from '../../../src/contract/archive';
import type { PlanLine } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';
import type { Limits } from '../../../src/contract/batch';
import { batchKeys, jobKeys } from '../../../src/contract/keys';
import { FolderStore } from '../../../src/store/folder';
import { readBytes, readJson, readJsonLines } from '../../../src/store/jsonl';
import { quietActivity, temporaryFolder } from './planning';

const batchId = 'b1';
const keys = batchKeys(batchId);
const settings = { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };

let store: FolderStore;
let batches = 0;

/** Plans a batch of listed files of these sizes, a folder for every five. */
async function plan(sizes: number[], limits: Limits = {}): Promise<void> {
  const folder = join(temporaryFolder(), String((batches += 1)));
  mkdirSync(folder);
  store = new FolderStore(join(folder, 'archive'));
  const list = join(folder, 'list.jsonl');
  const digest = (at: number) => at.toString(16).padStart(64, '0');
  writeFileSync(list, sizes.map((sizeBytes, at) => `${JSON.stringify({ path: `${Math.floor(at / 5)}/ä${at}.pdf`, sizeBytes, sha256: digest(at) })}\n`).join(''));
  const input = batchInputSchema.parse({ project: 'p', source: { list }, limits });
  await store.write(keys.input, JSON.stringify({ batchId, input, acceptedAt: '' }));
  await quietActivity().run(() => planBatch({ store, settings }, { batchId, projectId: null }));
}

const split = (job: number, limits: Limits, next: number) => createPlanActivities({ store, settings }).splitJob({ batchId, job, limits, next });
const seqs = (lines: PlanLine[]) => lines.map(({ seq }) => seq);
const linesOf = (job: number) => readJobLines(store, batchId, job);

async function outcomesOf(job: number) {
  if (!(await store.stat(jobKeys(batchId, job).documents))) return [];
  const outcomes = [];
  for await (const outcome of readJsonLines(store, jobKeys(batchId, job).documents, documentOutcomeSchema)) outcomes.push(outcome);
  return outcomes;
}

describe('splitJob', () => {
  it('answers with the job itself when it fits, and writes nothing', async () => {
    await plan([1, 2, 3]);
    expect(await split(1, { maxFiles: 3, maxBytes: 6 }, 2)).toEqual({ jobs: [1], rejected: 0 });
    expect(await split(1, {}, 2)).toEqual({ jobs: [1], rejected: 0 });
    expect(await store.stat(keys.followUp(2))).toBeNull();
  });

  it('makes jobs of parts, in the order of the plan', async () => {
    await plan(Array.from({ length: 10 }, (_, at) => at + 1));
    expect(await split(1, { maxFiles: 5 }, 7)).toEqual({ jobs: [7, 8], rejected: 0 });
    expect([seqs(await linesOf(7)), seqs(await linesOf(8))]).toEqual([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]);
    const followUp = await readJson(store, keys.followUp(8), followUpSchema);
    expect(followUp).toMatchObject({ job: 8, parent: 1, ranges: [{ documents: 5, sizeBytes: 40, pages: null }] });
    expect(await outcomesOf(1)).toEqual([]);
  });

  it('writes the same when it is repeated', async () => {
    await plan([4, 4, 4, 9, 1, 1]);
    const first = await split(1, { maxBytes: 8 }, 2);
    const files = await Promise.all(first.jobs.map((job) => readBytes(store, keys.followUp(job), 10_000)));
    expect(await split(1, { maxBytes: 8 }, 2)).toEqual(first);
    expect(await Promise.all(first.jobs.map((job) => readBytes(store, keys.followUp(job), 10_000)))).toEqual(files);
  });

  it('rejects in the job itself what fits in no job any more', async () => {
    await plan([4, 4, 9, 1]);
    expect(await split(1, { maxBytes: 9 }, 2)).toEqual({ jobs: [2, 3], rejected: 0 });
    await plan([4, 4, 9, 1]);
    expect(await split(1, { maxBytes: 8 }, 2)).toEqual({ jobs: [2, 3], rejected: 1 });
    const [outcome, ...more] = await outcomesOf(1);
    expect(more).toEqual([]);
    expect(outcome).toMatchObject({ seq: 3, outcome: 'rejected', jobId: null, documentId: null, sha256: expect.any(String) as string });
    expect(outcome!.reason).toEqual({ code: 'too_large', message: 'has 9 bytes, and a job takes 8' });
    expect(await split(1, { maxBytes: 8, maxFiles: 100 }, 2)).toEqual({ jobs: [2, 3], rejected: 1 });
  });

  it('leaves no job when nothing fits', async () => {
    await plan([4, 5]);
    expect(await split(1, { maxBytes: 3 }, 2)).toEqual({ jobs: [], rejected: 2 });
    expect((await outcomesOf(1)).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('splits what was split before', async () => {
    await plan(Array.from({ length: 8 }, () => 5));
    const { jobs } = await split(1, { maxFiles: 4 }, 2);
    expect(await split(jobs[1]!, { maxFiles: 2 }, 4)).toEqual({ jobs: [4, 5], rejected: 0 });
    // Three documents of one folder and one of another.
    expect([seqs(await linesOf(4)), seqs(await linesOf(5))]).toEqual([[5, 8], [6, 7]]);
    expect(await readJson(store, keys.followUp(4), followUpSchema)).toMatchObject({ parent: 3, ranges: [{ documents: 1 }, { documents: 1 }] });
  });

  it('answers the same again, whatever number comes next, and finishes what was begun', async () => {
    await plan([5, 5, 5, 9]);
    const first = await split(1, { maxFiles: 2, maxBytes: 10 }, 2);
    expect(await split(1, { maxFiles: 2, maxBytes: 10 }, 9)).toEqual(first);
    expect(await split(1, { maxFiles: 1 }, 9)).toEqual(first);
    await store.remove(keys.followUp(first.jobs.at(-1)!));
    expect(await split(1, { maxFiles: 2, maxBytes: 10 }, 2)).toEqual(first);
    expect((await Promise.all(first.jobs.map(linesOf))).flatMap(seqs).sort()).toEqual([1, 2, 3, 4]);
  });

  it('takes no number that another job’s part has', async () => {
    await plan([1, 1, 1, 1], { maxFiles: 2 });
    expect((await split(1, { maxFiles: 1 }, 3)).jobs).toEqual([3, 4]);
    expect((await split(2, { maxFiles: 1 }, 3)).jobs).toEqual([5, 6]);
  });

  it('leaves a job alone that is over, or is being sent, since an earlier run of the batch', async () => {
    await plan([1, 1]);
    const jobs = jobKeys(batchId, 1);
    const remote = { jobId: 'job_1', externalId: 'x', createdAt: '', expiresAt: null, maxFiles: 2, maxBytes: 2 };
    for (const [key, content] of [[jobs.documents, ''], [jobs.uploads, ''], [`${jobs.registrations}/1`, ''], [`${jobs.sent}/1`, ''], [jobs.remote, JSON.stringify(remote)]] as const) {
      await store.write(key, content);
      expect(await split(1, { maxFiles: 1 }, 2)).toEqual({ jobs: [1], rejected: 0 });
      await store.remove(key);
    }
    await store.write(jobs.remote, JSON.stringify({ ...remote, maxFiles: 1 }));
    expect(await split(1, { maxFiles: 1 }, 2)).toEqual({ jobs: [2, 3], rejected: 0 });
    expect(await store.stat(jobs.documents)).not.toBeNull();
  });

  it('never goes above the limits of the batch', async () => {
    await plan([1, 1, 1, 1], { maxFiles: 2 });
    expect(await split(2, { maxFiles: 50 }, 3)).toEqual({ jobs: [2], rejected: 0 });
  });

  it('accounts for each document of the job once, within the limits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 20, max: 60 }),
        async (sizes, maxFiles, maxBytes) => {
          await plan(sizes);
          const { jobs, rejected } = await split(1, { maxFiles, maxBytes }, 2);
          const parts = await Promise.all(jobs.map(linesOf));
          const outcomes = await outcomesOf(1);
          expect(outcomes).toHaveLength(rejected!);
          for (const part of parts) {
            expect(part.length).toBeLessThanOrEqual(maxFiles);
            expect(part.reduce((sum, { sizeBytes }) => sum + sizeBytes!, 0)).toBeLessThanOrEqual(maxBytes);
            expect(seqs(part)).toEqual(seqs(part).sort((a, b) => a - b));
          }
          const all = [...parts.flatMap(seqs), ...outcomes.map(({ seq }) => seq)].sort((a, b) => a - b);
          expect(all).toEqual(sizes.map((_, at) => at + 1));
        },
      ),
      { numRuns: 25 },
    );
  });
});

it('says when a job is neither planned nor made later', async () => {
  await plan([1]);
  await expect(linesOf(2)).rejects.toMatchObject({ name: 'NotFoundError' });
});
