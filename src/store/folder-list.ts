import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import type { StoredObject } from './index';
import { isTemporary } from './folder-staging';
import { isCode } from './store-error';

/** Files looked at together; bounds what a folder of many small ones costs in time. */
const statsAtOnce = 32;

interface Entry {
  name: Buffer;
  /** What its key is sorted by: a folder's objects all have a `/` after its name. */
  sortedBy: Buffer;
  isFolder: boolean;
}

/** What a version is made of: every write makes a new inode, and a younger modification time than what it replaces. */
export const versionOf = (stats: BigIntStats): string => `${stats.ino}-${stats.size}-${stats.mtimeNs}`;

/**
 * Everything below a folder that is no folder itself, in the order of the keys' UTF-8 bytes. One folder's names are in memory at a time, for
 * each level. Names in `hidden` are left out at the top. What vanishes meanwhile is left out; so is nothing else: links that lead to folders or
 * nowhere and the like are listed, so that whoever checks an archive sees them.
 */
export async function* listFolder(folder: Buffer, keyPrefix: string, hidden: readonly string[] = []): AsyncGenerator<StoredObject> {
  const entries = await readEntries(folder, hidden);
  for (let at = 0; at < entries.length; ) {
    const entry = entries[at]!;
    if (entry.isFolder) {
      yield* listFolder(join(folder, entry.name), `${keyPrefix}${entry.name.toString()}/`);
      at += 1;
      continue;
    }
    const files = takeFiles(entries, at);
    for (const object of await Promise.all(files.map((file) => describe(folder, file.name, keyPrefix)))) if (object) yield object;
    at += files.length;
  }
}

const join = (folder: Buffer, name: Buffer): Buffer => Buffer.concat([folder, Buffer.from('/'), name]);

function takeFiles(entries: Entry[], from: number): Entry[] {
  let end = from;
  while (end < entries.length && end - from < statsAtOnce && !entries[end]!.isFolder) end += 1;
  return entries.slice(from, end);
}

async function readEntries(folder: Buffer, hidden: readonly string[]): Promise<Entry[]> {
  let found: Dirent<Buffer>[];
  try {
    // As bytes: a name that is not UTF-8 would not be found again under its decoded name.
    found = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  return found
    .filter(({ name }) => !isTemporary(name.toString()) && !hidden.includes(name.toString()))
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory(), sortedBy: entry.isDirectory() ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name }))
    .sort((a, b) => Buffer.compare(a.sortedBy, b.sortedBy));
}

async function describe(folder: Buffer, name: Buffer, keyPrefix: string): Promise<StoredObject | null> {
  const path = join(folder, name);
  const stats = (await statOrNull(path)) ?? (await lstat(path, { bigint: true }).catch(() => null));
  return stats && { key: `${keyPrefix}${name.toString()}`, sizeBytes: Number(stats.size), version: versionOf(stats) };
}

/** What a path leads to; null when that is nothing. */
export async function statOrNull(path: Buffer | string): Promise<BigIntStats | null> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}
