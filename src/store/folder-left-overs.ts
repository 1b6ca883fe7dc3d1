import type { Dirent } from 'node:fs';
import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isLeftOver, isTemporary } from './folder-staging';
import { isCode } from './store-error';

/** Temporary files that killed writers left: how many, and their bytes. */
export interface LeftOvers {
  files: number;
  bytes: number;
}

/** Looks for temporary files of killed writers in a folder and all below it, links not followed, and removes them when `remove` says so. */
export async function findLeftOvers(folder: string, remove: boolean): Promise<LeftOvers> {
  const found: LeftOvers = { files: 0, bytes: 0 };
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of await entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      if (!isTemporary(entry.name) || !(await isLeftOver(path, entry.name))) continue;
      found.files += 1;
      found.bytes += (await lstat(path).catch(() => ({ size: 0 }))).size;
      if (remove) await unlink(path);
    }
  }
  return found;
}

/** What a folder holds; nothing when it went away meanwhile, or is not there yet. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
