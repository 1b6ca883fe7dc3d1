import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { CliError } from '../../src/cli/cli-error';
import { checkSource } from '../../src/cli/source';

let root: string;
const at = (...parts: string[]): string => join(root, ...parts);
const refused = async (argument: string, flags = {}, archive: string | null = null): Promise<CliError> => {
  const error: unknown = await checkSource(argument, flags, archive).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CliError);
  expect((error as CliError).exitCode).toBe(1);
  return error as CliError;
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plangrep-source-'));
  await mkdir(at('tower', 'deep', '.hidden'), { recursive: true });
  await mkdir(at('empty', 'still empty'), { recursive: true });
  await mkdir(at('archived', 'archive'), { recursive: true });
  await writeFile(at('tower', 'deep', '.hidden', 'a.pdf'), 'x');
  await writeFile(at('archived', 'archive', 'manifest.json'), '{}');
  await writeFile(at('one.pdf'), 'x');
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('a folder', () => {
  it('becomes absolute, with its globs', async () => {
    const flags = { include: ['**/*.pdf'], exclude: ['x/**'] };
    expect(await checkSource(relative(process.cwd(), at('tower')), flags, null)).toEqual({ folder: at('tower'), ...flags });
    expect(await checkSource(at('tower'), {}, null)).toEqual({ folder: at('tower') });
  });

  it('must exist', async () => {
    expect(await refused(at('nowhere'))).toMatchObject({ code: 'source_missing', message: expect.stringContaining(at('nowhere')) as string });
    expect(await refused(at('one.pdf', 'below'))).toMatchObject({ code: 'source_missing' });
  });

  it('must hold a file that matches', async () => {
    expect(await refused(at('empty'))).toMatchObject({ code: 'source_empty' });
    expect(await refused(at('tower'), { include: ['*.pdf'] })).toMatchObject({ code: 'source_empty', fix: expect.stringContaining('**/*.pdf') as string });
    expect(await refused(at('tower'), { exclude: ['**'] })).toMatchObject({ code: 'source_empty' });
  });

  it('does not count the archive inside it', async () => {
    expect(await refused(at('archived'), {}, at('archived', 'archive'))).toMatchObject({ code: 'source_empty' });
    await expect(checkSource(at('archived'), {}, null)).resolves.toEqual({ folder: at('archived') });
  });

  it('is not judged by an archive that is no folder', async () => {
    await expect(checkSource(at('tower'), {}, at('one.pdf', 'archive'))).resolves.toEqual({ folder: at('tower') });
  });

  it('may be a link', async () => {
    await symlink(at('tower'), at('linked'));
    expect(await checkSource(at('linked'), {}, null)).toEqual({ folder: at('linked') });
  });
});

describe('a list', () => {
  const list = async (name: string, content: string | Buffer): Promise<string> => {
    await writeFile(at(name), content);
    return at(name);
  };

  it.each([
    ['good.jsonl', '{"path":"one.pdf"}\n\n{"path":"two.pdf","sizeBytes":5}\n'],
    ['good.ndjson', '{"path":"one.pdf"}'],
    ['good.csv', 'path,fileName\none.pdf,\n"two, three.pdf",x.pdf\n'],
    ['GOOD.CSV', 'path\r\none.pdf\r\n'],
  ])('%s is taken', async (name, content) => {
    const path = await list(name, content);
    expect(await checkSource(path, {}, null)).toEqual({ list: path });
  });

  it('with broken lines is refused, each of the first ten by its number', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? `{"path":"${index}.pdf"}` : '{"pth":1}'));
    const { code, message } = await refused(await list('broken.jsonl', `${lines.join('\n')}\n`));
    expect(code).toBe('list_broken');
    expect(message).toContain('15 broken lines');
    for (const number of [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]) expect(message).toContain(`line ${number}: `);
    expect(message).not.toContain('line 22:');
    expect(message).toContain('and 5 more');
    expect(message).not.toContain('worker host');
  });

  it.each([
    ['binary.jsonl', Buffer.from([0xff, 0xfe, 0x0a])],
    ['array.jsonl', '[1]\n'],
    ['header.csv', 'name\nx\n'],
    ['quote.csv', 'path\n"x\n'],
  ])('%s is broken', async (name, content) => expect(await refused(await list(name, content))).toMatchObject({ code: 'list_broken', message: expect.stringMatching(/line \d+: /) as string }));

  it.each([['none.jsonl', '\n\n'], ['none.csv', 'path\n']])('%s names nothing', async (name, content) =>
    expect(await refused(await list(name, content))).toMatchObject({ code: 'source_empty' }),
  );

  it('takes no globs', async () => expect(await refused(await list('globs.jsonl', '{"path":"a"}'), { include: ['*'] })).toMatchObject({ code: 'usage' }));
});

it.each(['s3://bucket/prefix', 'S3://bucket'])('%s is for a later version', async (argument) =>
  expect(await refused(argument)).toMatchObject({ code: 'not_supported', message: expect.stringContaining('not supported in this version') as string }),
);

it('a single document is told what to do', async () => expect(await refused(at('one.pdf'))).toMatchObject({ code: 'source_unsupported' }));
