import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { FolderStore } from '../../src/store/folder';
import { maxJsonBytes } from '../../src/store/jsonl';
import { verifyBatch } from '../../src/verify';
import { buildBatch, mixedBatch, writeManifest } from '../../scripts/bench/batch-builder';
import { coverUp, readFiles, storeOf } from './mutations';

const batchId = 'tower-1';
const prefix = `batches/${batchId}`;
let root: string;
let contents: Map<string, Buffer>;
let paths: string[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'hostile-'));
  const store = new FolderStore(root);
  await buildBatch(store, batchId, mixedBatch);
  await writeManifest(store, batchId);
  contents = await readFiles(join(root, prefix));
  paths = [...contents.keys()];
});
afterAll(() => rm(root, { recursive: true, force: true }));

const verify = (files: Map<string, Buffer>) => verifyBatch(storeOf(files, prefix), batchId);

/** One way to damage a file; `a`, `b` are places in it as parts of its length, `other` is another file's content. */
type Damage = (bytes: Buffer, place: { a: number; b: number; byte: number; other: Buffer }) => Buffer;
const lines = (bytes: Buffer): Buffer[] => bytes.toString('latin1').match(/[^\n]*\n|[^\n]+$/g)?.map((line) => Buffer.from(line, 'latin1')) ?? [];
const damages: Record<string, Damage> = {
  'a byte changed': (bytes, { a, byte }) => Buffer.from(bytes.map((old, at) => (at === Math.floor(a * bytes.length) ? old ^ byte : old))),
  'a byte left out': (bytes, { a }) => Buffer.from(bytes.filter((_, at) => at !== Math.floor(a * bytes.length))),
  'a byte more': (bytes, { a, byte }) => Buffer.concat([bytes.subarray(0, a * bytes.length), Buffer.from([byte]), bytes.subarray(a * bytes.length)]),
  'cut off': (bytes, { a }) => bytes.subarray(0, a * bytes.length),
  'a hole of zeros': (bytes, { a, b }) => Buffer.from(bytes).fill(0, Math.floor(Math.min(a, b) * bytes.length), Math.max(1, Math.ceil(Math.max(a, b) * bytes.length))),
  'a piece twice': (bytes, { a, b }) => Buffer.concat([bytes.subarray(0, Math.max(a, b) * bytes.length), bytes.subarray(Math.min(a, b) * bytes.length)]),
  'a line twice': (bytes, { a }) => Buffer.concat(lines(bytes).flatMap((line, at, all) => (at === Math.floor(a * all.length) ? [line, line] : [line]))),
  'a line left out': (bytes, { a }) => Buffer.concat(lines(bytes).filter((_, at, all) => at !== Math.floor(a * all.length))),
  'lines in another order': (bytes) => Buffer.concat(lines(bytes).reverse()),
  'lines appended': (bytes, { other }) => Buffer.concat([bytes, other]),
  'another file’s content': (_, { other }) => other,
  'ends of lines as Windows has them': (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1'),
  'a mark of its encoding in front': (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes]),
  'spaces at the end': (bytes) => Buffer.concat([bytes, Buffer.from(' \n')]),
  emptied: () => Buffer.alloc(0),
};

const damage = fc.record({
  path: fc.nat().map((index) => index),
  kind: fc.constantFrom(...Object.keys(damages)),
  place: fc.record({ a: fc.double({ min: 0, max: 0.999999, noNaN: true }), b: fc.double({ min: 0, max: 0.999999, noNaN: true }), byte: fc.integer({ min: 1, max: 255 }), other: fc.nat() }),
});

function damaged({ path, kind, place }: { path: number; kind: string; place: { a: number; b: number; byte: number; other: number } }): { name: string; files: Map<string, Buffer> } {
  const name = paths[path % paths.length]!;
  const bytes = contents.get(name)!;
  return { name, files: new Map(contents).set(name, damages[kind]!(bytes, { ...place, other: contents.get(paths[place.other % paths.length]!)! })) };
}

test('any damage of any file is found and the file is named, never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(damage, async (how) => {
      const { name, files } = damaged(how);
      fc.pre(!files.get(name)!.equals(contents.get(name)!));
      const { ok, problems } = await verify(files);
      expect(ok).toBe(false);
      expect(problems.map(({ path }) => path)).toContain(name);
      expect(problems.every(({ message }) => message.length > 5 && !message.includes('\n    at '))).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('damage whose hashes were all made to fit never makes it crash; what cannot be understood is named', async () => {
  await fc.assert(
    fc.asyncProperty(damage, async (how) => {
      const { name, files } = damaged(how);
      fc.pre(!/^(manifest|plan)\.json$/.test(name) && !files.get(name)!.equals(contents.get(name)!));
      const { problems } = await verify(coverUp(files));
      for (const { path, message } of problems) expect([path.length > 0, message.length > 5]).toEqual([true, true]);
    }),
    { numRuns: 200 },
  );
});

test('two files that changed places are named', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (one, other) => {
      const [a, b] = [paths[one % paths.length]!, paths[other % paths.length]!];
      fc.pre(!contents.get(a)!.equals(contents.get(b)!));
      const { problems } = await verify(new Map(contents).set(a, contents.get(b)!).set(b, contents.get(a)!));
      // Without the list of a job nobody can say what belongs to it, and without the manifest of nothing.
      const list = [a, b].find((name) => name === 'manifest.json') ?? [a, b].find((name) => name.endsWith('files.jsonl'));
      expect(problems.map(({ path }) => path)).toEqual(expect.arrayContaining(list ? [list] : [a, b]));
    }),
    { numRuns: 100 },
  );
});

test.each<[string, string]>([
  ['nested without end', `{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
  ['nested and never closed', '['.repeat(500_000)],
  ['a number', '1'],
  ['nothing', 'null'],
  ['a text', '"x"'],
  ['a prototype', '{"__proto__":{"batchId":"tower-1"},"constructor":1}'],
])('manifest.json, plan.json and the lists of jobs as JSON that is %s', async (_, text) => {
  for (const name of ['manifest.json', 'plan.json', 'plan.jsonl', 'manifest.jsonl', 'jobs/00001/job.json', 'jobs/00001/files.jsonl', 'jobs/00001/documents.jsonl', 'input.json']) {
    const { problems } = await verify(new Map(contents).set(name, Buffer.from(text)));
    expect([name, problems.map(({ path }) => path)]).toEqual([name, expect.arrayContaining([name]) as string[]]);
  }
});

test('a manifest that is larger than any', async () => {
  const huge = Buffer.alloc(maxJsonBytes + 1, ' ');
  expect((await verify(new Map(contents).set('manifest.json', huge))).problems).toMatchObject([{ code: 'hash', path: 'manifest.json', message: expect.stringContaining('is larger than') as string }]);
});

test('a manifest with something nested without end beside what it should have', async () => {
  const manifest = contents.get('manifest.json')!.toString();
  const text = manifest.replace('{', `{"more":${'['.repeat(100_000)}${']'.repeat(100_000)},`);
  expect((await verify(new Map(contents).set('manifest.json', Buffer.from(text)))).problems).toMatchObject([{ code: 'hash', path: 'manifest.json' }]);
});
