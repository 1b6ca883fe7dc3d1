import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderStore } from '../../src/store/folder';
import { readAll, storeConformance } from './conformance';

const makeRoot = () => mkdtemp(join(tmpdir(), 'store-'));

storeConformance('FolderStore', async () => {
  const root = await makeRoot();
  return { open: () => new FolderStore(join(root, 'archive')), close: () => rm(root, { recursive: true, force: true }) };
});

storeConformance('FolderStore with blocking reads', async () => {
  const root = await makeRoot();
  return { open: () => new FolderStore(root, { blockingReads: true }), close: () => rm(root, { recursive: true, force: true }) };
});

describe('FolderStore', () => {
  let root: string;
  let store: FolderStore;
  beforeEach(async () => {
    root = await makeRoot();
    store = new FolderStore(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const everything = async () => (await readdir(root, { recursive: true })).filter((name) => name !== '.locks').sort();
  const keys = async (prefix = '') => {
    const found: string[] = [];
    for await (const { key } of store.list(prefix)) found.push(key);
    return found;
  };

  test('secret files are for their owner only, also when they replace an open one', async () => {
    await store.write('a', 'open');
    expect((await stat(join(root, 'a'))).mode & 0o077).not.toBe(0);
    await store.write('a', 'sealed', { secret: true });
    expect((await stat(join(root, 'a'))).mode & 0o777).toBe(0o600);
  });

  test('nothing is left but the objects: no temporary file, no lock, no empty folder', async () => {
    await store.write('a/b/c', 'x');
    await store.createIfAbsent('a/d', 'x');
    await store.createIfAbsent('a/d', 'y');
    await store.replaceIf('a/d', 'z', (await store.stat('a/d'))!.version);
    await store.remove('a/b/c');
    expect(await everything()).toEqual(['a', 'a/d']);
    await store.removeAll('a');
    expect(await everything()).toEqual([]);
    expect(await readdir(join(root, '.locks'))).toEqual([]);
  });

  test('a new object has lost its temporary name before the disk is waited for', async () => {
    await store.write('a/b', 'x');
    const seen: string[][] = [];
    const open = fs.open;
    const spy = jest.spyOn(fs, 'open').mockImplementation(async (path, ...rest) => {
      if (path === join(root, 'a')) seen.push((await readdir(join(root, 'a'))).sort());
      return open(path, ...rest);
    });
    try {
      expect(await store.createIfAbsent('a/c', 'x')).toBe(true);
    } finally {
      spy.mockRestore();
    }
    expect(seen).toEqual([['b', 'c']]);
  });

  test('a large stream needs little memory', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 7);
    let peak = 0;
    async function* large() {
      for (let i = 0; i < 256; i += 1) {
        yield chunk;
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
        await Promise.resolve();
      }
    }
    const before = process.memoryUsage().arrayBuffers;
    expect(await store.write('large', large())).toMatchObject({ sizeBytes: 256 * 1024 * 1024 });
    expect(peak - before).toBeLessThan(32 * 1024 * 1024);
  });

  describe('left-overs of killed writers', () => {
    const temporary = (owner: string) => `.tmp-${owner}`;
    /** The name a living process of this place uses, with another process in it. */
    const ownName = async (pid: string) => {
      async function* content() {
        yield Buffer.from('x');
        const name = (await readdir(join(root, 'names'))).find((entry) => entry.startsWith('.tmp-'))!;
        names.push(name.slice('.tmp-'.length));
        yield Buffer.from('y');
      }
      const names: string[] = [];
      await store.write('names/x', content());
      const [place, , start, random] = names[0]!.split('-');
      return [place, pid, start, random].join('-');
    };
    const deadPid = async () => {
      const child = spawn(process.execPath, ['-e', '']);
      await once(child, 'exit');
      return String(child.pid);
    };

    test('are never listed, are no keys, and go with the next write beside them', async () => {
      const dead = temporary(await ownName(await deadPid()));
      const elsewhere = temporary('0123456789ab-1-1-00112233');
      const old = temporary('0123456789ab-2-1-00112233');
      await mkdir(join(root, 'a'));
      for (const name of [dead, elsewhere, old]) await writeFile(join(root, 'a', name), 'half');
      await utimes(join(root, 'a', old), 0, 0);
      expect(await keys('a')).toEqual([]);
      await expect(store.stat(`a/${dead}`)).rejects.toThrow('keeps this name for itself');
      await store.write('a/b', 'x');
      expect((await readdir(join(root, 'a'))).sort()).toEqual([elsewhere, 'b'].sort());
      expect(await keys('a')).toEqual(['a/b']);
    });

    test('go also from a folder that this process made or swept before, once that is a while ago', async () => {
      await store.write('a/b', 'x');
      const dead = temporary(await ownName(await deadPid()));
      await writeFile(join(root, 'a', dead), 'half');
      const now = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
      try {
        await store.write('a/c', 'x');
      } finally {
        now.mockRestore();
      }
      expect((await readdir(join(root, 'a'))).sort()).toEqual(['b', 'c']);
    });

    test('a writer killed in the middle leaves nothing that counts', async () => {
      const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'contender.ts'), root, 'stall'], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await readdir(join(root, 'a'))).toEqual([expect.stringMatching(/^\.tmp-/)]);
      expect(await keys()).toEqual([]);
      await store.write('a/large', 'whole');
      expect(await readdir(join(root, 'a'))).toEqual(['large']);
    });

    test('a lock whose owner died is taken over at once', async () => {
      await store.write('key', 'old');
      await store.write('key', 'older');
      const owner = await ownName(await deadPid());
      // The lock's name is the store's own matter, so it is taken from a lock in use.
      const held = await lockName('key');
      await writeFile(join(root, '.locks', held), owner);
      await Promise.all([store.write('key', 'new'), store.write('key', 'new')]);
      expect((await readAll(await store.openRead('key'))).toString()).toBe('new');
      expect(await readdir(join(root, '.locks'))).toEqual([]);
    });

    async function lockName(key: string): Promise<string> {
      const { createHash } = await import('node:crypto');
      return createHash('sha256').update(key).digest('hex').slice(0, 32);
    }
  });

  test('listing shows what does not belong: links to folders, dangling links, names that are not UTF-8', async () => {
    await store.write('a/b', 'x');
    await symlink(root, join(root, 'a', 'folder-link'));
    await symlink(join(root, 'nowhere'), join(root, 'a', 'dangling'));
    await writeFile(Buffer.concat([Buffer.from(join(root, 'a', 'x')), Buffer.from([0xff])]), 'x');
    expect(await keys('a')).toEqual(['a/b', 'a/dangling', 'a/folder-link', 'a/x\ufffd']);
    await expect(store.openRead('a/folder-link')).rejects.toThrow('is not in the archive');
  });

  test('a folder in the place of an object is an error that says so', async () => {
    await store.write('a/b', 'x');
    const error = { name: 'StoreError', code: 'EISDIR', location: root, message: expect.stringContaining('folder where a file is needed') as string };
    await expect(store.write('a', 'x')).rejects.toMatchObject(error);
    await expect(store.createIfAbsent('a', 'x')).rejects.toMatchObject(error);
    await expect(store.write('a/b/c', 'x')).rejects.toMatchObject({ name: 'StoreError', message: expect.stringContaining('file where a folder is needed') as string });
    expect(await everything()).toEqual(['a', 'a/b']);
  });

  describe('an archive that cannot be written', () => {
    test('below a file', async () => {
      await writeFile(join(root, 'file'), 'x');
      const broken = new FolderStore(join(root, 'file', 'archive'));
      const error = { name: 'StoreError', code: 'ENOTDIR', location: join(root, 'file', 'archive'), fix: expect.stringContaining('PLANGREP_ARCHIVE') as string };
      await expect(broken.ensureWritable()).rejects.toMatchObject(error);
      await expect(broken.write('a/b', 'x')).rejects.toMatchObject(error);
      expect(await readFile(join(root, 'file'), 'utf8')).toBe('x');
    });

    test('a file system that refuses new folders as if they were missing', async () => {
      await expect(new FolderStore('/proc/archive/x').ensureWritable()).rejects.toMatchObject({ name: 'StoreError', code: 'ENOENT' });
    });

    test('names too long', async () => {
      await expect(store.write('x'.repeat(300), 'x')).rejects.toMatchObject({ name: 'StoreError', code: 'ENAMETOOLONG' });
    });

    test('ensureWritable leaves nothing, and looks into the folders that are there', async () => {
      const fresh = new FolderStore(join(root, 'not', 'yet'));
      await fresh.ensureWritable();
      await store.write('batches/x/y', 'x');
      await store.ensureWritable();
      expect(await everything()).toEqual(['batches', 'batches/x', 'batches/x/y', 'not', 'not/yet']);
    });

    test('as another user', async () => {
      await mkdir(join(root, 'batches'));
      await chmod(root, 0o755);
      await chmod(join(root, 'batches'), 0o555);
      const answer = await contender('denied');
      expect(answer).toMatchObject({ name: 'StoreError', code: 'EACCES', location: root });
      expect(answer.message).toContain('not open to this user');
      await chmod(join(root, 'batches'), 0o755);
    });
  });

  test('several processes at once: no increment is lost, one claim of each round wins', async () => {
    await store.write('counter', '0');
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => contender('count', name)));
    expect((await readAll(await store.openRead('counter'))).toString()).toBe('75');
    const wins = answers.flatMap((answer) => answer.won as number[]).sort((a, b) => a - b);
    expect(wins).toEqual(Array.from({ length: 25 }, (_, round) => round));
    expect(await readdir(join(root, '.locks'))).toEqual([]);
    expect((await readdir(root)).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
  });

  /** Runs contender.ts in a process of its own on this root. */
  async function contender(...args: string[]): Promise<Record<string, unknown>> {
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'contender.ts'), root, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const output = await readAll(child.stdout);
    return JSON.parse(output.toString()) as Record<string, unknown>;
  }
});
