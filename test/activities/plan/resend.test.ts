import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { readJobLines } from '../../../src/activities/plan';
import { readFollowUps } from '../../../src/activities/plan/read';
import { jobFileSchema, manifestLineSchema } from '../../../src/contract/archive';
import type { ManifestLine } from '../../../src/contract/archive';
import { jobKeys } from '../../../src/contract/keys';
import type { BatchInputOptions } from '../../../src/contract/batch';
import { jsonText, readJson, readJsonLines } from '../../../src/store/jsonl';
import { verifyBatch } from '../../../src/verify';
import { writeManifest } from '../../../scripts/bench/batch-builder';
import { makePdf } from '../../support/documents';
import { batchId, FatedBatch, keys } from './closed-jobs';
import type { Fate, FatedDocument, Remote } from './closed-jobs';
import { temporaryFolder } from './planning';

const calm: Remote = { pageLimit: 1000, outages: 0 };
const of = (...fates: Fate[]): FatedDocument[] => fates.map((fate) => ({ fate, pages: 4 }));

async function planned(jobs: FatedDocument[][], options: Partial<BatchInputOptions> = {}, remote: Remote = calm, root = temporaryFolder()): Promise<FatedBatch> {
  const batch = new FatedBatch(jobs, remote, options, root);
  await batch.write();
  return batch;
}

/** Runs every job of a batch, in any order, as the batch workflow does. */
async function finish(batch: FatedBatch, jobs: number, pick: (waiting: number) => number = () => 0): Promise<ManifestLine[]> {
  const waiting = Array.from({ length: jobs }, (_, at) => at + 1);
  let next = jobs + 1;
  for (let runs = 0; waiting.length > 0; runs += 1) {
    if (runs > 300) throw new Error('There is no end to it');
    const job = waiting.splice(pick(waiting.length), 1)[0]!;
    const { resend } = await batch.run(job);
    if (!resend) continue;
    const made = await batch.resend(job, resend, next);
    next = made.nextFollowUp;
    waiting.push(...made.jobs);
  }
  await writeManifest(batch.store, batchId);
  const lines: ManifestLine[] = [];
  for await (const line of readJsonLines(batch.store, keys.manifestLines, manifestLineSchema)) lines.push(line);
  return lines;
}

const seqsOf = async (batch: FatedBatch, job: number) => (await readJobLines(batch.store, batchId, job)).map(({ seq }) => seq);
const outcomes = (lines: ManifestLine[]) => lines.map(({ outcome }) => outcome);

describe('resendDocuments', () => {
  test('documents without a page, in one job, and no others', async () => {
    const batch = await planned([of('good', 'blank once', 'partial', 'unknown', 'changed', 'unsent once')]);
    expect(await batch.run(1)).toMatchObject({ resend: 'documents', counts: { processed: 1, failed: 2, partial: 2, rejected: 1 } });
    expect(await batch.resend(1, 'documents', 2)).toEqual({ jobs: [2], counts: { failed: 2 }, nextFollowUp: 3 });
    expect(await seqsOf(batch, 2)).toEqual([2, 6]);
    expect(await readFollowUps(batch.store, batchId)).toMatchObject([{ job: 2, parent: 1, resends: 1, ranges: [{ documents: 1 }, { documents: 1 }] }]);
    expect(await batch.run(2)).toMatchObject({ resend: null, counts: { processed: 2 } });
  });

  test('documents of a job that was refused keep their tries', async () => {
    const batch = await planned([of('good', 'blank once')]);
    await batch.run(1);
    const key = jobKeys(batchId, 1).job;
    await batch.store.write(key, jsonText({ ...(await readJson(batch.store, key, jobFileSchema)), status: 'cancelled' }));
    await batch.resend(1, 'documents', 2);
    expect(await readFollowUps(batch.store, batchId)).toMatchObject([{ job: 2, parent: 1, resends: 0, refusals: 1 }]);
  });

  test('partial ones too, when that is asked for', async () => {
    const batch = await planned([of('good', 'blank', 'partial', 'unknown')], { retryPartialDocuments: true });
    await batch.run(1);
    expect(await batch.resend(1, 'documents', 9)).toEqual({ jobs: [9], counts: { failed: 1, partial: 2 }, nextFollowUp: 10 });
    expect(await seqsOf(batch, 9)).toEqual([2, 3, 4]);
    expect(await batch.run(9)).toMatchObject({ resend: null });
  });

  test('halves of a failed job, without what was rejected, as often as before', async () => {
    const batch = await planned([of('good', 'changed', 'poison', 'good', 'good', 'good')]);
    expect(await batch.run(1)).toMatchObject({ resend: 'halves', failedWith: 'internal' });
    expect(await batch.resend(1, 'halves', 2)).toEqual({ jobs: [2, 3], counts: { failed: 5 }, nextFollowUp: 4 });
    expect([await seqsOf(batch, 2), await seqsOf(batch, 3)]).toEqual([[1, 3, 4], [5, 6]]);
    expect((await readFollowUps(batch.store, batchId)).map(({ resends }) => resends)).toEqual([0, 0]);
  });

  test('a repeat answers the same, whatever number comes next, and so does one that finishes what was begun', async () => {
    const batch = await planned([of('good', 'poison', 'good'), of('blank')]);
    await batch.run(1);
    await batch.run(2);
    const other = await batch.resend(2, 'documents', 3);
    const first = await batch.resend(1, 'halves', 3);
    expect([other.jobs, first]).toEqual([[3], { jobs: [4, 5], counts: { failed: 3 }, nextFollowUp: 6 }]);
    const files = batch.store.snapshot(keys.followUps);
    expect(await batch.resend(1, 'halves', 20)).toEqual({ ...first, nextFollowUp: 20 });
    expect(await batch.resend(2, 'documents', 3)).toEqual({ ...other, nextFollowUp: 6 });
    expect(batch.store.snapshot(keys.followUps)).toEqual(files);
    await batch.store.remove(keys.followUp(5));
    expect(await batch.resend(1, 'halves', 3)).toEqual(first);
    expect(batch.store.snapshot(keys.followUps)).toEqual(files);
  });

  test('at the same time as other jobs’ it takes no number twice', async () => {
    const batch = await planned([of('good', 'poison'), of('poison', 'good'), of('blank')]);
    for (const job of [1, 2, 3]) await batch.run(job);
    const made = await Promise.all([batch.resend(1, 'halves', 4), batch.resend(2, 'halves', 4), batch.resend(3, 'documents', 4), batch.resend(1, 'halves', 4)]);
    expect(made[3]!.jobs).toEqual(made[0]!.jobs);
    expect(made.slice(0, 3).flatMap(({ jobs }) => jobs).sort()).toEqual([4, 5, 6, 7, 8]);
    expect((await Promise.all([4, 5, 6, 7, 8].map((job) => seqsOf(batch, job)))).flat().sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test('of hundreds of follow-ups each is read once', async () => {
    const batch = await planned(Array.from({ length: 30 }, () => of('good', 'poison')));
    const opened: string[] = [];
    const openRead = batch.store.openRead.bind(batch.store);
    batch.store.openRead = (key, range) => (opened.push(key), openRead(key, range));
    for (let job = 1; job <= 30; job += 1) await batch.resend(job, (await batch.run(job)).resend!, 31);
    expect((await readFollowUps(batch.store, batchId)).map(({ job }) => job)).toEqual(Array.from({ length: 60 }, (_, at) => at + 31));
    // Closing a job looks for its own.
    expect(opened.filter((key) => key > keys.followUp(30) && key.startsWith(keys.followUps))).toHaveLength(60);
  });
});

describe('a job with too many pages', () => {
  const remote = { pageLimit: 10, outages: 0 };

  test('is packed anew by the pages of its PDFs; what cannot be counted is spread', async () => {
    const root = temporaryFolder();
    const counts = [3, 3, 6, null, 2, null];
    counts.forEach((pages, at) => {
      mkdirSync(join(root, String((at + 1) % 3)), { recursive: true });
      writeFileSync(join(root, `${(at + 1) % 3}/${at + 1}.pdf`), pages === null ? 'no PDF' : makePdf({ pages }));
    });
    const batch = await planned([counts.map(() => ({ fate: 'good', pages: null }))], {}, { pageLimit: 5, outages: 0 }, root);
    expect(await batch.run(1)).toMatchObject({ resend: 'pages', failedWith: 'page_limit_exceeded' });
    const { jobs } = await batch.resend(1, 'pages', 2);
    const parts = await Promise.all(jobs.map((job) => seqsOf(batch, job)));
    expect(parts.flat().sort()).toEqual([1, 2, 3, 4, 5, 6]);
    for (const part of parts) {
      expect(part.reduce((sum, seq) => sum + (counts[seq - 1] ?? 0), 0)).toBeLessThanOrEqual(7);
      expect(part.filter((seq) => counts[seq - 1] === null).length).toBeLessThanOrEqual(1);
    }
  });

  test('comes in halves when nothing can be counted', async () => {
    const batch = await planned([Array.from({ length: 3 }, () => ({ fate: 'good', pages: null }))], {}, { pageLimit: 2, outages: 0 });
    await batch.run(1);
    expect((await batch.resend(1, 'pages', 2)).jobs).toEqual([2, 3]);
    expect(await seqsOf(batch, 2)).toEqual([1, 2]);
  });

  test('ends with the documents that no job takes', async () => {
    const batch = await planned([[4, 11, 4, 2, 9].map((pages) => ({ fate: 'good' as const, pages }))], {}, remote);
    const lines = await finish(batch, 1);
    expect(outcomes(lines)).toEqual(['processed', 'failed', 'processed', 'processed', 'processed']);
    expect(lines[1]!.reason!.code).toBe('too_many_pages');
  });
});

test('halving finds exactly the documents that spoil a job, and processes each of the others once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom<Fate[]>('good', 'good', 'good', 'poison'), { minLength: 1, maxLength: 24 }), async (fates) => {
      const batch = await planned([of(...fates)], { retryFailedDocuments: 0 }, calm, '/nowhere');
      expect(outcomes(await finish(batch, 1))).toEqual(fates.map((fate) => (fate === 'poison' ? 'failed' : 'processed')));
      expect([...batch.paid.values()].every((times) => times === 1)).toBe(true);
    }),
    { numRuns: 10 },
  );
});

test('whatever fails, each document ends with one line, and none is paid for twice without being asked for', async () => {
  const root = temporaryFolder();
  const document = fc.record({ fate: fc.constantFrom<Fate[]>('good', 'good', 'blank', 'blank once', 'partial', 'unknown', 'unsent once', 'changed', 'poison', 'costly'), pages: fc.option(fc.integer({ min: 1, max: 9 }), { nil: null }) });
  const options = fc.record({ retryFailedDocuments: fc.integer({ min: 0, max: 3 }), retryPartialDocuments: fc.boolean(), splitFailedJobs: fc.boolean() });
  const remote = fc.record({ pageLimit: fc.constantFrom(6, 12, 1000), outages: fc.integer({ min: 0, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(document, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 3 }), options, remote, fc.infiniteStream(fc.nat(1000)), async (jobs, how, side, order) => {
      const batch = await planned(jobs, how, side, root);
      const lines = await finish(batch, jobs.length, (waiting) => (order.next().value as number) % waiting);
      expect(lines.map(({ seq }) => seq)).toEqual(jobs.flat().map((_, at) => at + 1));
      expect(await verifyBatch(batch.store, batchId)).toMatchObject({ ok: true, problems: [] });
      for (const [seq, times] of batch.paid) {
        expect({ seq, times }).toEqual({ seq, times: how.retryPartialDocuments && batch.fate(seq) !== 'costly' ? expect.any(Number) : 1 });
        expect(times).toBeLessThanOrEqual(how.retryFailedDocuments + 1);
      }
      for (const { seq, outcome } of lines) if (batch.fate(seq) === 'changed') expect(outcome).toBe('rejected');
    }),
    { numRuns: 25 },
  );
});

test('a job that was split is not sent again beside its parts', async () => {
  const batch = await planned([of('good', 'good', 'good')]);
  await batch.resend(1, 'halves', 2).catch((error: unknown) => expect(error).toMatchObject({ name: 'NotFoundError' }));
  await batch.store.write(jobKeys(batchId, 1).documents, '');
  expect(await batch.resend(1, 'halves', 2)).toEqual({ jobs: [2, 3], counts: {}, nextFollowUp: 4 });
});
