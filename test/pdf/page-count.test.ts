import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { closePageCounter, countPages, countPagesOf } from '../../src/pdf/page-count';
import { makePdf, oddlyNamedDocuments, writeDocuments } from '../support/documents';

const run = promisify(execFile);
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'page-count-'));
});

afterAll(async () => {
  await closePageCounter();
  await rm(folder, { recursive: true, force: true });
});

test('counts a file and bytes alike, whatever was asked at the same time', async () => {
  const path = join(folder, 'seven.pdf');
  await writeFile(path, makePdf({ pages: 7 }));
  const asked = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? countPages(path) : countPagesOf(makePdf({ pages: index }))));
  expect(await Promise.all(asked)).toEqual(asked.map((_, index) => ({ pages: index % 2 === 0 ? 7 : index })));
});

test('takes names as bytes', async () => {
  const files = oddlyNamedDocuments();
  await writeDocuments(join(folder, 'odd'), files);
  for (const { path } of files) {
    expect(await countPages(Buffer.concat([Buffer.from(join(folder, 'odd/')), path]))).toEqual({ pages: 1 });
  }
});

test('copies bytes before it returns, and only the part it was given', async () => {
  const whole = Buffer.concat([Buffer.from('not a pdf'), makePdf({ pages: 3 }), Buffer.from('more')]);
  const count = countPagesOf(whole.subarray(9, -4));
  whole.fill(0);
  expect(await count).toEqual({ pages: 3 });
});

test.each([
  ['nothing', Buffer.alloc(0), 'not_pdf'],
  ['text', Buffer.from('A-101'), 'not_pdf'],
  ['a header alone', Buffer.from('%PDF-1.7\n'), 'damaged'],
  ['half a document', makePdf({ pages: 9 }).subarray(0, 600), 'damaged'],
])('%s has no pages', async (_, bytes, problem) => {
  expect(await countPagesOf(bytes)).toEqual({ problem, message: expect.stringMatching(/^the (file|document) /) as string });
});

test('any damage gives an answer, and the next document is counted', async () => {
  const good = makePdf({ pages: 4, marker: 'damage' });
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const bad = Buffer.from(good);
      for (const [at, byte] of changes) bad[at] = byte;
      const answer = await countPagesOf(bad);
      expect('pages' in answer ? answer.pages : answer.problem).toBeDefined();
      expect(await countPagesOf(good)).toEqual({ pages: 4 });
    }),
    { numRuns: 200, seed: 20261124 },
  );
});

test.each([
  ['a missing file', 'missing.pdf', 'ENOENT'],
  ['a folder', '.', 'EINVAL'],
  ['a pipe, without waiting for a writer', 'pipe.pdf', 'EINVAL'],
])('%s is an error of the file system', async (_, name, code) => {
  if (name === 'pipe.pdf') await run('mkfifo', [join(folder, name)]);
  await expect(countPages(join(folder, name))).rejects.toMatchObject({ code });
});

test('can be used after it was closed, and closed twice', async () => {
  await closePageCounter();
  await closePageCounter();
  expect(await countPagesOf(makePdf())).toEqual({ pages: 1 });
});

test('a process that counted, from TypeScript as it is, ends by itself and prints nothing else', async () => {
  const path = join(folder, 'own-process.pdf');
  await writeFile(path, makePdf({ pages: 2 }));
  const program = `require('./src/pdf/page-count').countPages(process.argv[1]).then((count) => console.log(JSON.stringify(count)))`;
  const ended = await run(process.execPath, ['--import', 'tsx', '--eval', program, path], { cwd: join(__dirname, '../..') });
  expect(ended).toEqual({ stdout: '{"pages":2}\n', stderr: '' });
});
