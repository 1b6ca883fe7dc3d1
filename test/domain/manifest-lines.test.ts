import fc from 'fast-check';
import type { DocumentOutcome, ManifestLine, PlanLine } from '../../src/contract/archive';
import { lostLine, lostReason, type Settled } from '../../src/domain/manifest';
import { BrokenPlanError, JobTree, manifestLines, type PlacedLine } from '../../src/domain/manifest-lines';

const planLine = (seq: number, fields: Partial<PlanLine>): PlanLine => ({
  seq, source: `${seq}`, fileName: `${seq}`, contentType: 'application/pdf', sizeBytes: 1, sha256: null, pages: null, classification: null, mtimeMs: null, inode: null, job: null, reason: null, duplicateOf: null, ...fields,
});
const processed = (seq: number): DocumentOutcome => ({
  seq, outcome: 'processed', reason: null, jobId: 'j', documentId: `d${seq}`, sha256: null, pages: 1, pagesFailed: null, pagesPaid: 1, credits: 1, result: { path: 'r', index: 0 }, artifacts: [],
});
const duplicate = (of: number): Partial<PlanLine> => ({ duplicateOf: of, reason: { code: 'duplicate', message: `as ${of}` } });

async function* placed(lines: PlanLine[]): AsyncGenerator<PlacedLine> {
  for (const line of lines) yield await Promise.resolve({ line, offset: line.seq * 100 });
}

async function run(lines: PlanLine[], settled: Settled[]): Promise<{ lines: ManifestLine[]; asked: number[] }> {
  const asked: number[] = [];
  const made: ManifestLine[] = [];
  const source = {
    originals: new Set(lines.flatMap((line) => line.duplicateOf ?? [])),
    outcomes: (job: number) => {
      asked.push(job);
      return Promise.resolve(new Map(settled.map((one) => [one.outcome.seq, one])));
    },
    lost: ({ line }: PlacedLine, job: number) => lostLine(line, job, lostReason),
  };
  for await (const { line } of manifestLines(placed(lines), source)) made.push(line);
  return { lines: made, asked };
}

test('each document of the plan gets one line, in order, and each job is asked once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ documents: fc.integer({ min: 1, max: 4 }), lost: fc.boolean() }), { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 5 }), async (jobs, duplicates) => {
      const inJobs = jobs.flatMap(({ documents }, i) => Array.from({ length: documents }, () => i + 1));
      const plan = [
        ...inJobs.map((job, i) => planLine(i + 1, { job })),
        ...(inJobs.length > 0 ? duplicates : []).map((of, i) => planLine(inJobs.length + i + 1, duplicate((of % inJobs.length) + 1))),
      ];
      const settled = inJobs.flatMap((job, i) => (jobs[job - 1]!.lost ? [] : [{ job, outcome: processed(i + 1) }]));
      const { lines, asked } = await run(plan, settled);
      expect(lines.map(({ seq }) => seq)).toEqual(plan.map(({ seq }) => seq));
      expect(asked).toEqual(jobs.map((_, i) => i + 1));
      for (const line of lines) {
        const original = line.duplicateOf === null ? line : lines[line.duplicateOf - 1]!;
        expect([line.job, line.documentId, line.result]).toEqual([original.job, original.documentId, original.result]);
        expect(line.outcome).toBe(line.duplicateOf !== null ? 'duplicate' : jobs[line.job! - 1]!.lost ? 'failed' : 'processed');
      }
    }),
  );
});

test('a copy of a document that was passed over is a duplicate of it', async () => {
  const skipped = planLine(2, { reason: { code: 'skipped', message: 'processed in another batch' } });
  const { lines } = await run([planLine(1, { job: 1 }), skipped, planLine(3, duplicate(2))], [{ job: 1, outcome: processed(1) }]);
  expect(lines.map(({ outcome, job, duplicateOf }) => [outcome, job, duplicateOf])).toEqual([['processed', 1, null], ['skipped', null, null], ['duplicate', null, 2]]);
});

test('a duplicate of a later, rejected or absent document is a broken plan', async () => {
  await expect(run([planLine(1, duplicate(2)), planLine(2, { job: 1 })], [])).rejects.toThrow(BrokenPlanError);
  await expect(run([planLine(1, { reason: { code: 'empty', message: '' } }), planLine(2, duplicate(1))], [])).rejects.toThrow('line 2 equals document 1');
});

describe('JobTree', () => {
  const range = (offset: number, length: number) => ({ offset, length, documents: 1, sizeBytes: 1, pages: null });
  const tree = new JobTree(3, [
    { job: 6, parent: 4, ranges: [range(50, 50)] },
    { job: 4, parent: 2, ranges: [range(0, 100)] },
    { job: 5, parent: 2, ranges: [range(100, 10), range(130, 10)] },
  ]);

  test('knows all jobs, families and roots', () => {
    expect(tree.jobs()).toEqual([1, 2, 3, 4, 5, 6]);
    expect([1, 2, 3].map((job) => tree.family(job))).toEqual([[1], [2, 4, 5, 6], [3]]);
    expect([1, 2, 4, 5, 6].map((job) => tree.root(job))).toEqual([1, 2, 2, 2, 2]);
    expect([...tree.parents]).toEqual([[4, 2], [5, 2], [6, 4]]);
  });

  test('knows what a job was made of, and is not led in circles', () => {
    const pairs = [[6, 4], [6, 2], [5, 2], [6, 5], [4, 6], [2, 4], [1, 1]] as const;
    expect(pairs.map(([job, other]) => tree.isMadeOf(job, other))).toEqual([true, true, true, false, false, false, false]);
    const circle = new JobTree(0, [{ job: 1, parent: 2 }, { job: 2, parent: 1 }]);
    expect([circle.isMadeOf(2, 1), circle.isMadeOf(1, 2), circle.isMadeOf(2, 3)]).toEqual([true, false, false]);
  });

  test('knows who was handed a line last', () => {
    expect([0, 49, 50, 99, 100, 109, 110, 130, 140].map((offset) => tree.holder(2, offset))).toEqual([4, 4, 6, 6, 5, 5, 2, 5, 2]);
    expect(tree.holder(1, 0)).toBe(1);
  });
});
