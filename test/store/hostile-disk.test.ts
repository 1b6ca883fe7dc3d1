import { spawn } from 'node:child_process';
import { once } from 'node:events';
import nodeFs from 'node:fs';
import fs, { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../src/store';
import { digestOf } from '../../src/store/digest';
import { FolderStore } from '../../src/store/folder';
import { StoreError } from '../../src/store/store-error';
import { readAll } from './conformance';
import { SmallDisk, systemError } from './small-disk';

let root: string;
let store: FolderStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'disk-'));
  store = new FolderStore(root);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

const textOf = async (key: string, of: Store = store) => (await of.stat(key)) && (await readAll(await of.openRead(key))).toString();
const filesBelow = async (folder = root) => (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith('.locks') && name !== '.filler').sort();
async function* chunks(count: number, before: (chunk: number) => Promise<void> = () => Promise.resolve()): AsyncGenerator<Buffer> {
  for (let chunk = 0; chunk < count; chunk += 1) {
    await before(chunk);
    yield Buffer.alloc(8_192, chunk);
  }
}

describe.each([['a disk', true], ['calls that fail like one', false]])('%s that is full', (_, isReal) => {
  let disk: SmallDisk;
  beforeEach(async () => (disk = await SmallDisk.at(root, isReal)));
  afterEach(() => disk.close());

  test.each<[string, (of: FolderStore) => Promise<unknown>]>([
    ['write of a new object', (of) => of.write('a/new', 'x'.repeat(9_000))],
    ['write of one in a new folder', (of) => of.write('a/b/c/new', 'x'.repeat(9_000))],
    ['write over an old one', (of) => of.write('a/old', 'y'.repeat(9_000))],
    ['createIfAbsent', (of) => of.createIfAbsent('a/new', 'x'.repeat(9_000))],
    ['createIfAbsent of a stream', (of) => of.createIfAbsent('a/new', chunks(3))],
    ['replaceIf', async (of) => of.replaceIf('a/old', 'y'.repeat(9_000), (await of.stat('a/old'))!.version)],
    ['a look whether it can be written', (of) => of.ensureWritable()],
  ])('%s: says which archive and what to do, leaves nothing half-written, and is done when there is room', async (_name, operate) => {
    await store.write('a/old', 'old');
    await disk.fill();
    const error = await operate(store).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: 'ENOSPC', location: root, message: expect.stringMatching(`^the archive ${root} is full \\(cannot write .*: ENOSPC\\)\\. Free space .* goes on by itself`) as string });
    expect(await textOf('a/old')).toBe('old');
    expect((await filesBelow()).filter((name) => !['a', 'a/b', 'a/b/c'].includes(name))).toEqual(['a/old']);
    await disk.free();
    expect(await operate(store)).not.toBe(false);
  });

  test('one that fills up in the middle of a stream leaves nothing of it', async () => {
    await expect(store.write('a/large', chunks(20, async (chunk) => (chunk === 11 ? disk.fill() : undefined)))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await filesBelow()).toEqual(['a']);
    await disk.free();
    expect(await store.write('a/large', chunks(20))).toMatchObject({ sizeBytes: 20 * 8_192 });
  });

  test('can be read, and what is removed makes room', async () => {
    await store.write('a/old', 'old');
    await store.write('w/x/y', 'x');
    await disk.fill();
    expect(await textOf('a/old')).toBe('old');
    await store.removeAll('w');
    await store.remove('a/old');
    expect(await filesBelow()).toEqual([]);
  });
});

test('a quota that is used up is told from a full disk', async () => {
  const disk = await SmallDisk.at(root, false);
  await disk.fill('EDQUOT');
  await expect(store.write('a', 'x')).rejects.toMatchObject({ code: 'EDQUOT', message: expect.stringMatching(/is full: its quota is used up .*Raise the quota/) as string });
  await disk.close();
});

test('what killed writers left on a full disk goes with the write that finds it full', async () => {
  await store.write('a/old', 'x');
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const own = await temporaryName();
  const left = [own.replace(/-\d+-/, `-${child.pid!}-`), '.tmp-0123456789ab-1-1-00112233', '.tmp-0123456789ab-2-1-00112233'];
  for (const name of left) await writeFile(join(root, 'a', name), 'half');
  await fs.utimes(join(root, 'a', left[1]!), 0, 0);
  const disk = await SmallDisk.at(root, false);
  try {
    await disk.fill();
    // Not the store that swept this folder before.
    await expect(new FolderStore(root).write('a/new', 'x')).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await filesBelow()).toEqual(['a', `a/${left[2]!}`, 'a/old']);
  } finally {
    await disk.close();
  }
});

/** The name of a temporary file of this process. */
async function temporaryName(): Promise<string> {
  const names: string[] = [];
  await store.write('names/x', chunks(2, async (chunk) => void (chunk === 1 && names.push((await readdir(join(root, 'names'))).find((name) => name.startsWith('.tmp-'))!))));
  await store.removeAll('names');
  return names[0]!;
}

describe('a disk that reports errors', () => {
  /** Lets a call of each file that is opened fail, for as long as `isBroken` says so. */
  function breakFiles(call: 'sync' | 'close' | 'utimes' | 'write', isBroken: (path: string) => boolean, code = 'EIO'): void {
    const open = fs.open;
    jest.spyOn(fs, 'open').mockImplementation(async (path, ...rest) => {
      const file = await open(path, ...rest);
      const inner = file[call].bind(file) as (...args: unknown[]) => Promise<never>;
      const broken = async (...args: unknown[]) => {
        if (!isBroken(String(path))) return inner(...args);
        if (call === 'close') await inner();
        throw systemError(code, call);
      };
      return Object.assign(file, { [call]: broken }) as FileHandle;
    });
  }

  test.each(['write', 'utimes', 'sync', 'close'] as const)('%s: no success is told, nothing is left, and the next try is another file', async (call) => {
    await store.write('a/old', 'old');
    const inodes = new Set<string>();
    breakFiles(call, (path) => {
      if (!path.includes('.tmp-')) return false;
      inodes.add(path);
      return inodes.size <= 3;
    });
    const error = { name: 'StoreError', code: 'EIO', message: expect.stringContaining('disk that reports errors') as string };
    await expect(store.write('a/old', 'new')).rejects.toMatchObject(error);
    await expect(store.createIfAbsent('a/new', 'new')).rejects.toMatchObject(error);
    await expect(store.replaceIf('a/old', 'new', (await store.stat('a/old'))!.version)).rejects.toMatchObject(error);
    expect([await textOf('a/old'), await filesBelow()]).toEqual(['old', ['a', 'a/old']]);
    await store.write('a/old', 'new');
    expect([await textOf('a/old'), inodes.size]).toEqual(['new', 4]);
  });

  test('a folder that cannot be brought to the disk: what was put there does not count before it is', async () => {
    await store.write('a/old', 'old');
    let broken = true;
    breakFiles('sync', (path) => broken && path === join(root, 'a'));
    await expect(store.createIfAbsent('a/new', 'new')).rejects.toMatchObject({ code: 'EIO' });
    for (const look of [store.stat('a/new'), store.openRead('a/new'), store.createIfAbsent('a/new', 'new'), store.read('a/new', 10)]) await expect(look).rejects.toMatchObject({ name: 'StoreError', code: 'EIO' });
    broken = false;
    expect([await store.createIfAbsent('a/new', 'newer'), await textOf('a/new')]).toEqual([false, 'new']);
  });

  test('a rename that is refused leaves the old', async () => {
    await store.write('a/old', 'old');
    jest.spyOn(fs, 'rename').mockRejectedValue(systemError('EIO', 'rename'));
    await expect(store.write('a/old', 'new')).rejects.toMatchObject({ code: 'EIO' });
    expect([await textOf('a/old'), await filesBelow()]).toEqual(['old', ['a', 'a/old']]);
  });

  test.each([['EIO', 'reports errors'], ['ESTALE', 'network share that went away']])('%s in the middle of a large file is told as the archive’s trouble, with the way out', async (code, words) => {
    await store.write('a/large', chunks(100));
    const read = nodeFs.read;
    let reads = 0;
    jest.spyOn(nodeFs, 'read').mockImplementation(((...args: unknown[]) => {
      reads += 1;
      const done = args.at(-1) as (error: Error) => void;
      if (reads > 1) return done(systemError(code, 'read'));
      return (read as (...all: unknown[]) => void)(...args);
    }) as never);
    const error = { name: 'StoreError', code, message: expect.stringContaining(words) as string };
    await expect(readAll(await store.openRead('a/large'))).rejects.toMatchObject(error);
    reads = 0;
    await expect(digestOf(store, 'a/large')).rejects.toMatchObject(error);
  });
});

describe('an archive that changes under a running worker', () => {
  test('removed: it is made again', async () => {
    await store.write('a/b/c', 'x');
    await rm(root, { recursive: true });
    await store.write('a/b/d', 'y');
    expect(await filesBelow()).toEqual(['a', 'a/b', 'a/b/d']);
  });

  test('replaced by a file: every call says so, and goes on when the folder is back', async () => {
    await store.write('a/b', 'x');
    await rename(root, `${root}-away`);
    await writeFile(root, '');
    for (const call of [store.write('a/b', 'y'), store.createIfAbsent('a/c', 'y'), store.ensureWritable()]) {
      await expect(call).rejects.toMatchObject({ name: 'StoreError', code: 'ENOTDIR', message: expect.stringContaining('a file where a folder is needed') as string });
    }
    await rm(root);
    await rename(`${root}-away`, root);
    await store.write('a/b', 'y');
    expect(await textOf('a/b')).toBe('y');
  });

  test('a clock that goes back an hour: versions differ, the latest write is what is read, nothing is swept away', async () => {
    const now = Date.now();
    const versions = new Set<string>();
    for (const [turn, hours] of [0, -1, 3, -30, 0].entries()) {
      jest.spyOn(Date, 'now').mockReturnValue(now + hours * 3_600_000);
      await store.write('a/b', `turn ${turn}`);
      const { version } = (await store.stat('a/b'))!;
      versions.add(version);
      expect([await textOf('a/b'), await store.replaceIf('a/b', `turn ${turn}`, version)]).toEqual([`turn ${turn}`, true]);
      versions.add((await store.stat('a/b'))!.version);
      if (turn > 1) await store.remove('a/b');
    }
    expect(versions.size).toBe(10);
  });
});

describe('limits of a process', () => {
  /** Runs contender.ts on this root under a limit of the shell. */
  async function limited(limit: string, task: string): Promise<Record<string, unknown>> {
    const command = `${limit} && exec "$0" --import tsx "$1" "$2" "$3"`;
    const child = spawn('bash', ['-c', command, process.execPath, join(__dirname, 'contender.ts'), root, task], { stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse((await readAll(child.stdout)).toString()) as Record<string, unknown>;
  }

  test('too few files that may be open: some writes fail with the way out, none is half done, and later ones succeed', async () => {
    const { failed, messages, later } = (await limited('ulimit -n 64', 'crowd')) as { failed: number; messages: string[]; later: boolean };
    expect(failed).toBeGreaterThan(0);
    for (const message of messages) expect(message).toMatch(/too many files open.*Raise its limit \(ulimit -n\)/);
    expect(later).toBe(true);
    const names = await filesBelow();
    expect(names.filter((name) => name.includes('.tmp-'))).toEqual([]);
    for (const name of names.filter((one) => one.startsWith('crowd/'))) expect((await stat(join(root, name))).size).toBe(10_000);
  });

  test('a largest size of files: the write fails with the way out and leaves nothing', async () => {
    const { name, code, message } = await limited('ulimit -f 1024', 'large');
    expect({ name, code, message }).toEqual({ name: 'StoreError', code: 'EFBIG', message: expect.stringMatching(/cannot hold a file as large as this .*ulimit -f/) as string });
    await mkdir(join(root, 'a'), { recursive: true });
    expect(await readdir(join(root, 'a'))).toEqual([]);
  });
});
