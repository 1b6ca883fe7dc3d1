import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkArchive } from '../../src/cli/doctor-archive';
import type { Check } from '../../src/cli/doctor';
import { toCliError } from '../../src/cli/failure';
import { newOwner } from '../../src/store/owner';
import { SmallDisk } from '../store/small-disk';

let root: string;
let archive: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'doctor-'));
  archive = join(root, 'archive');
});
afterEach(async () => {
  jest.restoreAllMocks();
  await chmod(root, 0o755);
  await rm(root, { recursive: true, force: true });
});

const attempt = (name: string, work: () => Promise<Check>): Promise<Check> =>
  work().catch((error: unknown) => {
    const { message, fix } = toCliError(error);
    return { name, ok: false, message, fix };
  });
const look = async (fix = false) => Object.fromEntries((await checkArchive({ archive }, fix, attempt)).map(({ name, ...check }) => [name, check]));

test('an archive that can be written says how much room it has', async () => {
  expect(await look()).toEqual({
    archive: { ok: true, message: expect.stringMatching(/^\/.*archive can be written, [\d.]+ [MGT]B free$/) as string, fix: null },
    'temporary files': { ok: true, message: 'none of killed workers', fix: null },
    'working files': { ok: true, message: 'none of finished batches', fix: null },
  });
  expect(await readdir(archive)).toEqual([]);
});

test.each([
  [{ bavail: 10, bsize: 4_096, files: 100, ffree: 100_000 }, 'has room for no more than 41.0 kB'],
  [{ bavail: 10_000_000, bsize: 4_096, files: 1_000_000, ffree: 12 }, 'has room for 12 files more'],
])('one that is nearly full is told before it is: %j', async (numbers, words) => {
  jest.spyOn(fs, 'statfs').mockResolvedValue(numbers as never);
  expect((await look()).archive).toMatchObject({ ok: false, message: expect.stringContaining(words) as string, fix: expect.stringContaining('Free space') as string });
});

test('one that is full, with the way out, and what killed workers left there is still found and removed', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  await mkdir(join(archive, 'batches/b/jobs/00001'), { recursive: true });
  const disk = await SmallDisk.at(archive, false);
  try {
    await writeFile(join(archive, 'batches/b/jobs/00001', `.tmp-${newOwner().replace(/-\d+-/, `-${child.pid!}-`)}`), 'x'.repeat(5_000));
    await writeFile(join(archive, 'batches/b/jobs/00001', `.tmp-${newOwner()}`), 'being written');
    await disk.fill();
    expect(await look()).toEqual({
      archive: { ok: false, message: expect.stringMatching(/^The archive .* is full \(cannot write into .*: ENOSPC\)\.$/) as string, fix: expect.stringMatching(/^Free space .* goes on by itself/) as string },
      'temporary files': { ok: false, message: 'left by killed workers: 1 file, 5.0 kB', fix: 'plangrep-batch doctor --fix' },
      'working files': { ok: true, message: 'none of finished batches', fix: null },
    });
    expect(await look(true)).toMatchObject({ 'temporary files': { ok: true, message: 'removed 1 file, 5.0 kB' } });
    expect(await readdir(join(archive, 'batches/b/jobs/00001'))).toHaveLength(1);
  } finally {
    await disk.close();
  }
});

test('one that is read-only', async () => {
  jest.spyOn(fs, 'open').mockRejectedValue(Object.assign(new Error('EROFS'), { code: 'EROFS', syscall: 'open' }));
  expect(await look()).toMatchObject({ archive: { ok: false, message: expect.stringContaining('lies on a read-only file system') as string, fix: expect.stringContaining('Remount it') as string } });
});

test('one whose disk is not mounted, and one that is a file', async () => {
  await symlink(join(root, 'not-mounted'), archive);
  expect(await look()).toMatchObject({ archive: { ok: false, message: expect.stringContaining('has a link where a folder is needed') as string } });
  await rm(archive);
  await writeFile(archive, '');
  expect(await look()).toMatchObject({ archive: { ok: false, message: expect.stringContaining('has a file where a folder is needed') as string, fix: expect.stringContaining('Move that file away') as string } });
});
