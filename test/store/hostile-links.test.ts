import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Store } from '../../src/store';
import { FolderStore } from '../../src/store/folder';
import { readAll } from './conformance';

let root: string;
let archive: string;
let elsewhere: string;
let store: FolderStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'links-'));
  archive = join(root, 'archive');
  elsewhere = join(root, 'elsewhere');
  await mkdir(join(elsewhere, 'deep'), { recursive: true });
  await writeFile(join(elsewhere, 'precious'), 'theirs');
  await writeFile(join(elsewhere, 'deep', 'precious'), 'theirs');
  store = new FolderStore(archive);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const textOf = async (of: Store, key: string) => (await readAll(await of.openRead(key))).toString();
const untouched = async () => {
  expect((await readdir(elsewhere, { recursive: true })).sort()).toEqual(['deep', 'deep/precious', 'precious']);
  expect(await readFile(join(elsewhere, 'deep', 'precious'), 'utf8')).toBe('theirs');
};
/** Replaces a folder of the archive by a link out of it. */
async function plant(folder: string, to = elsewhere): Promise<void> {
  await rm(join(archive, folder), { recursive: true, force: true });
  await mkdir(dirname(join(archive, folder)), { recursive: true });
  await symlink(to, join(archive, folder));
}
const refused = { name: 'StoreError', code: 'ELINK', message: expect.stringMatching(/has a link where a folder is needed .*Replace the link by a folder/) as string };

describe.each(['batches/b/jobs/00001', 'batches/b/jobs', 'batches/b', 'batches/b/jobs/00001/artifacts'])('a link out of the archive in the place of %s', (folder) => {
  const key = 'batches/b/jobs/00001/artifacts/deep/precious';
  const job = 'batches/b/jobs/00001';

  test.each(['new', 'known'])('to a %s store: nothing is written, replaced or removed beyond it', async (kind) => {
    await store.write(key, 'ours');
    await store.write('batches/b/jobs/00001/artifacts/precious', 'ours');
    const { version } = (await store.stat(key))!;
    await plant(folder, folder === 'batches/b/jobs/00001/artifacts' ? elsewhere : join(elsewhere, 'deep'));
    const of = kind === 'new' ? new FolderStore(archive) : store;
    await expect(of.write(key, 'new')).rejects.toMatchObject(refused);
    await expect(of.write('batches/b/jobs/00001/artifacts/new/er/x', 'new')).rejects.toMatchObject(refused);
    await expect(of.createIfAbsent('batches/b/jobs/00001/artifacts/more', 'new')).rejects.toMatchObject(refused);
    await of.replaceIf(key, 'new', version).catch(() => undefined);
    await of.remove(key).catch((error: unknown) => expect(error).toMatchObject(refused));
    await of.remove('batches/b/jobs/00001/artifacts/precious').catch((error: unknown) => expect(error).toMatchObject(refused));
    await untouched();
    await of.removeAll(job).catch((error: unknown) => expect(error).toMatchObject(refused));
    await untouched();
  });

  test('is listed as what does not belong, and goes on once it is a folder again', async () => {
    await plant(folder);
    await expect(store.write(key, 'new')).rejects.toMatchObject(refused);
    const listed: string[] = [];
    for await (const object of store.list('batches')) listed.push(object.key);
    expect(listed).toEqual([folder]);
    await rm(join(archive, folder));
    await store.write(key, 'new');
    expect(await textOf(store, key)).toBe('new');
    await untouched();
  });
});

test('what is emptied is never what a link leads to: the link itself goes', async () => {
  await store.write('work/b/jobs/00001/intent.json', 'x');
  await plant('work/b');
  await store.removeAll('work/b');
  expect(await readdir(archive)).toEqual([]);
  await plant('work/b/jobs');
  await store.removeAll('work/b');
  await untouched();
});

test('an object that is a link: a write replaces the link, never what it leads to', async () => {
  await store.write('a/b', 'ours');
  for (const operate of [(of: FolderStore) => of.write('a/b', 'new'), async (of: FolderStore) => of.replaceIf('a/b', 'new', (await of.stat('a/b'))!.version)]) {
    await plant('a/b', join(elsewhere, 'precious'));
    await operate(store);
    expect([await textOf(store, 'a/b'), await readFile(join(elsewhere, 'precious'), 'utf8')]).toEqual(['new', 'theirs']);
  }
  await plant('a/b', join(elsewhere, 'precious'));
  await store.remove('a/b');
  await untouched();
});

test('a link that leads nowhere is no object: it is created in its place, by one of many', async () => {
  await plant('a/claim', join(root, 'nowhere'));
  expect(await store.stat('a/claim')).toBeNull();
  const made = await Promise.all(Array.from({ length: 6 }, (_, i) => new FolderStore(archive).createIfAbsent('a/claim', `${i}`)));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(await textOf(store, 'a/claim')).toBe(String(made.indexOf(true)));
  await plant('a/claim', join(root, 'nowhere'));
  await store.write('a/claim', 'written');
  expect(await textOf(store, 'a/claim')).toBe('written');
  expect(await readdir(root)).toEqual(['archive', 'elsewhere']);
});

describe('links that whoever sets the archive up may want', () => {
  test('the archive itself, and its top folders', async () => {
    await mkdir(join(root, 'large-disk'));
    await mkdir(join(root, 'fast-disk'));
    await symlink(join(root, 'large-disk'), archive);
    await symlink(join(root, 'fast-disk'), join(root, 'large-disk', 'work'));
    await store.ensureWritable();
    await store.write('work/b/jobs/00001/intent.json', 'x');
    await store.write('batches/b/input.json', 'y');
    await store.write('work/b/jobs/00001/intent.json', 'z');
    expect(await textOf(store, 'work/b/jobs/00001/intent.json')).toBe('z');
    await store.removeAll('work/b');
    expect([await readdir(join(root, 'fast-disk')), await readlink(join(archive, 'work'))]).toEqual([[], join(root, 'fast-disk')]);
  });

  test('a top folder that leads elsewhere from now on', async () => {
    await mkdir(join(root, 'one/b/c'), { recursive: true });
    await mkdir(join(root, 'two/b/c'), { recursive: true });
    await plant('batches', join(root, 'one'));
    await store.write('batches/b/c/x', 'one');
    await plant('batches', join(root, 'two'));
    await store.write('batches/b/c/x', 'two');
    expect(await readFile(join(root, 'two/b/c/x'), 'utf8')).toBe('two');
  });

  test('an archive whose link leads nowhere, as when a disk is not mounted, says so', async () => {
    await symlink(join(root, 'not-mounted'), archive);
    for (const call of [store.ensureWritable(), store.write('a/b', 'x'), store.createIfAbsent('a/b', 'x')]) await expect(call).rejects.toMatchObject({ ...refused, location: archive });
    await mkdir(join(root, 'not-mounted'));
    await store.write('a/b', 'x');
    expect(await textOf(store, 'a/b')).toBe('x');
  });
});
