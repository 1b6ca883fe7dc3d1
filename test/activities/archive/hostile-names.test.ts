import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import fc from 'fast-check';
import { createArchiveActivities } from '../../../src/activities/archive';
import { artifactFile } from '../../../src/activities/archive/artifacts';
import type { UploadRecord } from '../../../src/contract/archive';
import { batchKeys, jobKeys, ledgerKey } from '../../../src/contract/keys';
import { FolderStore } from '../../../src/store/folder';
import { jsonLines } from '../../../src/store/jsonl';
import { verifyBatch } from '../../../src/verify';
import { buildBatch, writeManifest } from '../../../scripts/bench/batch-builder';
import { Bench, body, json, link, quietly, remote, resultOf } from './fake-api';

const keys = jobKeys('b', 1);
/** Names that some system, shell or file of ours takes for something else. */
const nasty = [
  ...['../x.png', '../../../../etc/passwd', '..\\..\\x.png', '%2e%2e/x.png', '%2e%2e%2fx.png', '/etc/passwd', '//host/share/x.png', 'C:\\x.png', 'c:x.png', '\\\\host\\share\\x.png', '~/x.png', '~root/x.png'],
  ...['a\0b.png', 'a\nb.png', 'a\r\nb.png', 'a\tb.png', '\u001b[31mred.png', '\u007f.png', '\u0085.png', '\u2028.png', '\u202egnp.exe', '\ufeffx.png', '\ud800x.png', 'x\udc00.png'],
  ...['CON', 'con.png', 'NUL', 'nul.txt', 'aux.pdf', 'AUX.pdf', 'com1.png', 'lpt9', 'COM¹.png', 'clock$', 'CONIN$', 'prn/x.png', 'x/con/y.png'],
  ...['x.', 'x. ', ' x.png', 'x.png ', 'x..png', '.', '..', '...', './x.png', 'x/./y.png', 'x/../y.png', 'x//y.png', 'x/', '/', '//', ' ', '-rf.png', '--help', '$(x).png', '`x`.png', '*?.png', 'x|y>z.png', 'x:ads.png', 'PROGRA~1'],
  ...['files.jsonl', 'documents.jsonl', 'result.json', 'job.json', 'manifest.json', '.locks', '.locks/x', '.tmp-x', '.tmp-0123456789ab-1-1-00112233', 'artifacts', 'artifacts/x.png', '.git/config', '__proto__', 'constructor', 'toString.png'],
  ...['X.png', 'x.png', 'x.PNG', 'é.png', 'e\u0301.png', 'ﬁ.png', 'fi.png', 'ı.png', 'i.png', 'I.png', 'ß.png', 'ss.png', 'K.png', 'k.png', 'a/b.png', 'A/b.png', 'a', 'a/b', 'a.png/b.png', 'a.png', 'a~b.png', 'a_b.png', 'a b.png'],
  ...['x'.repeat(255), `${'x'.repeat(300)}.png`, '€'.repeat(200), 'a/'.repeat(1_000) + 'x.png', `${'y'.repeat(4_096)}.png`, `x.${'e'.repeat(300)}`, '\u{1F4C4}'.repeat(100)],
];
const path = fc.oneof(
  fc.constantFrom(...nasty),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.oneof(fc.constantFrom('..', '.', '', 'CON', 'a', 'A', 'x.png', '.tmp-x', '~'), fc.string({ unit: 'grapheme', maxLength: 8 })), { maxLength: 8 }).map((parts) => parts.join('/')),
  fc.tuple(fc.constantFrom(...nasty), fc.constantFrom('/', '', ' ', '.', '\\', '\0'), fc.constantFrom(...nasty)).map((parts) => parts.join('')),
);
/** What a file system that knows neither case nor Unicode forms takes names for. */
const folded = (name: string): string => name.normalize('NFKC').toLowerCase().toUpperCase().normalize('NFKC');
/** As it comes out of the result: a lone surrogate cannot be sent, and is one text for all. */
const sendable = (text: string): string => Buffer.from(text).toString();

describe('an artifact’s name', () => {
  test('whatever the API calls it: below the job’s artifacts, portable, the same each time, and no two are one', () => {
    fc.assert(
      fc.property(fc.uniqueArray(path.map(sendable), { maxLength: 30 }), (paths) => {
        const names = paths.map(artifactFile);
        expect(new Set(names.map(folded)).size).toBe(paths.length);
        expect(paths.map(artifactFile)).toEqual(names);
        const folders = new Set(names.flatMap((name) => name.split('/').slice(0, -1).map((_, depth, parts) => folded(parts.slice(0, depth + 1).join('/')))));
        for (const name of names) {
          // ASCII that every system takes, no device of Windows, no dot or dash of its own in front, nothing that a shell or a URL reads.
          expect(name).toMatch(/^artifacts(\/[A-Za-z0-9_-][A-Za-z0-9_~-]*(\.[A-Za-z0-9_-]+)*)+$/);
          expect(name).not.toMatch(/(^|\/)(con|prn|aux|nul|com\d|lpt\d)(\.[^/]*)?(\/|$)/i);
          expect(name.length).toBeLessThanOrEqual(210);
          expect(folders.has(folded(name))).toBe(false);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('in a real folder: each is written, stays inside, and is read back', async () => {
    const root = await mkdtemp(join(tmpdir(), 'names-'));
    try {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(path.map(sendable), { minLength: 1, maxLength: 12 }), async (paths) => {
          const folder = `batches/b/jobs/${String((run += 1)).padStart(5, '0')}`;
          const store = new FolderStore(join(root, 'archive'));
          await Promise.all(paths.map((one) => store.write(`${folder}/${artifactFile(one)}`, one)));
          for (const one of paths) expect(await readFile(join(root, 'archive', folder, artifactFile(one)), 'utf8')).toBe(one);
          const found = (await readdir(join(root, 'archive', folder), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
          expect(found).toHaveLength(paths.length);
          expect(found.every(({ parentPath }) => `${parentPath}${sep}`.startsWith(join(root, 'archive', folder, 'artifacts') + sep))).toBe(true);
        }),
        { numRuns: 25 },
      );
      expect(await readdir(root)).toEqual(['archive']);
      expect((await readdir(join(root, 'archive'))).filter((name) => name !== '.locks')).toEqual(['batches']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

test('a project’s id, whatever it is, stays in the ledger and apart from every other', () => {
  const digest = 'ab'.repeat(32);
  expect(ledgerKey('proj_1', digest)).toBe(`ledger/proj_1/ab/${digest}.json`);
  fc.assert(
    fc.property(fc.uniqueArray(fc.oneof(path, fc.constantFrom('proj_1', 'proj_1/ab', '~000041', 'A')), { maxLength: 20 }), (ids) => {
      const found = ids.map((id) => ledgerKey(id, digest));
      expect(new Set(found).size).toBe(ids.length);
      for (const key of found) expect(key).toMatch(/^ledger\/([A-Za-z0-9_-]+|~[0-9a-f]*(\/~[0-9a-f]+)*)\/ab\/(ab){32}\.json$/);
    }),
  );
});

test('a result full of such names: all is archived and accounted for in one line a document, and found whole', async () => {
  const bench = new Bench();
  await bench.start();
  try {
    await buildBatch(bench.store, 'b', { documents: [{ job: 1 }, { job: 1 }], jobs: [] });
    await bench.store.write(keys.uploads, jsonLines([1, 2].map((seq): UploadRecord => ({ seq, documentId: `../doc\n${seq}/\u001b[2J`, sha256: String(seq).repeat(64), sizeBytes: 1, sent: true, reason: null }))));
    // An empty path names nothing.
    const paths = [...new Set(nasty.map(sendable))];
    const pages = { pageCount: 1, successfulPageCount: 1, failedPageCount: 0 };
    const documents = [1, 2, 3].map((seq) => ({
      ...pages,
      documentId: `../doc\n${seq}/\u001b[2J`,
      fileName: '../../\n"},{"seq":9',
      classification: '\0',
      status: 'completed',
      artifacts: paths.filter((_, index) => index % 2 === seq % 2).flatMap((one) => [{ type: '../\n', path: one }, link(one), { type: '../\n', path: one }]),
    }));
    bench.api.results = [json(resultOf(documents))];
    for (const one of paths) bench.api.artifacts.set(one, body(`content of ${one}`));
    const { archiveJob } = createArchiveActivities({ store: bench.store, plangrep: bench.client, pace: { wait: () => Promise.resolve(), slowDown: () => undefined } });
    await quietly().run(archiveJob, { batchId: 'b', job: 1, projectId: '../../p', remote, warnAt: null });
    // Each once, though three documents name each several times.
    expect(bench.api.askedArtifacts).toEqual([...paths].sort());
    expect(await writeManifest(bench.store, 'b')).toMatchObject({ status: 'completed', documents: 2 });
    const lines = await bench.lines(batchKeys('b').manifestLines);
    expect(lines.map(({ seq, outcome }) => [seq, outcome])).toEqual([[1, 'processed'], [2, 'processed']]);
    const files = new Map((await bench.lines(keys.files)).map(({ path: name, sizeBytes }) => [name as string, sizeBytes as number]));
    for (const one of paths) expect(files.get(artifactFile(one))).toBe(Buffer.byteLength(`content of ${one}`));
    expect(files.size).toBe(paths.length + 1);
    expect((await verifyBatch(bench.store, 'b')).problems).toEqual([]);
    expect((await readdir(bench.folder)).sort()).toEqual(['batches', 'ledger']);
  } finally {
    await bench.stop();
  }
});
