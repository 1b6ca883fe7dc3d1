import type { BigIntStats } from 'node:fs';
import { link, lstat, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { findLeftOvers, type LeftOvers } from './folder-left-overs';
import { listFolder } from './folder-list';
import { FolderLocks, type Locked } from './folder-lock';
import { FolderPlaces } from './folder-places';
import { FolderReader, versionOf, type ByteRange } from './folder-read';
import { prune, removeBelow } from './folder-remove';
import { fullCodes, isTemporary, outdate, stage, sweep, type Staged } from './folder-staging';
import { NotFoundError, type Content, type Store, type StoredObject } from './index';
import { InvalidKeyError, keyParts } from './key';
import { isCode, storeError } from './store-error';

const locksFolder = '.locks';

/** How a {@link FolderStore} works. */
export interface FolderStoreOptions {
  /**
   * Small reads and listings may block this process as long as the disk answers at once, which costs a sixth of the processor's time.
   * For a command that does nothing else. Default false.
   */
  blockingReads?: boolean;
}

/**
 * A store in a folder, shared by any number of processes and hosts. An object is a file; a folder that holds no object any more goes away.
 * Every write is a temporary file beside its target, brought to the disk and then linked or renamed, so that a power cut leaves the old or the
 * new whole. What is not there yet is linked, which needs no lock: the file system does that once or not at all.
 * Keys are ordered by their UTF-8 bytes. A key cannot be both an object and a folder of others. Errors of the file system come as StoreError.
 */
export class FolderStore implements Store {
  readonly location: string;
  readonly #locks: FolderLocks;
  readonly #places: FolderPlaces;
  readonly #reader: FolderReader;

  /** @param root made with the first write */
  constructor(root: string, { blockingReads = false }: FolderStoreOptions = {}) {
    this.location = resolve(root);
    this.#locks = new FolderLocks(join(this.location, locksFolder));
    this.#places = new FolderPlaces(this.location);
    this.#reader = new FolderReader(blockingReads);
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const folder = prefix === '' ? this.location : this.#path(prefix);
    try {
      yield* listFolder(this.#reader, Buffer.from(folder), prefix && `${prefix}/`, prefix === '' ? [locksFolder] : []);
    } catch (error) {
      throw storeError(error, this.location, `list ${prefix || 'it'}`);
    }
  }

  async openRead(key: string, range?: ByteRange): Promise<Readable> {
    const path = this.#path(key);
    const explain = (error: Error) => storeError(error, this.location, `read ${key}`) as Error;
    const stream = await this.#settled(`read ${key}`, path, () => this.#reader.stream(path, { ...range, explain }));
    if (!stream) throw new NotFoundError(key);
    return stream;
  }

  async read(key: string, maxBytes: number): Promise<{ bytes: Buffer; version: string } | null> {
    const path = this.#path(key);
    const found = await this.#settled(`read ${key}`, path, () => this.#reader.read(path, maxBytes));
    if (found === undefined) throw new NotFoundError(key);
    return found;
  }

  async write(key: string, content: Content, options?: { secret?: boolean }): Promise<{ sizeBytes: number; sha256: string }> {
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content, options?.secret);
    await this.#commit(key, staged, target, async () => (await this.#link(staged, target)) || this.#overwrite(key, staged, target));
    return { sizeBytes: staged.sizeBytes, sha256: staged.sha256 };
  }

  async createIfAbsent(key: string, content: Content, options?: { secret?: boolean }): Promise<boolean> {
    if (await this.stat(key)) return false;
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content, options?.secret);
    return this.#commit(key, staged, target, () => this.#create(key, staged, target));
  }

  async #create(key: string, staged: Staged, target: string): Promise<boolean> {
    const linked = await this.#link(staged, target);
    if (linked === null) return this.#createUnderLock(key, staged, target);
    if (linked || (await this.#isLinked(staged, target))) return true;
    return (await this.#unlinkDangling(key, target)) && this.#create(key, staged, target);
  }

  /** A link that leads nowhere is no object, and in the way of one. */
  async #unlinkDangling(key: string, target: string): Promise<boolean> {
    if (await this.#reader.stat(target)) return false;
    return this.#locks.hold(key, async () => {
      if ((await this.#reader.stat(target)) || !(await lstat(target).catch(() => null))?.isSymbolicLink()) return false;
      await unlinkIfThere(target);
      return true;
    });
  }

  async replaceIf(key: string, content: string | Uint8Array, version: string): Promise<boolean> {
    if ((await this.stat(key))?.version !== version) return false;
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content);
    return this.#commit(key, staged, target, () =>
      this.#locks.hold(key, async (stillHeld) => {
        const found = await this.#reader.stat(target);
        if (!found || versionOf(found) !== version) return false;
        return this.#replace(staged, target, found, stillHeld);
      }),
    );
  }

  async stat(key: string): Promise<StoredObject | null> {
    const path = this.#path(key);
    return this.#settled(`look at ${key}`, path, async () => {
      const found = await this.#reader.stat(path);
      return found?.isFile() ? { key, sizeBytes: Number(found.size), version: versionOf(found) } : null;
    });
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#guard(`remove ${key}`, async () => {
      if (!(await this.#reader.stat(path))?.isFile()) return;
      await this.#places.refuseLinks(dirname(path));
      const take: Locked<true> = async () => {
        await unlinkIfThere(path);
        return true;
      };
      try {
        await this.#locks.hold(key, take);
      } catch (error) {
        // A full disk has no room for a lock, and removing is the way to make some.
        if (!isCode(error, ...fullCodes)) throw error;
        await take(() => true);
      }
      await prune(dirname(path), this.#places);
    });
  }

  async removeAll(prefix: string): Promise<void> {
    const folder = this.#path(prefix);
    await this.#guard(`remove ${prefix}`, async () => {
      await this.#places.refuseLinks(dirname(folder));
      await removeBelow(folder, this.#places);
      await prune(folder, this.#places);
    });
  }

  tidy(prefix: string): Promise<void> {
    return sweep(this.#path(prefix));
  }

  /**
   * Tries a write wherever objects go, and leaves nothing but the archive's folder.
   * @throws StoreError saying why the archive cannot be written, and what to do
   */
  async ensureWritable(): Promise<void> {
    await this.#tryWrite(this.location);
    const entries = await this.#guard('list it', () => readdir(this.location, { withFileTypes: true }));
    for (const entry of entries) if (entry.isDirectory()) await this.#tryWrite(join(this.location, entry.name));
  }

  /**
   * Temporary files that killed writers left, in any folder; `remove` takes them away. A writer sweeps only the folders that it writes into.
   * Costs a listing of the whole archive. @throws StoreError
   */
  leftOvers({ remove = false }: { remove?: boolean } = {}): Promise<LeftOvers> {
    return this.#guard('look for temporary files', () => findLeftOvers(this.location, remove));
  }

  async #tryWrite(folder: string): Promise<void> {
    const action = `write into ${folder}`;
    const { path } = await stage(folder, 'a try', { places: this.#places, location: this.location, action, secret: true });
    await this.#guard(action, () => unlink(path));
  }

  #path(key: string): string {
    const parts = keyParts(key);
    if (parts[0] === locksFolder || parts.some(isTemporary)) throw new InvalidKeyError(key, 'the store keeps this name for itself');
    return join(this.location, ...parts);
  }

  #stage(key: string, target: string, content: Content, secret = false): Promise<Staged> {
    return stage(dirname(target), content, { places: this.#places, location: this.location, action: `write ${key}`, secret });
  }

  /** Puts the staged file in its place, by `commit`, and sees to it that it stays there; under its temporary name it does not, whatever happens. */
  async #commit(key: string, staged: Staged, target: string, commit: () => Promise<boolean>): Promise<boolean> {
    const folder = dirname(target);
    try {
      return await this.#guard(`write ${key}`, async () => {
        const done = await commit();
        if (done) await Promise.all([this.#places.flush(folder), this.#places.ready(folder)]);
        return done;
      });
    } finally {
      if (!staged.isPlaced) await unlink(staged.path).catch(() => undefined);
    }
  }

  /**
   * Lets the staged file appear with its whole content, only if nothing is there. False: something is, and stays as it is; null: this file
   * system has no hard links.
   */
  async #link(staged: Staged, target: string): Promise<boolean | null> {
    try {
      await link(staged.path, target);
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false;
      if (isCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) return null;
      throw error;
    }
    return this.#leaveName(staged);
  }

  /** At once: whoever is killed while the disk is waited for would leave it for ever, if nothing is written here any more. */
  async #leaveName(staged: Staged): Promise<true> {
    await unlink(staged.path);
    staged.isPlaced = true;
    return true;
  }

  /** Whether a refused link was made all the same: a network share may lose the answer to a call that it carried out, and refuse its repeat. */
  async #isLinked(staged: Staged, target: string): Promise<boolean> {
    const found = refuseFolder(await this.#reader.stat(target));
    return found?.ino === (await lstat(staged.path, { bigint: true })).ino && this.#leaveName(staged);
  }

  #overwrite(key: string, staged: Staged, target: string): Promise<boolean> {
    return this.#locks.hold(key, async (stillHeld) => this.#replace(staged, target, refuseFolder(await this.#reader.stat(target)), stillHeld));
  }

  /** For file systems without hard links: all writers of a key but `link` hold its lock. */
  #createUnderLock(key: string, staged: Staged, target: string): Promise<boolean> {
    return this.#locks.hold(key, async (stillHeld) => (refuseFolder(await this.#reader.stat(target)) ? false : this.#replace(staged, target, null, stillHeld)));
  }

  /** Undefined: the lock may be lost, nothing was done. */
  async #replace(staged: Staged, target: string, found: BigIntStats | null, stillHeld: () => boolean): Promise<true | undefined> {
    if (found) {
      const own = await lstat(staged.path, { bigint: true });
      // A link whose answer was lost: see #isLinked.
      if (own.ino === found.ino) return this.#leaveName(staged);
      await outdate(staged.path, own, found);
    }
    if (!stillHeld()) return undefined;
    await rename(staged.path, target);
    staged.isPlaced = true;
    return true;
  }

  /** What was put here and may not be on the disk, because waiting for that failed, does not count before it is. */
  #settled<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
    return this.#guard(action, async () => {
      await this.#places.settle(dirname(path));
      return work();
    });
  }

  async #guard<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, this.location, action);
    }
  }
}

/** What is there, unless it is a folder: that would never count as the object. */
function refuseFolder(found: BigIntStats | null): BigIntStats | null {
  if (found?.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR', syscall: 'link' });
  return found;
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isCode(error, 'ENOENT')) throw error;
  });
}
