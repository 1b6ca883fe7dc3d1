import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';
import { projectName } from '../../scripts/documents/project';
import { type GeneratedDocument, generateDocuments } from '../../scripts/generate-documents';
import { closePageCounter, countPages } from '../../src/pdf/page-count';

const project = join(__dirname, '../..');
const examples = join(project, 'examples', 'harbour-annex');
let folder = '';
let again = '';
let made: GeneratedDocument[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'generate-'));
  again = join(folder, 'again');
  made = await generateDocuments(again);
});

afterAll(async () => {
  await closePageCounter();
  await rm(folder, { recursive: true, force: true });
});

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return files.map((file) => file.replaceAll(sep, '/')).sort();
}

/** A document's bytes with its streams inflated and without lengths and offsets: versions of zlib deflate differently. */
function contentOf(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const streams = /\/Length (\d+)\n\/Filter \/FlateDecode\n>>\nstream\n/g;
  let content = '';
  let end = 0;
  for (const found of text.matchAll(streams)) {
    const start = found.index + found[0].length;
    content += text.slice(end, found.index);
    end = start + Number(found[1]);
    content += inflateSync(bytes.subarray(start, end)).toString('latin1');
  }
  return content + text.slice(end, text.lastIndexOf('\nxref\n'));
}

test('the bundled example is what the generator makes, and small', async () => {
  const paths = made.map((document) => document.path);
  expect(await filesBelow(examples)).toEqual(paths);
  expect(paths.length).toBeGreaterThanOrEqual(12);
  expect(paths.length).toBeLessThanOrEqual(20);
  expect(made.reduce((sum, document) => sum + document.sizeBytes, 0)).toBeLessThan(1_500_000);
  for (const path of paths) {
    const [bundled, generated] = await Promise.all([readFile(join(examples, path)), readFile(join(again, path))]);
    expect({ path, content: contentOf(bundled) }).toEqual({ path, content: contentOf(generated) });
  }
});

test('every document has the pages it is said to have', async () => {
  for (const { path, pages } of made) expect({ path, count: await countPages(join(again, path)) }).toEqual({ path, count: { pages } });
});

test('the same seed gives the same bytes, another seed or project other documents', async () => {
  const several = join(folder, 'several');
  const two = await generateDocuments(several, { sets: 2 });
  expect((await readdir(several)).sort()).toEqual(['Harbour Annex', 'Mill Creek Elementary School']);
  expect((await filesBelow(several)).sort()).toEqual(two.map((document) => document.path).sort());
  for (const { path } of made) {
    const [one, same] = await Promise.all([readFile(join(again, path)), readFile(join(several, 'Harbour Annex', path))]);
    expect(one.equals(same)).toBe(true);
  }
  const other = join(folder, 'other');
  const others = await generateDocuments(other, { seed: 'other' });
  const files = [...two.map(({ path }) => join(several, path)), ...others.map(({ path }) => join(other, path))];
  const contents = await Promise.all(files.map((file) => readFile(file, 'latin1')));
  expect(new Set(contents).size).toBe(files.length);
});

test('projects never share a name', () => {
  const names = Array.from({ length: 20 }, (_, index) => projectName(index));
  expect(names[6]).toBe('Harbour Annex Phase 2');
  expect(new Set(names).size).toBe(20);
});

test('the command says what it wrote, and refuses what it does not understand', async () => {
  const generate = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/generate-documents.ts', ...args], { cwd: project });
  const [written, ...refused] = await Promise.allSettled([generate(join(folder, 'command'), '--seed', '5'), generate(), generate(folder, '--sets', 'many')]);
  expect(written).toMatchObject({ value: { stdout: expect.stringMatching(/^1[4-6] documents, \d+ pages, \d+ bytes in \//) as string } });
  const usage = { reason: { code: 1, stderr: expect.stringContaining('usage:') as string } };
  expect(refused).toMatchObject([usage, usage]);
});
