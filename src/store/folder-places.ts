import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { sweep } from './folder-staging';
import { isCode } from './store-error';

/** Folders of which is remembered that they are ready; forgotten at this number, so that memory stays bounded. */
const keptFolders = 10_000;
/**
 * For how long a folder counts as free of left-overs, in ms. Not for ever: another process, on this host too, may be killed while it writes where
 * this one has been before, and this one goes on with its work no sooner than Temporal notices.
 */
const sweptMs = 20_000;

/** A flush of a folder that has begun, and the one for those who came too late for it. */
interface Flush {
  running: Promise<void>;
  next: Promise<void> | null;
}

/**
 * The folders that one store writes into: made when they are missing, brought to the disk, and rid of what killed writers left.
 * What was done once in this process is not done again, and several who wait for one folder share one flush.
 */
export class FolderPlaces {
  /** Folders whose own entries in the folders above are on the disk, or will be when the promise is kept. */
  readonly #onDisk = new Map<string, Promise<unknown>>();
  /** Those that are also free of left-overs, of the last {@link sweptMs}. */
  readonly #swept = new Map<string, Promise<unknown>>();
  #sweptSince = performance.now();
  readonly #flushes = new Map<string, Flush>();
  /** Folders whose last flush failed: what was put there may not be on the disk. */
  readonly #unflushed = new Set<string>();
  /** Where the archive's top folders lie, their own links followed. */
  readonly #tops = new Map<string, string>();

  /** @param root where the store begins: what lies above it is brought to the disk only when it is made here */
  constructor(readonly root: string) {}

  /** For a folder that is there. Kept: its left-overs are gone, and it would be there after a power cut. */
  ready(folder: string): Promise<unknown> {
    if (performance.now() - this.#sweptSince > sweptMs) {
      this.#swept.clear();
      this.#sweptSince = performance.now();
    }
    return remember(this.#swept, folder, () => Promise.all([this.#bringToDisk(folder), sweep(folder)]));
  }

  /**
   * Makes a folder, and those above it that are missing; {@link ready} says when that is on the disk. Not by mkdir's own recursion:
   * where a file system refuses new folders with ENOENT, as /proc does, that tries for ever.
   */
  async make(folder: string): Promise<void> {
    try {
      await this.#makeOne(folder);
    } catch (error) {
      if (!isCode(error, 'ENOENT') || dirname(folder) === folder) throw error;
      await this.make(dirname(folder));
      await this.#makeOne(folder);
    }
  }

  async #makeOne(folder: string): Promise<void> {
    try {
      await mkdir(folder);
    } catch (error) {
      if (isCode(error, 'EEXIST')) return;
      throw error;
    }
    this.forget(folder);
    // A new one holds nothing to sweep.
    remember(this.#swept, folder, () => this.#bringToDisk(folder, true)).catch(() => undefined);
  }

  /**
   * Refuses a folder that is, or would be made, behind a link inside the archive: whoever may write there could lead us out of it, to write or
   * remove elsewhere. The archive and its top folders may be links, to folders that are there, as somebody who sets it up wants.
   * @throws ELINK, as an error of the file system
   */
  async refuseLinks(folder: string): Promise<void> {
    const found = await realpath(folder).catch(() => null);
    if (found === null) {
      // Not there, or a link to what is not there; what is above it may be a link all the same.
      await refuseLink(folder);
      if (folder.startsWith(this.root + sep)) await this.refuseLinks(dirname(folder));
      return;
    }
    const [top, ...rest] = relative(this.root, folder).split(sep);
    if (!top || rest.length === 0) return;
    const isExpected = () => found === join(this.#tops.get(top) ?? '', ...rest);
    if (isExpected()) return;
    this.#tops.set(top, await realpath(join(this.root, top)));
    if (isExpected()) return;
    for (let depth = 1; depth <= rest.length; depth += 1) await refuseLink(join(this.root, top, ...rest.slice(0, depth)));
  }

  /** After a folder was removed. */
  forget(folder: string): void {
    this.#onDisk.delete(folder);
    this.#swept.delete(folder);
  }

  #bringToDisk(folder: string, isNew = false): Promise<unknown> {
    const above = dirname(folder);
    return remember(this.#onDisk, folder, async () => {
      if (above === folder || (!isNew && !folder.startsWith(`${this.root}/`))) return;
      await Promise.all([this.flush(above), this.#bringToDisk(above)]);
    });
  }

  /** Waits until the folder's entries, as they are now, are on the disk. Callers that come while a flush is running share the next one. */
  flush(folder: string): Promise<void> {
    const known = this.#flushes.get(folder);
    if (known) return (known.next ??= known.running.catch(() => undefined).then(() => this.#beginFlush(folder)));
    return this.#beginFlush(folder);
  }

  /** Before what lies in a folder is relied on: a flush of it that failed is made up for, or fails again. */
  async settle(folder: string): Promise<void> {
    if (this.#unflushed.size > 0 && this.#unflushed.has(folder)) await this.flush(folder);
  }

  #beginFlush(folder: string): Promise<void> {
    const flush: Flush = { running: syncFolder(folder), next: null };
    this.#flushes.set(folder, flush);
    const end = () => {
      if (flush.next === null) this.#flushes.delete(folder);
    };
    flush.running.then(
      () => {
        this.#unflushed.delete(folder);
        end();
      },
      () => {
        this.#unflushed.add(folder);
        end();
      },
    );
    return flush.running;
  }
}

async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSymbolicLink()) throw Object.assign(new Error(`${path} is a link`), { code: 'ELINK', syscall: 'lstat' });
}

/** Stands for every promise that was kept: one of its own would hold on to the context of the caller it was made for, an activity with all it knows. */
const kept: Promise<unknown> = Promise.resolve();

/** What `all` has under this name, or what `make` promises; a promise that is broken is forgotten. */
function remember(all: Map<string, Promise<unknown>>, name: string, make: () => Promise<unknown>): Promise<unknown> {
  const known = all.get(name);
  if (known) return known;
  if (all.size >= keptFolders) all.clear();
  const promise = make();
  all.set(name, promise);
  const isKnown = () => all.get(name) === promise;
  promise.then(
    () => isKnown() && all.set(name, kept),
    () => isKnown() && all.delete(name),
  );
  return promise;
}

/** Waits until the folder's entries are on the disk, where the file system knows such a thing. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isCode(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EPERM', 'EBADF', 'ENOENT')) throw error;
  }
}
