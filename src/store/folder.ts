import { link, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { listFolder, statOrNull, versionOf } from './folder-list';
import { FolderLocks, type Locked } from './folder-lock';
import { isTemporary, outdate, stage, sweep, syncFolder, type Staged } from './folder-staging';
import { NotFoundError, type Content, type Store, type StoredObject } from './index';
import { InvalidKeyError, keyParts } from './key';
import { isCode, storeError } from './store-error';

const locksFolder = '.locks';
/** Folders that are known to hold no left-overs; forgotten at this number, so that memory stays bounded. */
const sweptFoldersKept = 10_000;

/**
 * A store in a folder, shared by any number of processes and hosts. An object is a file; a folder that holds no object any more goes away.
 * Every write is a temporary file beside its target, brought to the disk and then renamed, so that a power cut leaves the old or the new whole.
 * Keys are ordered by their UTF-8 bytes. A key cannot be both an object and a folder of others. Errors of the file system come as StoreError.
 */
export class FolderStore implements Store {
  readonly location: string;
  readonly #locks: FolderLocks;
  readonly #swept = new Set<string>();

  /** @param root made with the first write */
  constructor(root: string) {
    this.location = resolve(root);
    this.#locks = new FolderLocks(join(this.location, locksFolder));
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const folder = prefix === '' ? this.location : this.#path(prefix);
    try {
      yield* listFolder(Buffer.from(folder), prefix && `${prefix}/`, prefix === '' ? [locksFolder] : []);
    } catch (error) {
      throw storeError(error, this.location, `list ${prefix || 'it'}`);
    }
  }

  async openRead(key: string, range?: { start: number; end?: number }): Promise<Readable> {
    const path = this.#path(key);
    return this.#guard(`read ${key}`, async () => {
      // A pipe would wait for a writer for ever.
      if (!(await statOrNull(path))?.isFile()) throw new NotFoundError(key);
      if (range?.end !== undefined && range.end < range.start) return Readable.from([], { objectMode: false });
      try {
        const file = await open(path, 'r');
        return file.createReadStream({ highWaterMark: 256 * 1024, ...range });
      } catch (error) {
        throw isCode(error, 'ENOENT', 'ENOTDIR') ? new NotFoundError(key) : error;
      }
    });
  }

  async write(key: string, content: Content, options?: { secret?: boolean }): Promise<{ sizeBytes: number; sha256: string }> {
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content, options?.secret);
    await this.#commit(key, staged, () =>
      this.#locks.hold(key, async (stillHeld) => {
        const found = await statOrNull(target);
        return this.#replace(staged, target, found !== null, stillHeld);
      }),
    );
    return { sizeBytes: staged.sizeBytes, sha256: staged.sha256 };
  }

  async createIfAbsent(key: string, content: string | Uint8Array): Promise<boolean> {
    if (await this.stat(key)) return false;
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content);
    return this.#commit(key, staged, async () => {
      try {
        // A link appears with its whole content, and only if nothing is there.
        await link(staged.path, target);
        // At once: whoever is killed while the disk is waited for would leave it for ever, if nothing is written here any more.
        await unlink(staged.path);
        await syncFolder(dirname(target));
        return true;
      } catch (error) {
        if (isCode(error, 'EEXIST')) return this.#refuseFolder(target);
        if (isCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) return this.#createUnderLock(key, staged, target);
        throw error;
      }
    });
  }

  async replaceIf(key: string, content: string | Uint8Array, version: string): Promise<boolean> {
    if ((await this.stat(key))?.version !== version) return false;
    const target = this.#path(key);
    const staged = await this.#stage(key, target, content);
    return this.#commit(key, staged, () =>
      this.#locks.hold(key, async (stillHeld) => {
        const found = await statOrNull(target);
        if (!found || versionOf(found) !== version) return false;
        return this.#replace(staged, target, true, stillHeld);
      }),
    );
  }

  async stat(key: string): Promise<StoredObject | null> {
    const path = this.#path(key);
    return this.#guard(`look at ${key}`, async () => {
      const found = await statOrNull(path);
      return found?.isFile() ? { key, sizeBytes: Number(found.size), version: versionOf(found) } : null;
    });
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#guard(`remove ${key}`, async () => {
      if (!(await statOrNull(path))?.isFile()) return;
      const take: Locked<true> = async () => {
        await rm(path, { force: true });
        return true;
      };
      try {
        await this.#locks.hold(key, take);
      } catch (error) {
        // A full disk has no room for a lock, and removing is the way to make some.
        if (!isCode(error, 'ENOSPC', 'EDQUOT')) throw error;
        await take(() => true);
      }
      await this.#prune(dirname(path));
    });
  }

  async removeAll(prefix: string): Promise<void> {
    const folder = this.#path(prefix);
    await this.#guard(`remove ${prefix}`, async () => {
      await this.#removeBelow(folder);
      await this.#prune(folder);
    });
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

  async #tryWrite(folder: string): Promise<void> {
    const action = `write into ${folder}`;
    const { path } = await stage(folder, 'a try', { location: this.location, action, secret: true });
    await this.#guard(action, () => unlink(path));
  }

  #path(key: string): string {
    const parts = keyParts(key);
    if (parts[0] === locksFolder || parts.some(isTemporary)) throw new InvalidKeyError(key, 'the store keeps this name for itself');
    return join(this.location, ...parts);
  }

  async #stage(key: string, target: string, content: Content, secret = false): Promise<Staged> {
    const folder = dirname(target);
    const staged = await stage(folder, content, { location: this.location, action: `write ${key}`, secret });
    if (!this.#swept.has(folder)) {
      await sweep(folder);
      if (this.#swept.size >= sweptFoldersKept) this.#swept.clear();
      this.#swept.add(folder);
    }
    return staged;
  }

  /** Puts the staged file in its place, by `commit`; it does not stay behind, whatever happens. */
  async #commit<T>(key: string, staged: Staged, commit: () => Promise<T>): Promise<T> {
    try {
      return await this.#guard(`write ${key}`, commit);
    } finally {
      await rm(staged.path, { force: true }).catch(() => undefined);
    }
  }

  /** Undefined: the lock may be lost, nothing was done. */
  async #replace(staged: Staged, target: string, replaces: boolean, stillHeld: () => boolean): Promise<true | undefined> {
    if (replaces) await outdate(staged.path, target);
    if (!stillHeld()) return undefined;
    await rename(staged.path, target);
    await syncFolder(dirname(target));
    return true;
  }

  /** For file systems without hard links: all writers of a key but `link` hold its lock. */
  async #createUnderLock(key: string, staged: Staged, target: string): Promise<boolean> {
    return this.#locks.hold(key, async (stillHeld) => {
      if (await statOrNull(target)) return this.#refuseFolder(target);
      return this.#replace(staged, target, false, stillHeld);
    });
  }

  /** False, for what is there; an error when that is a folder, which would never count as the object. */
  async #refuseFolder(target: string): Promise<false> {
    if ((await statOrNull(target))?.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR', syscall: 'link' });
    return false;
  }

  async #removeBelow(folder: string): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    });
    await sweep(folder);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        await this.#removeBelow(path);
        await rmdir(path).catch(() => undefined);
      } else if (!isTemporary(entry.name)) {
        await rm(path, { force: true });
      }
    }
  }

  /** Removes this folder and those above it, as long as they are empty. One that is not, or not any more, ends it. */
  async #prune(folder: string): Promise<void> {
    for (let at = folder; at.startsWith(this.location + sep); at = dirname(at)) {
      try {
        await rmdir(at);
      } catch (error) {
        if (!isCode(error, 'ENOENT')) return;
      }
    }
  }

  async #guard<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, this.location, action);
    }
  }
}
