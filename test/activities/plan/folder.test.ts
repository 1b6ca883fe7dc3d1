import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { failureTypes } from '../../../src/contract/failures';
import { documentPath } from '../../../src/domain/source-path';
import { fates, planOf, temporaryFolder, writeFiles } from './planning';

let root: string;
beforeEach(() => {
  root = join(temporaryFolder(), 'root');
  mkdirSync(root);
});

const sources = (lines: { source: string }[]) => lines.map(({ source }) => source);

describe('a folder', () => {
  it('gives each file below it, dot folders included, a folder after the other', async () => {
    writeFiles(root, { 'b.pdf': '1', 'a/2.pdf': '22', 'a/1.pdf': '333', '.git/x': '4444', 'a/.b/c/d': '55555' });
    const { lines, plan } = await planOf({ folder: root });
    expect(sources(lines)).toEqual(['b.pdf', '.git/x', 'a/1.pdf', 'a/2.pdf', 'a/.b/c/d']);
    expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(plan).toMatchObject({ root, documents: 5, rejected: 0, duplicates: 0, bytes: 15, pages: null, credits: null, lowerBoundJobs: 1 });
    expect(lines[0]).toMatchObject({ fileName: 'b.pdf', contentType: 'application/pdf', sizeBytes: 1, sha256: null, pages: null, job: 1, reason: null });
    expect(lines[0]!.mtimeMs).toBeGreaterThan(0);
    expect(lines[0]!.inode).toMatch(/^\d+$/);
    expect(lines[1]!.contentType).toBe('application/octet-stream');
  });

  it('takes what globs select, and classifies by the first glob that matches', async () => {
    writeFiles(root, { 'a.pdf': '1', 'x/b.PDF': '22', 'x/c.pdf': '333', 'x/old/d.pdf': '4444', 'specs/e.pdf': '55555' });
    const { lines } = await planOf(
      { folder: root, include: ['**/*.pdf'], exclude: ['**/old/**'] },
      { classify: [{ glob: 'specs/**', classification: 'specifications' }, { glob: '**/c.*', classification: 'plans' }] },
    );
    expect(lines.map(({ source, classification }) => [source, classification])).toEqual([
      ['a.pdf', null],
      ['specs/e.pdf', 'specifications'],
      ['x/c.pdf', 'plans'],
    ]);
  });

  it('leaves the archive out when it lies inside, also through a link', async () => {
    writeFiles(root, { 'a.pdf': '1', 'archive/batches/b/result.json': '22' });
    symlinkSync('archive', join(root, 'to-archive'));
    const { lines } = await planOf({ folder: root, include: ['**'] }, {}, { archive: join(root, 'archive') });
    expect(sources(lines)).toEqual(['a.pdf']);
  });

  it("leaves the archive's own folders out when it is the root itself", async () => {
    writeFiles(root, { 'a.pdf': '1', 'batches/b/result.json': '22', 'work/x': '3', 'ledger/y': '4', 'x/batches/z.pdf': '5' });
    const { lines } = await planOf({ folder: root }, {}, { archive: root });
    expect(sources(lines)).toEqual(['a.pdf', 'x/batches/z.pdf']);
  });

  it('does not mind an archive that is not there yet, or lies elsewhere', async () => {
    writeFiles(root, { 'a.pdf': '1' });
    for (const archive of [join(root, 'later'), temporaryFolder()]) {
      expect(sources((await planOf({ folder: root }, {}, { archive })).lines)).toEqual(['a.pdf']);
    }
  });

  it('plans two thousand files', async () => {
    const names = Array.from({ length: 2_000 }, (_, at) => `set ${Math.floor(at / 40)}/sheet ${at}.pdf`);
    for (let set = 0; set < 50; set += 1) mkdirSync(join(root, `set ${set}`));
    const content = Buffer.alloc(names.length, 'x');
    names.forEach((name, at) => writeFileSync(join(root, name), content.subarray(0, at + 1)));
    const { plan, lines } = await planOf({ folder: root });
    expect(plan).toMatchObject({ documents: 2_000, rejected: 0, duplicates: 0, lowerBoundJobs: 20 });
    expect(plan.jobs).toHaveLength(20);
    expect(new Set(sources(lines))).toEqual(new Set(names));
    expect(lines.every((line, at) => line.seq === at + 1 && (at === 0 || line.job! >= lines[at - 1]!.job!))).toBe(true);
    expect(plan.jobs.reduce((sum, job) => sum + job.documents, 0)).toBe(2_000);
  });
});

describe('odd names', () => {
  it('are processed under safe names, and found again by their spelling', async () => {
    const names = [
      Buffer.from([0x50, 0xe4, 0x6e, 0x65, 0x2e, 0x70, 0x64, 0x66]),
      Buffer.from('two\nlines.pdf'),
      Buffer.from('100% %41.pdf'),
      Buffer.from(`${'x'.repeat(251)}.pdf`),
      Buffer.from('Gr\u00f6ße.pdf'),
      Buffer.from('Gro\u0308ße.pdf'),
      Buffer.from('case.pdf'),
      Buffer.from('CASE.pdf'),
      Buffer.from(' '),
      Buffer.from('back\\slash "q" <x>.pdf'),
      Buffer.from('\ufeffbom.pdf'),
    ];
    names.forEach((name, at) => writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'x'.repeat(at + 1)));
    const { lines, plan } = await planOf({ folder: root });
    const bySize = lines.sort((a, b) => a.sizeBytes! - b.sizeBytes!);
    expect(plan.rejected).toBe(0);
    expect(bySize.map(({ source }) => documentPath(root, source))).toEqual(names.map((name) => Buffer.concat([Buffer.from(`${root}/`), name])));
    expect(bySize.map(({ source }) => source).slice(0, 3)).toEqual(['P%E4ne.pdf', 'two\nlines.pdf', '100%25 %2541.pdf']);
    expect(bySize.map(({ fileName }) => fileName)).toEqual([
      'P_ne.pdf',
      'two_lines.pdf',
      '100% %41.pdf',
      `${'x'.repeat(196)}.pdf`,
      // Decomposed names come first in the order of bytes.
      'Größe (2).pdf',
      'Größe.pdf',
      'case (2).pdf',
      'CASE.pdf',
      '_',
      'back_slash _q_ _x_.pdf',
      '_bom.pdf',
    ]);
  });

  it('are kept in folders too', async () => {
    const folder = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x25])]);
    mkdirSync(folder);
    writeFileSync(Buffer.concat([folder, Buffer.from('/a.pdf')]), 'x');
    const { lines } = await planOf({ folder: root, include: ['**/*.pdf'] });
    expect(sources(lines)).toEqual(['%FF%25/a.pdf']);
  });

  it('may make a path that is too long to open', async () => {
    const parts = Array.from({ length: 20 }, () => 'd'.repeat(250));
    execFileSync('bash', ['-c', `cd "$1" && for part in ${parts.join(' ')}; do mkdir "$part" && cd "$part" || exit 1; done`, '-', root]);
    writeFiles(root, { 'a.pdf': '1' });
    const { lines } = await planOf({ folder: root });
    expect(Object.values(fates(lines)).sort()).toEqual([1, 'unreadable']);
    execFileSync('rm', ['-rf', root]);
  });
});

describe('links', () => {
  it('are followed inside the root only, each real file once', async () => {
    const outside = temporaryFolder();
    writeFiles(outside, { 'secret.pdf': 'secret' });
    writeFiles(root, { 'a/1.pdf': '1', 'b.pdf': '22' });
    symlinkSync('../b.pdf', join(root, 'a/link.pdf'));
    symlinkSync('a', join(root, 'folder-link'));
    symlinkSync('..', join(root, 'a/up'));
    symlinkSync('.', join(root, 'self'));
    symlinkSync('loop', join(root, 'loop'));
    symlinkSync('nowhere', join(root, 'dangling.pdf'));
    symlinkSync(join(outside, 'secret.pdf'), join(root, 'out.pdf'));
    symlinkSync(outside, join(root, 'out'));
    const { lines } = await planOf({ folder: root });
    expect(fates(lines)).toEqual({
      'a/1.pdf': 1,
      'b.pdf': 1,
      loop: 'unreadable',
      'dangling.pdf': 'unreadable',
      'out.pdf': 'outside_source',
      out: 'outside_source',
    });
  });

  it('lead to files that globs select by the path of the link', async () => {
    writeFiles(root, { 'releases/v1/a.pdf': '1', 'releases/v2/a.pdf': '22', 'releases/v2/deep/b.pdf': '333', 'store/f00': '4444' });
    symlinkSync('releases/v2', join(root, 'current'));
    symlinkSync('releases/v2', join(root, 'latest'));
    symlinkSync('../../current', join(root, 'releases/v2/back'));
    mkdirSync(join(root, 'current/sheets'));
    symlinkSync('../../../store/f00', join(root, 'releases/v2/sheets/c.pdf'));
    const { lines } = await planOf({ folder: root, include: ['current/**/*.pdf', 'latest/**/*.pdf'] });
    expect(sources(lines).sort()).toEqual(['current/a.pdf', 'current/deep/b.pdf', 'current/sheets/c.pdf']);
    expect(lines.every(({ job }) => job === 1)).toBe(true);
  });

  it('may be the root', async () => {
    writeFiles(root, { 'a.pdf': '1' });
    const link = join(temporaryFolder(), 'link');
    symlinkSync(root, link);
    const { plan, lines } = await planOf({ folder: link });
    expect(plan.root).toBe(link);
    expect(sources(lines)).toEqual(['a.pdf']);
  });

  it('that are hard make duplicates', async () => {
    writeFiles(root, { 'a.pdf': 'same' });
    linkSync(join(root, 'a.pdf'), join(root, 'b.pdf'));
    expect(fates((await planOf({ folder: root })).lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 'duplicate of a.pdf' });
  });
});

describe('what cannot be sent', () => {
  it('is rejected with a reason: pipes, sockets, devices, files without bytes', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    symlinkSync('pipe', join(root, 'to-pipe'));
    writeFiles(root, { 'empty.pdf': '', 'a.pdf': '1' });
    const server = createServer();
    await new Promise<void>((listening) => server.listen(join(root, 'socket'), listening));
    try {
      const { lines, plan } = await planOf({ folder: root });
      expect(fates(lines)).toEqual({ 'a.pdf': 1, 'empty.pdf': 'empty', pipe: 'not_a_file', socket: 'not_a_file' });
      expect(plan).toMatchObject({ documents: 4, rejected: 3 });
      expect(lines[0]!.source).toBe('a.pdf');
    } finally {
      server.close();
    }
  });

  it('is no input when globs do not select it', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    writeFiles(root, { 'empty.txt': '', 'a.pdf': '1' });
    symlinkSync('/etc', join(root, 'etc'));
    expect(fates((await planOf({ folder: root, include: ['**/*.pdf'] })).lines)).toEqual({ 'a.pdf': 1 });
  });

  it('includes what this user may not read, files and folders', () => {
    writeFiles(root, { 'a.pdf': '1', 'private.pdf': '22', 'locked/b.pdf': '333' });
    execFileSync('chmod', ['755', join(root, '..')]);
    execFileSync('chmod', ['000', join(root, 'private.pdf'), join(root, 'locked')]);
    const output = execFileSync(process.execPath, ['--import', 'tsx', join(__dirname, 'plan-as-nobody.ts'), root], { encoding: 'utf8' });
    execFileSync('chmod', ['700', join(root, 'locked')]);
    expect(JSON.parse(output)).toEqual({ 'a.pdf': 1, 'private.pdf': 'unreadable', locked: 'unreadable' });
  });

  it('does not stop the batch when nothing can be sent', async () => {
    writeFiles(root, { 'a.pdf': '' });
    expect((await planOf({ folder: root })).plan).toMatchObject({ documents: 1, rejected: 1, jobs: [], lowerBoundJobs: 0 });
  });
});

describe('a source that is not there', () => {
  it('is unavailable on this host, which another worker may make up for', async () => {
    const missing = join(root, 'missing');
    await expect(planOf({ folder: missing })).rejects.toMatchObject({
      type: failureTypes.sourceUnavailable,
      nonRetryable: false,
      message: `The source ${missing} cannot be read on worker host ${hostname()}: it does not exist`,
    });
  });

  it('may be a file', async () => {
    writeFiles(root, { 'a.pdf': '1' });
    await expect(planOf({ folder: join(root, 'a.pdf') })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  it('may go away while it is read: what is not found then says nothing of the documents', async () => {
    writeFiles(root, { 'a.pdf': '12', 'b.pdf': '34' });
    const onProgress = () => rmSync(root, { recursive: true, force: true });
    await expect(planOf({ folder: root }, {}, { onProgress })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  it('may lose files while it is read', async () => {
    writeFiles(root, { 'a.pdf': '12', 'b.pdf': '34', 'c.pdf': '5' });
    const onProgress = () => rmSync(join(root, 'b.pdf'), { force: true });
    expect(fates((await planOf({ folder: root }, {}, { onProgress })).lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 'unreadable', 'c.pdf': 1 });
  });
});

describe('an empty source', () => {
  it('fails unless it may be empty', async () => {
    writeFiles(root, { 'a.txt': '1' });
    const source = { folder: root, include: ['**/*.pdf'] };
    await expect(planOf(source)).rejects.toMatchObject({ type: failureTypes.emptySource, nonRetryable: true, message: `No file below ${root} matches` });
    const { plan, lines } = await planOf(source, { allowEmpty: true });
    expect(plan).toMatchObject({ documents: 0, jobs: [], lowerBoundJobs: 0 });
    expect(lines).toEqual([]);
  });
});

it('can be stopped', async () => {
  writeFiles(root, { 'a.pdf': '1' });
  const stop = new Error('stop');
  await expect(planOf({ folder: root }, {}, { signal: AbortSignal.abort(stop) })).rejects.toBe(stop);
});
