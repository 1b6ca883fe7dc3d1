import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FolderStore } from '../../src/store/folder';
import { verifyBatch, type VerifyReport } from '../../src/verify';
import { maxProblems } from '../../src/verify/findings';
import { buildBatch, mixedBatch, writeManifest } from '../../scripts/bench/batch-builder';
import { coverUp, foldersBelow, numbersIn, parseFile, raised, readFiles, storeOf } from './mutations';

const batchId = 'tower-1';
let root: string;
let whole: string;
let files: string[];
let contents: Map<string, Buffer>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'verify-'));
  whole = join(root, 'whole');
  const store = new FolderStore(whole);
  await buildBatch(store, batchId, mixedBatch);
  await writeManifest(store, batchId);
  contents = await readFiles(batchFolder(whole));
  files = [...contents.keys()];
});
afterAll(() => rm(root, { recursive: true, force: true }));

const batchFolder = (archive: string) => join(archive, 'batches', batchId);
const verify = (archive: string) => verifyBatch(new FolderStore(archive), batchId);
const verifyFiles = (changed: Map<string, Buffer>) => verifyBatch(storeOf(changed, `batches/${batchId}`), batchId);
/** The archive with one file replaced. */
const verifyWith = (path: string, bytes: Buffer) => verifyFiles(new Map(contents).set(path, bytes));

/** A copy of the archive; each change is made, looked at and undone. */
async function onCopy(name: string, body: (folder: string, check: (changed: string, change: () => Promise<unknown>) => Promise<VerifyReport>) => Promise<void>): Promise<void> {
  const archive = join(root, name);
  await cp(whole, archive, { recursive: true });
  const folder = batchFolder(archive);
  await body(folder, async (changed, change) => {
    const before = await readFile(join(folder, changed)).catch(() => null);
    await change();
    const report = await verify(archive);
    if (before) {
      await mkdir(dirname(join(folder, changed)), { recursive: true });
      await writeFile(join(folder, changed), before);
    } else {
      await rm(join(folder, changed), { recursive: true });
    }
    return report;
  });
  expect(await verify(archive)).toMatchObject({ ok: true, problems: [] });
}

const named = (report: VerifyReport, path: string) => report.problems.filter((problem) => problem.path === path).map(({ code }) => code);

test('a whole archive is found whole, and every file of it read', async () => {
  const report = await verify(whole);
  const sizes = await Promise.all(files.map(async (path) => (await readFile(join(batchFolder(whole), path))).length));
  expect(report).toEqual({ batchId, ok: true, documents: 10, files: files.length, bytes: sizes.reduce((a, b) => a + b), problems: [] });
  expect(files.length).toBeGreaterThan(20);
});

describe('every file of the archive', () => {
  test('flipped at any place', async () => {
    for (const [path, bytes] of contents) {
      const places = [0, 0.35, 0.7].map((part) => Math.floor(part * bytes.length));
      for (const place of new Set([...places, bytes.length - 1])) {
        const changed = Buffer.from(bytes);
        changed[place]! ^= 1;
        const report = await verifyWith(path, changed);
        expect({ path, place, ok: report.ok, codes: named(report, path) }).toEqual({ path, place, ok: false, codes: expect.arrayContaining(['hash']) as string[] });
      }
    }
  });

  test('flipped anywhere in manifest.json, which nothing else guards', async () => {
    const bytes = contents.get('manifest.json')!;
    for (let place = 0; place < bytes.length; place += 11) {
      const changed = Buffer.from(bytes);
      changed[place]! ^= place % 3 ? 0x20 : 0x01;
      const report = await verifyWith('manifest.json', changed);
      expect({ place, codes: named(report, 'manifest.json') }).toEqual({ place, codes: expect.arrayContaining(['hash']) as string[] });
    }
  });

  test('removed', async () => {
    await onCopy('removed', async (folder, check) => {
      for (const path of files) {
        const report = await check(path, () => unlink(join(folder, path)));
        expect([path, named(report, path)]).toEqual([path, [path === 'manifest.json' ? 'unfinished' : 'missing']]);
      }
    });
  });

  test('truncated and extended', async () => {
    for (const [path, bytes] of contents) {
      const bySize = /result\.json|artifacts/.test(path);
      for (const changed of [bytes.subarray(0, -1), bytes.subarray(1), Buffer.alloc(0), Buffer.concat([bytes, Buffer.from('\n')]), Buffer.concat([bytes, Buffer.from('x')])]) {
        const report = await verifyWith(path, changed);
        expect([path, named(report, path)[0]]).toEqual([path, bySize ? 'size' : 'hash']);
      }
    }
  });

  test('replaced by another of the same size, by a link or by a folder', async () => {
    await onCopy('replaced', async (folder, check) => {
      const sheets = ['1', '2'].map((seq) => `jobs/00001/artifacts/${seq}/sheet-1.png`) as [string, string];
      const swapped = await check(sheets[0], async () => writeFile(join(folder, sheets[0]), await readFile(join(folder, sheets[1]))));
      expect(named(swapped, sheets[0])).toEqual(['hash']);
      await unlink(join(folder, sheets[0]));
      await mkdir(join(folder, sheets[0]));
      const replaced = await verifyBatch(new FolderStore(dirname(dirname(folder))), batchId);
      expect(named(replaced, sheets[0])).toEqual(['missing']);
      await rm(join(folder, sheets[0]), { recursive: true });
      await writeFile(join(folder, sheets[0]), await readFile(join(batchFolder(whole), sheets[0])));
    });
  });
});

test('a file more in any folder is found and named', async () => {
  await onCopy('added', async (folder, check) => {
    const folders = await foldersBelow(folder);
    expect(folders.length).toBeGreaterThan(8);
    for (const parent of [...folders, 'jobs/00009', 'other', 'jobs/00001/artifacts/new']) {
      for (const name of ['job.jsom', '.hidden']) {
        const path = join(parent, name);
        const report = await check(path, async () => {
          await mkdir(join(folder, parent), { recursive: true });
          await writeFile(join(folder, path), '{}');
        });
        expect(report.problems).toEqual([{ code: 'extra', path, message: expect.stringContaining('no part of the batch') as string }]);
      }
    }
    const linked = await check('jobs/link', () => symlink(folder, join(folder, 'jobs/link')));
    expect(named(linked, 'jobs/link')).toEqual(['extra']);
  });
});

describe('counts', () => {
  const counting = () => files.filter((path) => /\.jsonl?$/.test(path) && !path.includes('artifacts'));
  /** Numbers that are in no other file; job 5 left nothing that could say whose part it was. */
  const onlyHere = /^input\.json|^plan\.json:.*lowerBoundJobs|^plan\.jsonl:.*mtimeMs|result\.json|^manifest\.json:0\.jobs\.4\.parent/;

  test('one changed in a file, spelled as before', async () => {
    for (const path of counting()) {
      const { values, spell } = parseFile(path, contents.get(path)!.toString());
      for (const place of numbersIn(values)) {
        const report = await verifyWith(path, Buffer.from(spell(raised(values, place))));
        expect([path, place, named(report, path)]).toEqual([path, place, expect.arrayContaining([expect.stringMatching(/hash|size/)]) as string[]]);
      }
    }
  });

  test('one changed and every hash made to fit: the other files contradict', async () => {
    for (const path of counting()) {
      const { values, spell } = parseFile(path, contents.get(path)!.toString());
      for (const place of numbersIn(values)) {
        if (onlyHere.test(`${path}:${place.join('.')}`)) continue;
        const report = await verifyFiles(coverUp(new Map(contents).set(path, Buffer.from(spell(raised(values, place))))));
        expect({ path, place, ok: report.ok, codes: report.problems.map(({ code }) => code) }).toEqual({ path, place, ok: false, codes: expect.not.arrayContaining(['hash']) as string[] });
      }
    }
    expect(await verifyFiles(coverUp(contents))).toMatchObject({ ok: true });
  });

  test.each([
    ['a line of the manifest left out', 'manifest.jsonl', (lines: unknown[]) => lines.slice(0, -1)],
    ['a line of the manifest doubled', 'manifest.jsonl', (lines: unknown[]) => [...lines, lines.at(-1)]],
    ['two lines of the manifest swapped', 'manifest.jsonl', ([a, b, ...lines]: unknown[]) => [b, a, ...lines]],
    ['a line of the plan left out', 'plan.jsonl', (lines: unknown[]) => lines.slice(0, -1)],
    ['an outcome left out', 'jobs/00001/documents.jsonl', (lines: unknown[]) => lines.slice(1)],
    ['an outcome doubled', 'jobs/00001/documents.jsonl', (lines: unknown[]) => [...lines, lines[0]]],
    ['an outcome bettered', 'manifest.jsonl', (lines: unknown[]) => lines.map((line) => ({ ...(line as object), outcome: 'processed', reason: null }))],
    ['a file left out', 'jobs/00001/files.jsonl', (lines: unknown[]) => lines.slice(1)],
    ['a file doubled', 'jobs/00001/files.jsonl', (lines: unknown[]) => [...lines, lines[0]]],
    ['the status bettered', 'manifest.json', ([manifest]: unknown[]) => [{ ...(manifest as object), status: 'completed' }]],
    ['another label', 'manifest.json', ([manifest]: unknown[]) => [{ ...(manifest as object), labels: {} }]],
    ['a job left out', 'manifest.json', ([manifest]: unknown[]) => [{ ...(manifest as { jobs: unknown[] }), jobs: (manifest as { jobs: unknown[] }).jobs.slice(1) }]],
    ['another batch', 'manifest.json', ([manifest]: unknown[]) => [{ ...(manifest as object), batchId: 'other' }]],
    ['another batch', 'input.json', ([input]: unknown[]) => [{ ...(input as object), batchId: 'other' }]],
    ['another batch', 'plan.json', ([plan]: unknown[]) => [{ ...(plan as object), batchId: 'other' }]],
    ['another batch', 'jobs/00001/job.json', ([job]: unknown[]) => [{ ...(job as object), batchId: 'other' }]],
    ['no plan at all', 'plan.json', () => [{}]],
    ['a broken line', 'plan.jsonl', (lines: unknown[]) => [...lines, 'x']],
    ['a broken line', 'jobs/00004/documents.jsonl', (lines: unknown[]) => [...lines, 'x']],
    ['an unknown outcome', 'manifest.jsonl', (lines: unknown[]) => lines.map((line) => ({ ...(line as object), outcome: 'lost' }))],
  ])('%s in %s, with every hash made to fit', async (_, path, change) => {
    const { values, spell } = parseFile(path, contents.get(path)!.toString());
    const report = await verifyFiles(coverUp(new Map(contents).set(path, Buffer.from(spell(change(values))))));
    expect(report.ok).toBe(false);
    expect(report.problems.map(({ code }) => code)).not.toContain('hash');
  });
});

test('damage in one job does not hide or invent trouble in another', async () => {
  await onCopy('two', async (folder, check) => {
    await unlink(join(folder, 'jobs/00004/artifacts/6/a.json'));
    const report = await check('jobs/00001/documents.jsonl', () => appendFile(join(folder, 'jobs/00001/documents.jsonl'), 'x'));
    expect(report.problems.map(({ code, path }) => [code, path])).toEqual([['hash', 'jobs/00001/documents.jsonl'], ['missing', 'jobs/00004/artifacts/6/a.json']]);
    await cp(batchFolder(whole), folder, { recursive: true });
  });
});

test('progress is told as files are read', async () => {
  const heard: number[] = [];
  await verifyBatch(new FolderStore(whole), batchId, { onProgress: ({ files: read, bytes }) => heard.push(read, bytes) });
  expect(heard.length).toBeGreaterThanOrEqual(2 * files.length);
  const { bytes, files: read } = await verify(whole);
  expect(heard.slice(-2)).toEqual([read, bytes]);
});

test('an unfinished batch is told from one that is not there', async () => {
  const store = new FolderStore(join(root, 'unfinished'));
  await buildBatch(store, batchId, mixedBatch);
  expect(await verifyBatch(store, batchId)).toMatchObject({ ok: false, documents: 0, problems: [{ code: 'unfinished', path: 'manifest.json' }] });
  for (const id of ['nothing', '../tower-1', '', 'tower-1/jobs']) {
    await expect(verifyBatch(store, id)).rejects.toMatchObject({ name: 'UnknownBatchError', batchId: id, message: expect.stringContaining(store.location) as string });
  }
  await expect(verifyBatch(new FolderStore(join(root, 'no-archive')), batchId)).rejects.toMatchObject({ name: 'UnknownBatchError' });
});

test('a batch that failed before it was planned is whole', async () => {
  const store = new FolderStore(join(root, 'unplanned'));
  await store.write(`batches/${batchId}/input.json`, await readFile(join(batchFolder(whole), 'input.json')));
  await writeManifest(store, batchId, { error: { code: 'SourceUnavailable', message: 'no mount' } });
  expect(await verifyBatch(store, batchId)).toMatchObject({ ok: true, documents: 0, files: 3 });
  await appendFile(join(root, 'unplanned/batches', batchId, 'manifest.jsonl'), 'x');
  expect((await verifyBatch(store, batchId)).problems).toMatchObject([{ code: 'hash', path: 'manifest.jsonl' }]);
});

test('a thousand problems are listed, the rest counted', async () => {
  const archive = join(root, 'many');
  await cp(whole, archive, { recursive: true });
  const folder = join(batchFolder(archive), 'more');
  await mkdir(folder);
  await Promise.all(Array.from({ length: maxProblems + 5 }, (_, i) => writeFile(join(folder, String(i)), '')));
  const { problems } = await verify(archive);
  expect(problems).toHaveLength(maxProblems + 1);
  expect(problems.at(-1)!.message).toBe('and 5 problems more, which are not listed');
});
