import fc from 'fast-check';
import { jobLimits, lowerBoundJobs, packDocuments, unfitReason, unlimited } from '../../src/domain/plan';
import type { JobLimits, Packing } from '../../src/domain/plan';
import { mixes, packable, type MixDocument as Doc } from '../../scripts/bench/mixes';
import { sequence, Sizes } from '../../scripts/bench/sizes';

const pack = (docs: Doc[], limits: JobLimits = jobLimits()) => packDocuments(packable(docs), limits);

/** What each job holds, from job 1. */
function loads(docs: Doc[], { jobs, jobOf }: Packing) {
  const sums = Array.from({ length: jobs }, () => ({ files: 0, bytes: 0, pages: 0 }));
  docs.forEach(({ size, pages }, at) => {
    const sum = sums[jobOf[at]! - 1];
    if (!sum) return;
    sum.files += 1;
    sum.bytes += size;
    sum.pages += Math.max(0, pages ?? 0);
  });
  return sums;
}

/** Limits are kept, no job is empty, and each document that fits is in one job; `jobOf` cannot hold two. */
function expectSound(docs: Doc[], limits: JobLimits, packing: Packing) {
  const unsound = loads(docs, packing).filter(
    ({ files, bytes, pages }) => files < 1 || files > limits.maxFiles || bytes > limits.maxBytes || pages > limits.maxPages,
  );
  const misplaced = docs.filter(({ size, pages }, at) => (packing.jobOf[at] === 0) !== (unfitReason(size, pages ?? null, limits) !== null));
  expect({ unsound, misplaced }).toEqual({ unsound: [], misplaced: [] });
  expect(packing.jobOf.length).toBe(docs.length);
  expect(packing.jobs).toBeGreaterThanOrEqual(packing.lowerBound);
}

describe('jobLimits', () => {
  it('is what Plangrep allows unless something says less', () => {
    expect(jobLimits()).toEqual({ maxFiles: 100, maxBytes: 10_000_000_000, maxPages: unlimited });
    expect(jobLimits({ maxFiles: 10 }, { maxFiles: 20, maxBytes: 5, maxPages: 7 })).toEqual({ maxFiles: 10, maxBytes: 5, maxPages: 7 });
    expect(jobLimits({ maxFiles: 1000 })).toEqual(jobLimits());
  });
});

describe('unfitReason', () => {
  const limits = jobLimits({ maxPages: 50 });
  it.each([
    [10_000_000_000, 50, undefined],
    [10_000_000_001, 1, 'too_large'],
    [1, 51, 'too_many_pages'],
    [1, null, undefined],
  ])('of %d bytes and %p pages is %p', (size, pages, code) => expect(unfitReason(size, pages, limits)?.code).toBe(code));
});

describe('packDocuments, table', () => {
  const GB = 1_000_000_000;
  it.each<[string, Doc[], number]>([
    ['nothing', [], 0],
    ['one document', [{ size: 1, folder: 0 }], 1],
    ['exactly 100 files', Array.from({ length: 100 }, () => ({ size: 1, folder: 0 })), 1],
    ['101 files', Array.from({ length: 101 }, () => ({ size: 1, folder: 0 })), 2],
    ['exactly 10 GB', [{ size: 4 * GB, folder: 0 }, { size: 6 * GB, folder: 1 }], 1],
    ['a byte more', [{ size: 4 * GB + 1, folder: 0 }, { size: 6 * GB, folder: 1 }], 2],
    ['only documents that do not fit', [{ size: 11 * GB, folder: 0 }], 0],
    ['documents without bytes', Array.from({ length: 150 }, () => ({ size: 0, folder: 0 })), 2],
  ])('%s', (_, docs, jobs) => {
    const packing = pack(docs);
    expectSound(docs, jobLimits(), packing);
    expect(packing.jobs).toBe(jobs);
  });

  it('counts known pages only', () => {
    const limits = jobLimits({ maxPages: 100 });
    const docs = [60, 60, 40, 40, undefined, 101].map((pages) => ({ size: 1, folder: 0, pages }));
    const packing = pack(docs, limits);
    expectSound(docs, limits, packing);
    expect(packing).toMatchObject({ jobs: 2, lowerBound: 2 });
    expect(packing.jobOf[5]).toBe(0);
  });

  it('keeps the documents of a folder together where that costs no job', () => {
    const docs = [40, 40, 40, 60, 20].flatMap((files, folder) => Array.from({ length: files }, () => ({ size: 1, folder })));
    const { jobs, jobOf } = pack(docs);
    expect(jobs).toBe(2);
    const perFolder = [0, 1, 2, 3, 4].map((folder) => new Set(docs.flatMap((doc, at) => (doc.folder === folder ? [jobOf[at]] : []))).size);
    expect(perFolder).toEqual([1, 1, 1, 1, 1]);
  });

  it('cuts as few folders as it must where keeping them would cost a job', () => {
    const docs = Array.from({ length: 60 * 50 }, (_, at) => ({ size: 1, folder: Math.floor(at / 60) }));
    const { jobs, jobOf } = pack(docs);
    expect(jobs).toBe(30);
    const places = new Set(docs.map((doc, at) => `${doc.folder} ${jobOf[at]}`)).size;
    // 30 folders stay whole, 20 fill the gaps of 40 files.
    expect(places).toBeLessThanOrEqual(80);
  });

  it('numbers jobs in the order of their first documents', () => {
    const docs = Array.from({ length: 1000 }, (_, at) => ({ size: (at * 7919) % 1_000_000_007, folder: at % 13 }));
    const seen = [...new Set(pack(docs).jobOf)];
    expect(seen).toEqual(seen.map((_, at) => at + 1));
  });
});

describe('packDocuments, any documents', () => {
  const doc = fc.record({
    size: fc.oneof(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 30 }), fc.constantFrom(500, 501, 1000, 1001)),
    folder: fc.integer({ min: 0, max: 12 }),
    pages: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
  });
  const limits = fc.record({ maxFiles: fc.integer({ min: 1, max: 12 }), maxBytes: fc.constant(1000), maxPages: fc.constantFrom(50, unlimited) });
  const docs = fc.array(doc, { maxLength: 150 });

  it('keeps the limits, loses nothing and doubles nothing', () => {
    fc.assert(fc.property(docs, limits, (some, most) => expectSound(some, most, pack(some, most))), { numRuns: 300 });
  });

  it('is deterministic', () => {
    fc.assert(fc.property(docs, limits, (some, most) => expect(pack(some, most)).toEqual(pack(some, most))), { numRuns: 50 });
  });

  it('opens no job while another has room for half of it', () => {
    fc.assert(
      fc.property(docs, limits, (some, most) => {
        const packing = pack(some, most);
        // Any two jobs together pass some limit, else they would be one: so all jobs but one are, on average, half full in it.
        const fitting = some.filter(({ size, pages }) => unfitReason(size, pages ?? null, most) === null);
        const sum = (of: (each: Doc) => number) => fitting.reduce((total, each) => total + of(each), 0);
        const shares = sum(() => 1) / most.maxFiles + sum((each) => each.size) / most.maxBytes + sum((each) => each.pages ?? 0) / most.maxPages;
        expect(packing.jobs).toBeLessThanOrEqual(Math.ceil(2 * shares) + 1);
      }),
      { numRuns: 300 },
    );
  });

  it('is within 2 % and one job of the lower bound when documents are small', () => {
    const small = fc.array(fc.record({ size: fc.integer({ min: 1, max: 25 }), folder: fc.integer({ min: 0, max: 40 }) }), { minLength: 1, maxLength: 3000 });
    const most = { maxFiles: 100, maxBytes: 1000, maxPages: unlimited };
    fc.assert(
      fc.property(small, (some) => {
        const { jobs, lowerBound } = pack(some, most);
        expect(jobs).toBeLessThanOrEqual(Math.floor(lowerBound * 1.02) + 1);
      }),
      { numRuns: 60 },
    );
  });
});

describe('packDocuments, realistic mixes', () => {
  it.each(Object.values(mixes).map((mix) => [mix.title, mix] as const))('is within 2 %% and one job of the lower bound for %s', (_, { documents, maxPages }) => {
    const docs = documents();
    const limits = jobLimits(maxPages === undefined ? {} : { maxPages });
    const packing = pack(docs, limits);
    expectSound(docs, limits, packing);
    expect(packing.lowerBound).toBe(
      lowerBoundJobs(
        { files: docs.length, bytes: docs.reduce((sum, { size }) => sum + size, 0), pages: docs.reduce((sum, { pages }) => sum + (pages ?? 0), 0) },
        limits,
      ),
    );
    expect(packing.jobs).toBeLessThanOrEqual(Math.floor(packing.lowerBound * 1.02) + 1);
  });

  it('fills jobs where files and bytes are scarce at once', () => {
    const sizes = new Sizes(sequence(20240611));
    const docs = Array.from({ length: 20_000 }, (_, at) => ({ size: sizes.around(60_000_000, 1), folder: Math.floor(at / 25) }));
    const { jobs, lowerBound } = pack(docs);
    expect(jobs).toBeLessThanOrEqual(Math.floor(lowerBound * 1.02) + 1);
  });
});
