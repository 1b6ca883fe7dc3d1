import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { closeHashing } from '../../../src/hashing';
import { planOf, temporaryFolder } from './planning';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});
afterEach(() => jest.restoreAllMocks());
afterAll(closeHashing);

const mebibyte = 2 ** 20;

/** Writes a file of zeros that takes no room on the disk. */
function writeSparse(name: string, sizeBytes: number): void {
  const fd = openSync(join(root, name), 'w');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
}

/** Bytes that this process, all threads, has read with system calls: `rchar` of proc(5). */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]);

/** What planning opens and reads: the names by our calls, the bytes by the kernel's count. */
async function readingOf(plan: () => Promise<unknown>): Promise<{ opened: string[]; bytes: number }> {
  const open = jest.spyOn(fs, 'open');
  const before = bytesRead();
  await plan();
  const bytes = bytesRead() - before;
  // The root is opened too, to know its place and its names.
  const paths = open.mock.calls.map(([path]) => (path as Buffer).toString()).filter((path) => path.replace(/\/$/, '') !== root);
  return { opened: paths.map((path) => basename(path)).sort(), bytes };
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('planning', () => {
  /** 100 MiB in files of different sizes, and three files that share one of 2 MiB. */
  beforeEach(() => {
    for (let at = 0; at < 100; at += 1) writeSparse(`alone-${at}.pdf`, mebibyte + at);
    for (let at = 0; at < 3; at += 1) writeSparse(`shared-${at}.pdf`, 2 * mebibyte);
  });
  const shared = ['shared-0.pdf', 'shared-1.pdf', 'shared-2.pdf'];

  it('opens and reads only files that share their exact size with another, and each of them once', async () => {
    const { opened, bytes } = await readingOf(() => planOf({ folder: root }));
    expect(opened).toEqual(shared);
    expect(bytes / mebibyte).toBeGreaterThanOrEqual(6);
    expect(bytes / mebibyte).toBeLessThan(7);
  });

  it('opens and reads nothing of files that are too large for a job, whatever sizes they share', async () => {
    const { opened, bytes } = await readingOf(() => planOf({ folder: root }, { limits: { maxBytes: 1.5 * mebibyte } }));
    expect(opened).toEqual([]);
    expect(bytes / mebibyte).toBeLessThan(1);
  });

  it('reads every file once when a ledger is asked for each content', async () => {
    const { opened, bytes } = await readingOf(() => planOf({ folder: root }, {}, { findElsewhere: () => Promise.resolve(null) }));
    expect(opened).toHaveLength(103);
    expect(bytes / mebibyte).toBeGreaterThanOrEqual(106);
    expect(bytes / mebibyte).toBeLessThan(107);
  });
});
