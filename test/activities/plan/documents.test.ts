import { createHash } from 'node:crypto';
import { appendFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import PDFDocument from 'pdfkit';
import { planLineSchema, planSchema } from '../../../src/contract/archive';
import { failureTypes } from '../../../src/contract/failures';
import { closePageCounter } from '../../../src/pdf/page-count';
import { fates, planOf, temporaryFolder, writeFiles } from './planning';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const writeList = (...documents: object[]) => writeFileSync(join(root, 'list.jsonl'), documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
const planList = (rest = {}, options = {}) => planOf({ list: join(root, 'list.jsonl') }, rest, options);

describe('equal content', () => {
  it('is found among files that share their size, and only those are read', async () => {
    writeFiles(root, { 'a.pdf': 'same', 'b.pdf': 'diff', 'c.pdf': 'unique size', 'x/d.pdf': 'same', 'x/e.pdf': 'same' });
    const { lines, plan } = await planOf({ folder: root });
    expect(fates(lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 1, 'c.pdf': 1, 'x/d.pdf': 'duplicate of a.pdf', 'x/e.pdf': 'duplicate of a.pdf' });
    expect(plan).toMatchObject({ documents: 5, duplicates: 2, rejected: 0, bytes: 4 + 4 + 11 });
    expect(Object.fromEntries(lines.map((line) => [line.source, line.sha256]))).toEqual({
      'a.pdf': sha256('same'),
      'b.pdf': sha256('diff'),
      'c.pdf': null,
      'x/d.pdf': sha256('same'),
      'x/e.pdf': sha256('same'),
    });
    expect(lines.slice(3).every(({ job, reason }) => job === null && reason!.code === 'duplicate')).toBe(true);
  });

  it('is known from the digests of a list, without a look at the files', async () => {
    writeList(
      { path: 'a', sizeBytes: 5, sha256: sha256('a') },
      { path: 'b', sizeBytes: 5, sha256: sha256('b') },
      { path: 'c', sizeBytes: 5, sha256: sha256('a') },
      { path: 'd', sizeBytes: 6, sha256: sha256('a') },
    );
    expect(fates((await planList()).lines)).toEqual({ a: 1, b: 1, c: 'duplicate of a', d: 1 });
  });

  it('shows when a listed file is not what the list says, or is not there', async () => {
    writeFiles(root, { 'a.pdf': '12345', 'b.pdf': '123' });
    writeList({ path: 'a.pdf', sizeBytes: 5 }, { path: 'b.pdf', sizeBytes: 5 }, { path: 'gone.pdf', sizeBytes: 5 });
    const { lines } = await planList();
    expect(fates(lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 'changed', 'gone.pdf': 'unreadable' });
    expect(lines[1]!.reason!.message).toBe('has 3 bytes, and 5 were expected');
  });

  it('shows when a listed file leads out of the source', async () => {
    const outside = temporaryFolder();
    writeFiles(outside, { 's.pdf': '12345' });
    writeFiles(root, { 'a.pdf': '54321' });
    symlinkSync(join(outside, 's.pdf'), join(root, 's.pdf'));
    writeList({ path: 's.pdf', sizeBytes: 5 }, { path: 'a.pdf', sizeBytes: 5 });
    expect(fates((await planList()).lines)).toEqual({ 'a.pdf': 1, 's.pdf': 'outside_source' });
  });

  it('follows a path that is listed twice to the first of its kind', async () => {
    writeFiles(root, { 'a.pdf': 'same', 'b.pdf': 'same' });
    writeList({ path: 'a.pdf' }, { path: 'b.pdf' }, { path: 'b.pdf' });
    expect((await planList()).lines.map(({ duplicateOf }) => duplicateOf)).toEqual([null, 1, 1]);
  });

  it('of what is rejected is rejected for the same reason', async () => {
    writeFiles(root, { 'a.pdf': 'many pages', 'b.pdf': 'many pages', 'c.pdf': '1' });
    const countPages = (path: Buffer) => Promise.resolve({ pages: path.includes('c.pdf') ? 1 : 99 });
    const { lines, plan } = await planOf({ folder: root }, { limits: { maxPages: 50 } }, { countPages });
    expect(fates(lines)).toEqual({ 'c.pdf': 1, 'a.pdf': 'too_many_pages', 'b.pdf': 'too_many_pages' });
    expect(plan).toMatchObject({ rejected: 2, duplicates: 0 });
  });

  it('shows when a file changes between the look and the reading', async () => {
    writeFiles(root, { 'a.pdf': '12345', 'b.pdf': '54321' });
    const onProgress = ({ phase }: { phase: string }) => phase === 'reading' && appendFileSync(join(root, 'b.pdf'), '!');
    expect(fates((await planOf({ folder: root }, {}, { onProgress })).lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 'changed' });
  });
});

describe('limits', () => {
  it('make jobs, and reject what fits in none', async () => {
    writeFiles(root, { 'a/1': '1', 'a/2': '22', 'a/3': '333', 'b/4': '4444', 'b/5': '55555', 'c/6': '666666' });
    const { lines, plan } = await planOf({ folder: root }, { limits: { maxFiles: 3, maxBytes: 5 } });
    expect(plan).toMatchObject({ limits: { maxFiles: 3, maxBytes: 5 }, rejected: 1, bytes: 15, lowerBoundJobs: 3 });
    expect(plan.jobs).toHaveLength(3);
    expect(lines.at(-1)).toMatchObject({ source: 'c/6', job: null, reason: { code: 'too_large', message: 'has 6 bytes, and a job takes 5' } });
    expect(plan.jobs.map((job) => job.sizeBytes)).toEqual([5, 5, 5].map(() => expect.any(Number) as number));
  });

  it('take sparse files for what they declare', async () => {
    writeList({ path: 'max', sizeBytes: 10_000_000_000 }, { path: 'more', sizeBytes: 10_000_000_001 }, { path: 'little', sizeBytes: 1 });
    const { lines, plan } = await planList();
    expect(fates(lines)).toEqual({ max: 1, little: 2, more: 'too_large' });
    expect(plan.limits).toEqual({ maxFiles: 100, maxBytes: 10_000_000_000 });
  });
});

describe('pages', () => {
  const pagesByName: Record<string, number> = { 'a.pdf': 30, 'b.pdf': 25, 'c.pdf': 20, 'd.pdf': 60 };
  const countPages = (path: Buffer) => {
    const pages = pagesByName[path.toString().split('/').at(-1)!];
    return Promise.resolve(pages === undefined ? { problem: 'not_pdf', message: 'no' } : { pages });
  };
  const credits = { drawingPage: 10, documentPage: 1 };
  beforeEach(() => writeFiles(root, { 'a.pdf': '1', 'b.pdf': '22', 'c.pdf': '333', 'd.pdf': '4444', 'e.txt': '55555' }));

  it('are not counted when nothing asks for them', async () => {
    const never = () => Promise.reject(new Error('counted'));
    expect((await planOf({ folder: root }, {}, { countPages: never, credits })).plan).toMatchObject({ pages: null, credits: null, jobs: [{ pages: null }] });
  });

  it('limit jobs when the input says so', async () => {
    const { lines, plan } = await planOf({ folder: root }, { limits: { maxPages: 50 } }, { countPages, credits });
    expect(plan).toMatchObject({ pages: 75, limits: { maxPages: 50 }, credits: { min: 75, max: 750 }, rejected: 1, lowerBoundJobs: 2 });
    expect(plan.jobs.every(({ pages }) => pages! <= 50)).toBe(true);
    expect(Object.fromEntries(lines.map((line) => [line.source, line.pages]))).toEqual({ 'a.pdf': 30, 'b.pdf': 25, 'c.pdf': 20, 'd.pdf': 60, 'e.txt': null });
    expect(lines.at(-1)).toMatchObject({ source: 'd.pdf', reason: { code: 'too_many_pages', message: 'has 60 pages, and a job takes 50' } });
  });

  it('are counted for a plan that asks', async () => {
    expect((await planOf({ folder: root }, {}, { countPages, pages: true, credits })).plan).toMatchObject({ pages: 135, credits: { min: 135, max: 1350 } });
  });

  it('of a file that cannot be read reject it', async () => {
    const gone = (path: Buffer) => (path.includes('b.pdf') ? Promise.reject(Object.assign(new Error('gone'), { code: 'ENOENT' })) : countPages(path));
    const { lines } = await planOf({ folder: root }, {}, { countPages: gone, pages: true });
    expect(fates(lines)['b.pdf']).toBe('unreadable');
  });

  it('are those of real PDFs by default, whatever their names', async () => {
    const pdf = new PDFDocument({ autoFirstPage: false });
    for (let page = 0; page < 3; page += 1) pdf.addPage();
    const bytes = buffer(pdf);
    pdf.end();
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), await bytes);
    try {
      const { lines, plan } = await planOf({ folder: root }, {}, { pages: true });
      expect(plan.pages).toBe(3);
      expect(lines.find(({ source }) => source === '%FF')!.pages).toBe(3);
    } finally {
      await closePageCounter();
    }
  });

  it('that cannot be counted for another cause stop planning', async () => {
    const full = () => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    await expect(planOf({ folder: root }, {}, { countPages: full, pages: true })).rejects.toMatchObject({ code: 'EMFILE' });
    const stale = () => Promise.reject(Object.assign(new Error('stale'), { code: 'ESTALE' }));
    await expect(planOf({ folder: root }, {}, { countPages: stale, pages: true })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });
});

describe('any list', () => {
  const document = fc.record({
    path: fc.string({ unit: fc.constantFrom('a', 'B', 'ä', '/', '.', '%', '"', '\n', ' '), minLength: 1, maxLength: 6 }),
    sizeBytes: fc.integer({ min: 0, max: 12 }),
    sha256: fc.constantFrom('a', 'b', 'c', 'd').map((letter) => letter.repeat(64)),
  });

  it('has each document on one line, jobs in one piece, and names apart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 60 }), fc.subarray(['a', 'b', 'c', 'd']), async (documents, elsewhere) => {
        writeList(...documents);
        const findElsewhere = (sha256: string) => Promise.resolve(elsewhere.includes(sha256[0]!) ? { state: 'processed' as const, batchId: 'old', job: 1, seq: 1 } : null);
        const { lines, plan } = await planList({ limits: { maxFiles: 5, maxBytes: 10 } }, { findElsewhere });
        expect(() => planSchema.parse(plan)).not.toThrow();
        expect(lines.map(({ seq }) => seq)).toEqual(documents.map((_, at) => at + 1));
        expect(lines.map(({ sizeBytes }) => sizeBytes).sort()).toEqual(documents.map(({ sizeBytes }) => sizeBytes).sort());
        const jobs = lines.map(({ job }) => job ?? Infinity);
        expect(jobs).toEqual([...jobs].sort((a, b) => a - b));
        for (const line of lines) {
          planLineSchema.parse(line);
          expect((line.job === null) === (line.reason !== null)).toBe(true);
          if (line.duplicateOf !== null) expect(lines[line.duplicateOf - 1]!.job).not.toBeNull();
          if (line.job !== null) expect(elsewhere).not.toContain(line.sha256![0]);
        }
        const names = lines.filter(({ job }) => job !== null).map(({ job, fileName }) => `${job} ${fileName.toLowerCase()}`);
        expect(new Set(names).size).toBe(names.length);
        const left = (code: boolean) => lines.filter(({ job, duplicateOf, reason }) => job === null && duplicateOf === null && (reason!.code === 'skipped') === code).length;
        const duplicates = lines.filter(({ duplicateOf }) => duplicateOf !== null).length;
        expect(plan).toMatchObject({ documents: documents.length, rejected: left(false), skipped: left(true), duplicates });
      }),
      { numRuns: 60 },
    );
  });

  it('is planned the same each time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 60 }), async (documents) => {
        writeList(...documents);
        const [one, other] = [await planList(), await planList()];
        expect(one.lines).toEqual(other.lines);
        expect(one.plan.sha256).toBe(other.plan.sha256);
      }),
      { numRuns: 10 },
    );
  });
});
