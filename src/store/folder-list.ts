import type { Dirent } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { StoredObject } from './index';
import { versionOf, type FolderReader } from './folder-read';
import { isTemporary } from './folder-staging';

/** Files looked at together; bounds what a folder of many small ones costs in time. */
const statsAtOnce = 32;

interface Entry {
  name: Buffer;
  /** What its key is sorted by: a folder's objects all have a `/` after its name. */
  sortedBy: Buffer;
  isFolder: boolean;
}

/**
 * Everything below a folder that is no folder itself, in the order of the keys' UTF-8 bytes. One folder's names are in memory at a time, for
 * each level. Names in `hidden` are left out at the top. What vanishes meanwhile is left out; so is nothing else: links that lead to folders or
 * nowhere and the like are listed, so that whoever checks an archive sees them.
 */
export async function* listFolder(reader: FolderReader, folder: Buffer, keyPrefix: string, hidden: readonly string[] = []): AsyncGenerator<StoredObject> {
  const entries = sortEntries(await reader.list(folder), hidden);
  for (let at = 0; at < entries.length; ) {
    const entry = entries[at]!;
    if (entry.isFolder) {
      yield* listFolder(reader, join(folder, entry.name), `${keyPrefix}${entry.name.toString()}/`);
      at += 1;
      continue;
    }
    const files = takeFiles(entries, at);
    for (const object of await Promise.all(files.map((file) => describe(reader, folder, file.name, keyPrefix)))) if (object) yield object;
    at += files.length;
  }
}

const join = (folder: Buffer, name: Buffer): Buffer => Buffer.concat([folder, Buffer.from('/'), name]);

function takeFiles(entries: Entry[], from: number): Entry[] {
  let end = from;
  while (end < entries.length && end - from < statsAtOnce && !entries[end]!.isFolder) end += 1;
  return entries.slice(from, end);
}

function sortEntries(found: Dirent<Buffer>[], hidden: readonly string[]): Entry[] {
  return found
    .filter(({ name }) => !isTemporary(name.toString()) && !hidden.includes(name.toString()))
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory(), sortedBy: entry.isDirectory() ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name }))
    .sort((a, b) => Buffer.compare(a.sortedBy, b.sortedBy));
}

async function describe(reader: FolderReader, folder: Buffer, name: Buffer, keyPrefix: string): Promise<StoredObject | null> {
  const path = join(folder, name);
  const stats = (await reader.stat(path)) ?? (await lstat(path, { bigint: true }).catch(() => null));
  return stats && { key: `${keyPrefix}${name.toString()}`, sizeBytes: Number(stats.size), version: versionOf(stats) };
}
