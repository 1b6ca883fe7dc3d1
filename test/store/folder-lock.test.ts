import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLocks } from '../../src/store/folder-lock';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'locks-')), 'locks');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const done = () => Promise.resolve(true);
/** The path of the lock of a key, as it is named while it is held. */
async function lockOf(key: string): Promise<string> {
  return new FolderLocks(folder).hold(key, async () => join(folder, (await readdir(folder))[0]!));
}

test('one at a time holds a key', async () => {
  let holders = 0;
  const work = async () => {
    holders += 1;
    expect(holders).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    holders -= 1;
    return true;
  };
  const locks = [new FolderLocks(folder), new FolderLocks(folder)];
  await Promise.all(Array.from({ length: 20 }, (_, i) => locks[i % 2]!.hold('key', work)));
  expect(await readdir(folder)).toEqual([]);
});

test('a key does not wait for another', async () => {
  const locks = new FolderLocks(folder);
  expect(await locks.hold('a', () => locks.hold('b', done))).toBe(true);
});

test('the lock goes when the work fails', async () => {
  const locks = new FolderLocks(folder);
  await expect(locks.hold('key', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await locks.hold('key', done)).toBe(true);
});

test('work that lost its lock runs again', async () => {
  let runs = 0;
  expect(await new FolderLocks(folder).hold('key', () => Promise.resolve((runs += 1) < 3 ? undefined : runs))).toBe(3);
});

test.each([
  ['of another host', '0123456789ab-1-1-00112233'],
  ['whose owner never wrote its name', ''],
  ['of who knows what', 'something else'],
])('a lock %s is respected for a time, then taken away by one of many', async (_, content) => {
  const path = await lockOf('key');
  await mkdir(folder, { recursive: true });
  await writeFile(path, content);
  let holders = 0;
  const alone = async () => {
    holders += 1;
    expect(holders).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    holders -= 1;
    return true;
  };
  await Promise.all(Array.from({ length: 8 }, () => new FolderLocks(folder, 30).hold('key', alone)));
  expect(await readdir(folder)).toEqual([]);
});

test('one who died while taking a lock away does not block the others', async () => {
  const path = await lockOf('key');
  await writeFile(path, 'gone');
  const { createHash } = await import('node:crypto');
  await writeFile(`${path}.${createHash('sha256').update('gone').digest('hex').slice(0, 16)}`, '');
  expect(await new FolderLocks(folder, 20).hold('key', done)).toBe(true);
  expect(await readdir(folder)).toEqual([]);
});
