import { createHash, randomInt } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, open, readdir, unlink, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { FolderPlaces } from './folder-places';
import type { Content } from './index';
import { isGone, isOwner, newOwner } from './owner';
import { isCode, storeError } from './store-error';

const prefix = '.tmp-';
/** A temporary file of another host or container is left alone until it has not been written to for this long. */
const abandonedMs = 24 * 3_600_000;
/** The same when the disk is full: whoever still writes does so more often than this, and would only have to begin again. */
const abandonedOnFullMs = 15 * 60_000;
/** How often a folder may vanish under a writer (because another one emptied it) before that is an error. */
const folderTries = 50;

/** What the file system says when there is no room. */
export const fullCodes = ['ENOSPC', 'EDQUOT'];

/** Whether this is the name of a file that is being written: never listed, and no part of a key. */
export const isTemporary = (name: string): boolean => name.startsWith(prefix) && isOwner(name.slice(prefix.length));

/** Content on disk under a temporary name, ready to take its place. */
export interface Staged {
  path: string;
  sizeBytes: number;
  sha256: string;
  /** Whether it has left its temporary name. */
  isPlaced: boolean;
}

/** Where and for what something is staged; `location` and `action` are for errors. */
export interface StagingOptions {
  /** Makes the folder when it is missing. */
  places: FolderPlaces;
  location: string;
  action: string;
  secret: boolean;
}

/**
 * Writes the content under a temporary name into `folder`, making the folder when needed, and waits until it is on the disk.
 * When `content` fails nothing stays and its error passes; errors of the file system become StoreErrors.
 */
export async function stage(folder: string, content: Content, options: StagingOptions): Promise<Staged> {
  try {
    return await stageOnce(folder, content, options);
  } catch (error) {
    // What a killed writer left may be what fills the disk, and the sweep after a write would never come.
    if (isCode(error, ...fullCodes)) await sweep(folder, abandonedOnFullMs);
    throw error;
  }
}

async function stageOnce(folder: string, content: Content, options: StagingOptions): Promise<Staged> {
  const guard = guardFor(options);
  const { file, path } = await guard(() => create(folder, options));
  try {
    const written = await writeHashed(file, content, guard);
    await guard(() => finish(file));
    await guard(() => file.close());
    return { path, ...written, isPlaced: false };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

type Guard = <T>(work: () => Promise<T>) => Promise<T>;

const guardFor = ({ location, action }: StagingOptions): Guard => async (work) => {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, location, action);
  }
};

async function create(folder: string, { places, secret }: StagingOptions): Promise<{ file: FileHandle; path: string }> {
  for (let tries = 1; ; tries += 1) {
    const path = join(folder, `${prefix}${newOwner()}`);
    try {
      if (tries > 1) await places.make(folder);
      await places.refuseLinks(folder);
      return { file: await open(path, 'wx', secret ? 0o600 : 0o666), path };
    } catch (error) {
      // Nobody wrote here yet; or someone removed the last object of this folder, and the folder with it, before ours was in it.
      if (!isCode(error, 'ENOENT') || tries === folderTries) throw error;
    }
  }
}

async function writeHashed(file: FileHandle, content: Content, guard: Guard): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const append = async (chunk: Uint8Array) => {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
    await guard(() => writeAll(file, chunk));
  };
  if (typeof content === 'string') await append(Buffer.from(content));
  else if (content instanceof Uint8Array) await append(content);
  else for await (const chunk of content) await append(chunk);
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    offset += (await file.write(chunk, offset, chunk.byteLength - offset)).bytesWritten;
  }
}

async function finish(file: FileHandle): Promise<void> {
  // Versions are made of inode, size and modification time. Clocks of file systems tick in milliseconds and inodes are used again,
  // so the time gets a random part: an object that was removed and made again within one tick still has another version.
  const seconds = (Date.now() + randomInt(1_000) / 1_000) / 1_000;
  await file.utimes(seconds, seconds);
  await file.sync();
}

/** Makes a file that is about to replace another one younger than it, so that no version ever comes back. */
export async function outdate(path: string, own: BigIntStats, other: BigIntStats): Promise<void> {
  if (own.mtimeNs > other.mtimeNs) return;
  const seconds = (Number(other.mtimeNs) / 1_000_000 + 1) / 1_000;
  await utimes(path, seconds, seconds);
}

/** Removes what killed writers left in a folder: files of processes that are gone, and of unknown ones after a day, or `afterMs`. */
export async function sweep(folder: string, afterMs = abandonedMs): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isTemporary)) await sweepOne(folder, name, afterMs);
}

/** Removes a temporary file if a killed writer left it. */
export async function sweepOne(folder: string, name: string, afterMs = abandonedMs): Promise<void> {
  const path = join(folder, name);
  if (await isLeftOver(path, name, afterMs)) await unlink(path).catch(() => undefined);
}

/** Whether a killed writer left this temporary file, as far as can be told from here. */
export async function isLeftOver(path: string, name: string, afterMs = abandonedMs): Promise<boolean> {
  if (isGone(name.slice(prefix.length))) return true;
  const found = await lstat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > afterMs;
}
