import fs, { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../src/store';
import { FolderStore } from '../../src/store/folder';
import { readAll } from './conformance';

/** Every change that a store makes goes through these. */
const changing = ['open', 'link', 'rename', 'unlink', 'mkdir', 'rmdir', 'utimes'] as const;
let calls: string[] = [];
/** Called before each of them; what it throws is the call's error. */
let before: (name: string) => void = () => undefined;
/** Called after each of them, with the error of a call that was carried out all the same. */
let after: (name: string) => void = () => undefined;

let root: string;
let store: FolderStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'store-'));
  store = new FolderStore(root);
  for (const name of changing) {
    const real = fs[name] as (...args: unknown[]) => Promise<unknown>;
    jest.spyOn(fs, name as 'unlink').mockImplementation(async (...args: unknown[]) => {
      before(name);
      calls.push(name === 'open' ? `open ${String(args[0]).startsWith(join(root, '.locks')) ? 'lock' : args[1] === 'r' ? 'folder' : 'file'}` : name);
      const result = await real(...args);
      after(name);
      return result as undefined;
    });
  }
});
afterEach(async () => {
  jest.restoreAllMocks();
  [before, after] = [() => undefined, () => undefined];
  await rm(root, { recursive: true, force: true });
});

const textOf = async (of: Store, key: string) => (await of.stat(key)) && (await readAll(await of.openRead(key))).toString();
const error = (code: string, syscall: string) => Object.assign(new Error(`${code} of a test`), { code, syscall });

async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  calls = [];
  await work();
  return calls;
}

test('a new object takes one file, one link and one flush of its folder, and no lock', async () => {
  await store.write('a/first', 'x');
  const one = ['open file', 'link', 'unlink', 'open folder'];
  expect(await callsOf(() => store.write('a/second', 'x'))).toEqual(one);
  expect(await callsOf(() => store.createIfAbsent('a/third', 'x'))).toEqual(one);
  // The first lock makes its folder.
  await store.write('a/first', 'y');
  expect(await callsOf(() => store.write('a/first', 'z'))).toEqual(['open file', 'link', 'open lock', 'rename', 'unlink', 'open folder']);
});

test('writers of one folder share its flushes', async () => {
  await store.write('a/first', 'x');
  const made = await callsOf(() => Promise.all(Array.from({ length: 40 }, (_, i) => store.write(`a/${i}`, 'x'))));
  expect(made.filter((call) => call === 'link')).toHaveLength(40);
  expect(made.filter((call) => call === 'open folder').length).toBeLessThan(30);
  expect(await readdir(join(root, 'a'))).toHaveLength(41);
});

test('a flush that began before a change does not count for it', async () => {
  await store.write('a/first', 'x');
  // What had its place when a flush began, the last of them after all objects had.
  let placed = 0;
  const covered: number[] = [];
  before = (name) => (name === 'open' ? covered.push(placed) : 0);
  after = (name) => (placed += name === 'link' ? 1 : 0);
  await Promise.all(Array.from({ length: 10 }, (_, i) => store.write(`a/${i}`, 'x')));
  expect(Math.max(...covered)).toBe(10);
});

test('folders of an object are made once, and each is flushed into the one above before the object counts', async () => {
  const made = await callsOf(() => Promise.all(Array.from({ length: 8 }, (_, i) => store.write(`a/b/c/${i}`, 'x'))));
  expect(await readdir(join(root, 'a/b/c'))).toHaveLength(8);
  expect(made.filter((call) => call === 'open folder').length).toBeGreaterThanOrEqual(4);
  before = (name) => {
    if (name === 'mkdir') throw new Error('is not needed');
  };
  await store.write('a/b/c/more', 'x');
});

test('a link whose answer was lost counts: its repeat is refused, though the object is ours', async () => {
  let lost = true;
  after = (name) => {
    if (name === 'link' && lost) throw error('EEXIST', 'link');
  };
  expect(await store.createIfAbsent('a/claim', 'ours')).toBe(true);
  await store.write('a/b', 'ours');
  lost = false;
  expect(await store.createIfAbsent('a/claim', 'theirs')).toBe(false);
  expect([await textOf(store, 'a/claim'), await textOf(store, 'a/b')]).toEqual(['ours', 'ours']);
  expect((await readdir(join(root, 'a'))).sort()).toEqual(['b', 'claim']);
});

describe('whoever dies before any call', () => {
  const operations: [string, (of: Store) => Promise<unknown>][] = [
    ['write of a new object', (of) => of.write('d/e/new', 'new')],
    ['write over an old one', (of) => of.write('a/old', 'new')],
    ['createIfAbsent', (of) => of.createIfAbsent('d/e/new', 'new')],
    ['replaceIf', async (of) => of.replaceIf('a/old', 'new', (await of.stat('a/old'))!.version)],
  ];

  test.each(operations)('%s: leaves the old or the new whole', async (_, operate) => {
    for (let step = 0, ends = false; !ends; step += 1) {
      await store.removeAll('d');
      await rm(join(root, '.locks'), { recursive: true, force: true });
      await store.write('a/old', 'old');
      let left = step;
      before = () => {
        left -= 1;
        if (left < 0) throw error('EIO', 'killed');
      };
      const done = await operate(new FolderStore(root)).then(() => true, () => false);
      before = () => undefined;
      ends = done;
      const found = [await textOf(store, 'a/old'), await textOf(store, 'd/e/new')];
      expect(['old,', 'new,', 'old,new']).toContain(found.map((text) => text ?? '').join(','));
      const listed: string[] = [];
      for await (const { key } of store.list('')) listed.push(key);
      expect(listed.filter((key) => key !== 'a/old' && key !== 'd/e/new')).toEqual([]);
      if (done) expect(found).toContain('new');
    }
  });
});
