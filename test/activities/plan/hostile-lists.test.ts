import { execFileSync } from 'node:child_process';
import { appendFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { BrokenLines } from '../../../src/activities/plan/broken-lines';
import { readList } from '../../../src/activities/plan/list';
import { failureTypes } from '../../../src/contract/failures';
import { fates, planOf, temporaryFolder, writeFiles } from './planning';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});

const listAt = (name: string, content: string | Buffer): string => {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
};
const refusal = (list: string) => planOf({ list }).then(() => null, (error: unknown) => error as { type: string; message: string; nonRetryable: boolean });

describe('a list that is no list', () => {
  it.each([
    ['a pipe that nobody writes to', (path: string) => execFileSync('mkfifo', [path])],
    ['a link to a device without end', (path: string) => symlinkSync('/dev/zero', path)],
    ['a link to itself', (path: string) => symlinkSync('list.jsonl', path)],
  ])('is refused at once: %s', async (_what, make) => {
    make(join(root, 'list.jsonl'));
    expect(await refusal(join(root, 'list.jsonl'))).toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  it.each(['list.jsonl', 'list.csv'])('%s in UTF-16 is called by its name', async (name) => {
    for (const encoding of ['le', 'be']) {
      const content = Buffer.from(`\ufeff${name.endsWith('csv') ? 'path\na.pdf\n' : '{"path":"a.pdf"}\n'}`, 'utf16le');
      expect(await refusal(listAt(name, encoding === 'le' ? content : content.swap16()))).toMatchObject({ type: failureTypes.invalidInput, message: expect.stringContaining('line 1: is UTF-16, and a list must be UTF-8') as string });
    }
  });

  it.each([
    ['NUL bytes', Buffer.alloc(100), 'line 1: is not JSON'],
    ['a last line that breaks off', '{"path":"a.pdf"}\n{"path":"b.p', 'line 2: is not JSON'],
    ['a path with a NUL', '{"path":"a\\u0000"}\n', 'line 1: path: must not contain a NUL character'],
    ['deep nesting', `{"path":${'['.repeat(100_000)}${']'.repeat(100_000)}}\n`, 'line 1: path: '],
    ['a prototype', '{"path":"a","__proto__":{"sizeBytes":1}}\n', 'line 1: '],
    ['a size beyond numbers', '{"path":"a","sizeBytes":1e400}\n', 'line 1: sizeBytes: '],
    ['two values', '{"path":"a"}{"path":"b"}\n', 'line 1: is not JSON'],
  ])('with %s is refused by its lines', async (_what, content, message) => {
    expect(await refusal(listAt('list.jsonl', content))).toMatchObject({ type: failureTypes.invalidInput, nonRetryable: true, message: expect.stringContaining(message) as string });
  });

  it('names its own columns without letting them speak for the program', async () => {
    const { message } = (await refusal(listAt('list.csv', 'path,"x\nerror: \u001b[31mfake"\na,b\n')))!;
    expect(message).toContain('x\\nerror: ');
    expect(message).not.toMatch(/[\p{Cc}]/u);
  });
});

describe('a list that is written to while it is read', () => {
  it('is read again from its start, also when it is broken by then', async () => {
    const whole = '{"path":"a.pdf"}\n'.repeat(6_000);
    for (const [start, end] of [[whole, whole], [whole, '{"path"'], [`{"broken\n${whole}`, whole]]) {
      const list = listAt('list.jsonl', start!);
      const broken = new BrokenLines();
      const reading = readList(list, broken);
      await reading.next();
      appendFileSync(list, end!);
      await expect((async () => { for await (const _ of reading); })()).rejects.toMatchObject({ type: failureTypes.sourceUnavailable, nonRetryable: false, message: expect.stringContaining('it changed while it was read') as string });
    }
  });

  it('is read as it was when another one takes its place', async () => {
    writeFiles(root, { 'a.pdf': '1' });
    const list = listAt('list.jsonl', '{"path":"a.pdf"}\n'.repeat(6_000));
    const { lines } = await planOf({ list }, {}, { onProgress: ({ documents }) => void (documents === 256 && execFileSync('bash', ['-c', `echo '[]' > ${list}.new && mv ${list}.new ${list}`])) });
    expect(lines).toHaveLength(6_000);
    expect(lines.filter(({ job }) => job !== null)).toHaveLength(1);
  });
});

test('hostile paths of a list stay inside, each on its one line', async () => {
  const outside = temporaryFolder();
  writeFiles(outside, { 'secret.pdf': 'secret' });
  writeFiles(root, { 'a.pdf': '1', 'x/b.pdf': '22', '%2e%2e': 'percent', 'a..b': '3' });
  symlinkSync(outside, join(root, 'x/out'));
  symlinkSync('x/out', join(root, 'hop'));
  const paths = ['..', '../', '.', './', '//', '/', '/etc/passwd', '/dev/zero', '/proc/self/mem', '%2e%2e/secret.pdf', '..%2fsecret.pdf', 'x/out/secret.pdf', 'hop/secret.pdf', 'x/../../secret.pdf', join(outside, 'secret.pdf'), '\ud800', '~/a.pdf', '$HOME', 'x'.repeat(5_000), `${'x/'.repeat(3_000)}a.pdf`, 'a.pdf/b', '%252e%252e', 'a..b', 'x/../a.pdf', 'x/b.pdf'];
  const { lines } = await planOf({ list: listAt('list.jsonl', paths.map((path) => `${JSON.stringify({ path })}\n`).join('')) });
  expect(lines).toHaveLength(paths.length);
  expect(lines.filter(({ job }) => job !== null).map(({ source }) => source).sort()).toEqual(['%252e%252e', 'a..b', 'a.pdf', 'x/b.pdf']);
  for (const [source, fate] of Object.entries(fates(lines))) if (typeof fate === 'string') expect([source, fate]).toEqual([source, expect.stringMatching(/^(?:outside_source|unreadable|not_a_file)$/)]);
});

test('any bytes make a list that is refused by its lines, or gives documents; never anything else', async () => {
  const piece = fc.oneof(
    fc.constantFrom('{"path":"a"}\n', '{"path":', '"}', '\n', '\r\n', '\0', '"', ',', 'path', 'path,fileName\n', 'a,b\n', '\ufeff', '{"path":"a","sizeBytes":5}\n', '""', '\u2028').map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 20 }), fc.constantFrom('list.jsonl', 'list.csv'), async (pieces, name) => {
      const list = listAt(name, Buffer.concat(pieces));
      const error = await refusal(list);
      if (error) expect([failureTypes.invalidInput, failureTypes.emptySource]).toContain(error.type);
    }),
    { numRuns: 150 },
  );
});
