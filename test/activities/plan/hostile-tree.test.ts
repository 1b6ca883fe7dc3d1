import { execFileSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { closeHashing } from '../../../src/hashing';
import { documentPath, fromText, parsePath, pathBytes } from '../../../src/domain/source-path';
import { oddlyNamedDocuments } from '../../support/documents';
import { planOf, temporaryFolder, writeFiles } from './planning';

afterEach(() => jest.restoreAllMocks());
afterAll(closeHashing);

/** One character a byte, as the product has paths. */
type Name = string;
type Tree = { name: Name } & ({ kind: 'file'; content: string } | { kind: 'folder'; children: Tree[] } | { kind: 'link'; to: Name } | { kind: 'pipe' });

const nasty = [
  'two\nlines.pdf', 'tab\t.pdf', '"quoted" \'.pdf', '100% %41%2e.pdf', 'a..b', '...', 'back\\slash', '-rf', ' leading', 'trailing. ', 'trailing.', '\u001b[31mred.pdf', 'gpj\u202efdp.exe',
  'zero\u200bwidth.pdf', 'ca\u0301fe.pdf', 'cáfe.pdf', 'CASE.pdf', 'case.pdf', 'CON.pdf', 'nul', '\u{1f3d7}.pdf', '%00', '%2F', '%', '%%', '*', '[a]', '{a,b}', '!x', '~', '$HOME', 'x'.repeat(255),
  ...oddlyNamedDocuments().map(({ path }) => path.toString('latin1')),
].map((name) => (/[^\x00-\xff]/.test(name) ? fromText(name) : name));

const anyName = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1').replace(/[\0/]/g, '%').replace(/^\.{1,2}$/, '...'));
const name = fc.oneof(fc.constantFrom(...nasty), anyName, fc.constantFrom('a', 'b', 'c'));
const target = fc.oneof(fc.constantFrom('..', '.', '../..', '../../../../../../../../etc', '/etc/hostname', '/dev/zero', '/proc/self/root', 'OUTSIDE', 'OUTSIDE/secret', 'ROOT', 'ROOT/a', '../a', 'a', 'b', 'c', 'a/b', 'a/../..', 'b/a/c', '../ROOTs'), name);
const { tree } = fc.letrec<{ tree: Tree[] }>((tie) => ({
  tree: fc.uniqueArray(
    fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.record({ kind: fc.constant('file' as const), name, content: fc.constantFrom('', '1', '2', '22', '333', 'x'.repeat(50)) }),
      fc.record({ kind: fc.constant('link' as const), name, to: target }),
      fc.record({ kind: fc.constant('pipe' as const), name }),
      fc.record({ kind: fc.constant('folder' as const), name, children: tie('tree') }),
    ),
    { selector: (entry) => entry.name, maxLength: 7 },
  ),
}));

/** Bytes of a path of one-byte characters. */
const at = (folder: Name, entry: Name): Buffer => pathBytes(`${folder}/${entry}`);

function build(folder: Name, trees: Tree[], places: { root: string; outside: string; pipe: string }): void {
  for (const entry of trees) {
    const path = at(folder, entry.name);
    if (entry.kind === 'file') writeFileSync(path, entry.content);
    else if (entry.kind === 'pipe') linkSync(places.pipe, path);
    else if (entry.kind === 'link') symlinkSync(pathBytes(entry.to.replace('OUTSIDE', places.outside).replace('ROOT', places.root)), path);
    else {
      mkdirSync(path);
      build(`${folder}/${entry.name}`, entry.children, places);
    }
  }
}

/** What a simple walk finds, written without a look at the product's: by path, `ok` or why not. */
function walk(root: string, folder: Name = ''): Map<Name, string> {
  const found = new Map<Name, string>();
  for (const entry of readdirSync(pathBytes(folder === '' ? root : `${root}/${folder}`), { encoding: 'latin1' })) {
    const path = folder === '' ? entry : `${folder}/${entry}`;
    const stats = lstatSync(at(root, path));
    if (stats.isDirectory()) for (const [below, fate] of walk(root, path)) found.set(below, fate);
    else if (stats.isSymbolicLink()) {
      let real: string | null;
      try {
        real = realpathSync.native(at(root, path), { encoding: 'latin1' });
      } catch {
        real = null;
      }
      if (real === null) found.set(path, 'unreadable');
      else if (real !== root && !real.startsWith(`${root}/`)) found.set(path, 'outside_source');
    } else if (!stats.isFile()) found.set(path, 'not_a_file');
    else found.set(path, stats.size === 0 ? 'empty' : 'ok');
  }
  return found;
}

test('of any tree each real file is planned once, everything else is rejected with its reason, and nothing outside is seen', async () => {
  const pipe = join(temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const outside = temporaryFolder();
  writeFiles(outside, { secret: 'secret', 'deep/secret': 'secret too' });
  const folder = temporaryFolder();
  await fc.assert(
    fc.asyncProperty(tree, async (trees) => {
      const root = join(folder, 'root');
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      build(root, trees, { root, outside, pipe });
      const expected = walk(root);
      const { lines, plan } = await planOf({ folder: root }, { allowEmpty: true });
      const fates = new Map(lines.map(({ source, job, reason }) => [parsePath(source), job !== null || reason!.code === 'duplicate' ? 'ok' : reason!.code]));
      expect(fates).toEqual(expected);
      expect(plan.documents).toBe(expected.size);
      expect(new Set(lines.map(({ source }) => source)).size).toBe(lines.length);
      for (const { source, duplicateOf, job, sizeBytes } of lines) {
        if (job !== null) expect(statSync(documentPath(root, source)).size).toBe(sizeBytes);
        if (duplicateOf !== null) expect(readFileSync(documentPath(root, source))).toEqual(readFileSync(documentPath(root, lines[duplicateOf - 1]!.source)));
      }
      // A glob that selects everything selects the same: what links lead to is there under its own path.
      const globbed = await planOf({ folder: root, include: ['**'] }, { allowEmpty: true });
      expect(globbed.lines).toEqual(lines);
      // And a list of the same paths comes to the same.
      writeFileSync(join(folder, 'root/list.jsonl'), lines.map(({ source }) => `${JSON.stringify({ path: source })}\n`).join(''));
      if (lines.length > 0 && !expected.has('list.jsonl')) {
        const listed = await planOf({ list: join(root, 'list.jsonl') });
        expect(listed.lines.map(({ source, reason }) => [source, reason?.code])).toEqual(lines.map(({ source, reason }) => [source, reason?.code]));
      }
    }),
    { numRuns: Number(process.env['HOSTILE_TREES'] ?? 60) },
  );
});

test('a folder of 100,000 files costs one look at each, and no file is opened', async () => {
  const root = temporaryFolder();
  for (let file = 0; file < 100_000; file += 1) symlinkSync('nowhere', join(root, `${file}.pdf`));
  const lstat = jest.spyOn(fs, 'lstat');
  const open = jest.spyOn(fs, 'open');
  const { plan } = await planOf({ folder: root });
  expect(plan).toMatchObject({ documents: 100_000, rejected: 100_000 });
  expect(lstat).toHaveBeenCalledTimes(100_000);
  // The root, for its place and for its names.
  expect(open).toHaveBeenCalledTimes(2);
});

test('a thousand folders within one another are gone through', async () => {
  const root = temporaryFolder();
  mkdirSync(join(root, ...Array.from({ length: 1_000 }, () => 'd')), { recursive: true });
  writeFileSync(join(root, ...Array.from({ length: 1_000 }, () => 'd'), 'deep.pdf'), '1');
  symlinkSync('..', join(root, 'd/d/d/up'));
  const { lines } = await planOf({ folder: root });
  expect(lines.map(({ source, job }) => [source.length, job])).toEqual([[2_008, 1]]);
});

test('links between folders in all directions come to an end, also where globs make them count', async () => {
  const root = temporaryFolder();
  for (let one = 0; one < 12; one += 1) {
    writeFiles(root, { [`real/${one}/${one}.pdf`]: `${one}` });
    for (let other = 0; other < 12; other += 1) symlinkSync(`../${other}`, join(root, `real/${one}/to-${other}`));
    symlinkSync(`real/${one}`, join(root, `link-${one}`));
  }
  const { lines } = await planOf({ folder: root, include: ['link-*/**/*.pdf'] });
  expect(lines.filter(({ job }) => job !== null).map(({ sizeBytes }) => sizeBytes)).toHaveLength(12);
  expect(lines.every(({ job }) => job !== null)).toBe(true);
});
