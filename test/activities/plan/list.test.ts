import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failureTypes } from '../../../src/contract/failures';
import { fates, planOf, temporaryFolder, writeFiles } from './planning';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});

/** Writes a list and plans it. */
function planList(content: string | Buffer, name = 'list.jsonl') {
  writeFileSync(join(root, name), content);
  return planOf({ list: join(root, name) });
}
const jsonl = (...documents: object[]) => documents.map((document) => `${JSON.stringify(document)}\n`).join('');

/** The message of the failure that a list ends in. */
async function messageOf(content: string | Buffer, name?: string): Promise<string> {
  const error = await planList(content, name).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ type: failureTypes.invalidInput, nonRetryable: true });
  return (error as Error).message;
}

describe('a list of JSON Lines', () => {
  it('gives its documents with its own values', async () => {
    writeFiles(root, { 'a.pdf': '1', 'x/b.bin': '22' });
    const { lines, plan } = await planList(
      jsonl(
        { path: 'x/b.bin', fileName: 'B/one.pdf', classification: 'addenda', contentType: 'image/tiff' },
        { path: 'a.pdf' },
        { path: 'not/looked/at.pdf', sizeBytes: 333, sha256: 'a'.repeat(64) },
      ),
    );
    expect(plan).toMatchObject({ root, documents: 3, bytes: 336 });
    expect(lines).toMatchObject([
      { source: 'x/b.bin', fileName: 'B_one.pdf', classification: 'addenda', contentType: 'image/tiff', sizeBytes: 2, sha256: null, job: 1 },
      { source: 'a.pdf', fileName: 'a.pdf', classification: null, contentType: 'application/pdf', sizeBytes: 1, job: 1 },
      { source: 'not/looked/at.pdf', sizeBytes: 333, sha256: 'a'.repeat(64), mtimeMs: null, inode: null, job: 1 },
    ]);
  });

  it('may have a byte order mark, CRLF, empty lines, and no newline at its end', async () => {
    writeFiles(root, { 'é.pdf': '1', 'b.pdf': '22' });
    const { lines } = await planList('\ufeff{"path":"é.pdf"}\r\n\r\n   \n{"path":"b.pdf"}');
    expect(lines.map(({ source }) => source)).toEqual(['é.pdf', 'b.pdf']);
  });

  it('spells bytes as %XX', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), '1');
    writeFiles(root, { '100%.pdf': '22', 'a b.pdf': '333' });
    const { lines } = await planList(jsonl({ path: '%ff' }, { path: '100%.pdf' }, { path: 'a%20b.pdf' }));
    expect(fates(lines)).toEqual({ '%FF': 1, '100%25.pdf': 1, 'a b.pdf': 1 });
  });

  it('rejects what lies outside its folder, is missing, no file, or empty', async () => {
    const outside = temporaryFolder();
    writeFiles(outside, { 's.pdf': 'secret' });
    writeFiles(root, { 'a.pdf': '1', 'empty.pdf': '', 'folder/x': '22' });
    symlinkSync(join(outside, 's.pdf'), join(root, 'link.pdf'));
    symlinkSync(outside, join(root, 'away'));
    symlinkSync('a.pdf', join(root, 'inside.pdf'));
    const { lines } = await planList(
      jsonl(
        ...['a.pdf', '../s.pdf', '/etc/passwd', 'link.pdf', 'away/s.pdf', 'missing.pdf', 'folder', '.', 'empty.pdf', 'inside.pdf'].map((path) => ({ path })),
        { path: 'zero.pdf', sizeBytes: 0 },
        { path: '../also.pdf', sizeBytes: 5 },
      ),
    );
    expect(fates(lines)).toEqual({
      'a.pdf': 1,
      '../s.pdf': 'outside_source',
      '/etc/passwd': 'outside_source',
      'link.pdf': 'outside_source',
      'away/s.pdf': 'outside_source',
      'missing.pdf': 'unreadable',
      folder: 'not_a_file',
      '.': 'not_a_file',
      'empty.pdf': 'empty',
      'inside.pdf': 'duplicate of a.pdf',
      'zero.pdf': 'empty',
      '../also.pdf': 'outside_source',
    });
    expect(lines.findIndex(({ job }) => job === null)).toBe(1);
  });

  it('takes a path once, however it is written', async () => {
    writeFiles(root, { 'x/a.pdf': '1' });
    const { lines, plan } = await planList(
      jsonl({ path: 'x/a.pdf' }, { path: './x//a.pdf' }, { path: join(root, 'x/../x/a.pdf') }, { path: 'gone.pdf' }, { path: 'gone.pdf' }),
    );
    expect(plan).toMatchObject({ documents: 5, duplicates: 2, rejected: 2 });
    expect(lines.map(({ source, duplicateOf }) => [source, duplicateOf])).toEqual([
      ['x/a.pdf', null],
      ['x/a.pdf', 1],
      ['x/a.pdf', 1],
      ['gone.pdf', null],
      ['gone.pdf', null],
    ]);
    expect(lines[4]!.reason).toEqual(lines[3]!.reason);
  });

  it('may have lines of up to a mebibyte', async () => {
    writeFiles(root, { 'a.pdf': '1' });
    const padded = (bytes: number) => JSON.stringify({ path: 'a.pdf' }).padEnd(bytes);
    expect((await planList(`${padded(1024 * 1024)}\n`)).plan.documents).toBe(1);
    expect(await messageOf(`{"path":"b.pdf"}\n${padded(1024 * 1024 + 1)}\n${padded(3_000_000)}\n{"path":"a.pdf"}\n[]\n`)).toBe(
      `The list ${root}/list.jsonl has 3 broken lines: line 2: is longer than 1048576 bytes; line 3: is longer than 1048576 bytes; line 5: Invalid input: expected object, received array`,
    );
  });

  it('names the first ten broken lines, and starts nothing', async () => {
    const good = '{"path":"a.pdf"}\n';
    const content = Buffer.concat([
      Buffer.from(`${good}{"path":\n\n`),
      Buffer.from([0x7b, 0xff, 0x0a]),
      Buffer.from(`{"path":""}\n{"file":"x"}\n{"path":"a","classification":"drawing"}\n{"path":"a","sizeBytes":-1}\n{"path":"a","sha256":"AB"}\n`),
      Buffer.from(`${good}{"path":"a%00b"}\n${'nonsense\n'.repeat(20)}`),
    ]);
    const message = await messageOf(content);
    expect(message).toContain(`The list ${root}/list.jsonl has 28 broken lines: line 2: is not JSON; line 4: is not UTF-8; line 5: path: `);
    expect(message).toContain('line 6: path: ');
    expect(message).toContain('file: is not a known field');
    expect(message).toMatch(/line 7: classification: .*line 8: sizeBytes: .*line 9: sha256: must be 64 lowercase hex digits; line 11: path: must not contain a NUL/);
    expect(message).toMatch(/line 12: is not JSON; line 13: is not JSON; and 18 more$/);
    expect(message.length).toBeLessThan(3000);
  });

  it('fails when it has no document, is not there, or is a folder', async () => {
    await expect(planList('\n\n')).rejects.toMatchObject({ type: failureTypes.emptySource });
    await expect(planOf({ list: join(root, 'nope.jsonl') })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    await expect(planOf({ list: root })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  it('is read in bounded memory', async () => {
    // A line without an end: nothing of it may be kept.
    const path = join(root, 'huge.jsonl');
    writeFileSync(path, '');
    truncateSync(path, 300_000_000);
    const before = process.memoryUsage().arrayBuffers;
    await expect(planOf({ list: path })).rejects.toMatchObject({ message: expect.stringContaining('line 1: is longer than') as string });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
  });
});

describe('a CSV list', () => {
  const planCsv = (content: string | Buffer) => planList(content, 'list.CSV');

  it('has a header, quotes, a byte order mark, CRLF and empty lines', async () => {
    writeFiles(root, { 'a "x", y.pdf': '1', 'two\nlines.pdf': '22', 'c.pdf': '333' });
    const { lines } = await planCsv(
      '\ufeffclassification , path,fileName,sizeBytes\r\nplans,"a ""x"", y.pdf",,\r\n\r\n,"two\nlines.pdf",z.pdf,\r\nother,c.pdf,"",3\r\n',
    );
    expect(lines).toMatchObject([
      { source: 'a "x", y.pdf', fileName: 'a _x_, y.pdf', classification: 'plans', sizeBytes: 1 },
      { source: 'two\nlines.pdf', fileName: 'z.pdf', classification: null },
      { source: 'c.pdf', fileName: 'c.pdf', classification: 'other', sizeBytes: 3, inode: null },
    ]);
  });

  it.each([
    ['an unknown column', 'path,page\na,1\n', 'line 1: has columns that are not known: page'],
    ['no path', '\n\nfileName\na\n', 'line 3: has no column "path"'],
    ['a column twice', 'path,path\na,b\n', 'line 1: names a column twice'],
    ['a field too many', 'path\n\na,b\n', 'line 3: has 2 fields, and the header 1'],
    ['a field too few, after a field of two lines', 'path,fileName\n"x\ny",\na\n', 'line 4: has 1 fields, and the header 2'],
    ['no path in a line', 'path,fileName\n,b\n', 'line 2: path: '],
    ['a size that is none', 'path,sizeBytes\na,1\nb,2 MB\n', 'line 3: sizeBytes: '],
    ['a quote in the middle', 'path\na\nb"c\nd\n', 'line 3: '],
    ['text after a quote', 'path\na\n"b"c\nd\n', 'line 3: has a quote inside a quoted field that is not doubled'],
    ['a quote without end', 'path\na\n\n"b\nc\nd\n', 'line 4: has a quote that is not closed'],
    ['a quote without end, far', `path\n"${`${'b'.repeat(999)}\n`.repeat(1200)}`, 'line 2: has a quote that is not closed within 1048576 bytes'],
    ['a line that is too long', `path\n${'x'.repeat(1_048_577)}\na\n`, 'line 2: is longer than 1048576 bytes'],
  ])('is refused with %s', async (_, content, problem) => {
    expect(await messageOf(content, 'list.csv')).toContain(`The list ${root}/list.csv has 1 broken line: ${problem}`);
  });

  it('is refused when it is not UTF-8', async () => {
    const content = Buffer.concat([Buffer.from('path\na.pdf\n'), Buffer.from([0xe4]), Buffer.from('.pdf\n')]);
    expect(await messageOf(content, 'list.csv')).toContain('line 3: is not UTF-8');
  });

  it('names every broken line with its number, in order', async () => {
    expect(await messageOf('path,sizeBytes\nx"y,1\nb,-1\nc\nok,1\nd"e,5\n', 'list.csv')).toMatch(/4 broken lines: line 2: .*; line 3: .*; line 4: .*; line 6: /);
  });
});

describe('an inline list', () => {
  it('has absolute paths', async () => {
    writeFiles(root, { 'a.pdf': '1', 'b.pdf': '22' });
    const documents = [{ path: join(root, 'b.pdf'), fileName: 'x.pdf' }, { path: `${root}//a.pdf`, classification: 'plans' as const }, { path: '/none' }];
    const { lines, plan } = await planOf({ documents });
    expect(plan.root).toBe('/');
    expect(lines).toMatchObject([
      { source: join(root, 'b.pdf').slice(1), fileName: 'x.pdf', job: 1 },
      { source: join(root, 'a.pdf').slice(1), classification: 'plans', job: 1 },
      { source: 'none', reason: { code: 'unreadable' } },
    ]);
  });

  it.each([
    ['a.pdf', 'must be absolute'],
    ['/a%00.pdf', 'must not contain a NUL character'],
  ])('refuses %j', async (path, problem) => {
    await expect(planOf({ documents: [{ path }] })).rejects.toMatchObject({
      type: failureTypes.invalidInput,
      message: `source.documents.0.path ${problem}`,
    });
  });

  it('fails when it is empty', async () => {
    await expect(planOf({ documents: [] })).rejects.toMatchObject({ type: failureTypes.emptySource, message: 'The list of documents is empty' });
  });
});
