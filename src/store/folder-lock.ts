import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isGone, newOwner } from './owner';
import { isCode } from './store-error';

/** A holder that was stopped for longer than this takes nothing for granted any more. */
const safeMs = 20_000;

/** Work under a lock. `stillHeld` is asked right before a change: false means that the lock may have been taken over. */
export type Locked<T> = (stillHeld: () => boolean) => Promise<T>;

/**
 * One lock a key, among all processes that share the folder: a file that only one of them can create, holding its owner's name.
 * An owner that died on this host is noticed at once; one of another host, after the same lock was seen for a minute.
 */
export class FolderLocks {
  constructor(
    private readonly folder: string,
    /** How long one and the same lock is respected when nobody can tell whether its owner lives. It is held for milliseconds. */
    private readonly abandonedMs = 60_000,
  ) {}

  /** Runs `work` alone among those who hold the key's lock. When it answers `undefined` the lock was lost, and it runs again. */
  async hold<T>(key: string, work: Locked<T | undefined>): Promise<T> {
    const path = join(this.folder, createHash('sha256').update(key).digest('hex').slice(0, 32));
    for (;;) {
      const owner = await this.#acquire(path);
      const since = performance.now();
      const stillHeld = () => performance.now() - since < safeMs;
      try {
        const result = await work(stillHeld);
        if (result !== undefined) return result;
      } finally {
        if (stillHeld() || (await readLock(path)) === owner) await unlinkIfThere(path);
      }
    }
  }

  async #acquire(path: string): Promise<string> {
    const owner = newOwner();
    let seen: { lock: string | null; since: number } = { lock: null, since: 0 };
    for (;;) {
      if (await this.#create(path, owner)) return owner;
      const lock = await readLock(path);
      if (lock === null) continue;
      if (seen.lock !== lock) seen = { lock, since: performance.now() };
      const seenMs = performance.now() - seen.since;
      if ((isGone(lock) || seenMs > this.abandonedMs) && (await takeAway(path, lock, seenMs > 2 * this.abandonedMs))) continue;
      // The owner needs a few milliseconds; a random wait keeps several waiters from meeting again and again.
      await delay(1 + Math.random() * 10);
    }
  }

  async #create(path: string, owner: string): Promise<boolean> {
    try {
      const file = await open(path, 'wx');
      // On a full disk the name may not fit; the lock holds all the same.
      await file.write(owner).catch(() => undefined);
      await file.close();
      return true;
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false;
      if (!isCode(error, 'ENOENT')) throw error;
      await mkdir(this.folder, { recursive: true });
      return false;
    }
  }
}

/** The lock's owner; something unique to it when the owner has not written its name yet; null when there is no lock. */
async function readLock(path: string): Promise<string | null> {
  try {
    const owner = await readFile(path, 'utf8');
    if (owner !== '') return owner;
    const { ino, mtimeMs } = await stat(path);
    return `unnamed ${ino} ${mtimeMs}`;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/**
 * Removes the lock that `lock` left behind, and never one that came after it: only the creator of a file named after `lock` may,
 * and it looks again first. Nobody but that one could have removed `lock` in between, for its owner is gone. False: another one is at it.
 */
async function takeAway(path: string, lock: string, longAgo: boolean): Promise<boolean> {
  const right = `${path}.${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`;
  try {
    await writeFile(right, '', { flag: 'wx' });
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
    // Whoever had the right died before it used it.
    if (longAgo) await unlinkIfThere(right);
    return false;
  }
  if ((await readLock(path)) === lock) await unlinkIfThere(path);
  await unlinkIfThere(right);
  return true;
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}
