import type { Dirent } from 'node:fs';
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { FolderPlaces } from './folder-places';
import { isTemporary, sweepOne } from './folder-staging';
import { isCode } from './store-error';

/** Files removed together; bounds what a folder of many costs in time. */
const removedAtOnce = 16;

/**
 * Removes all below a folder, and the folders in it, but files that are being written. No folder is no error. A link in its place is removed
 * itself, and nothing of what it leads to.
 */
export async function removeBelow(folder: string, places: FolderPlaces): Promise<void> {
  if ((await lstat(folder).catch(() => null))?.isSymbolicLink() && dirname(folder) !== places.root) return unlink(folder);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  for (let at = 0; at < entries.length; at += removedAtOnce) {
    await Promise.all(entries.slice(at, at + removedAtOnce).map((entry) => removeEntry(folder, entry, places)));
  }
}

async function removeEntry(folder: string, entry: Dirent, places: FolderPlaces): Promise<void> {
  const path = join(folder, entry.name);
  if (entry.isDirectory()) {
    await removeBelow(path, places);
    await removeFolder(path, places).catch(() => undefined);
  } else if (isTemporary(entry.name)) {
    await sweepOne(folder, entry.name);
  } else {
    await unlink(path).catch((error: unknown) => {
      if (!isCode(error, 'ENOENT')) throw error;
    });
  }
}

async function removeFolder(path: string, places: FolderPlaces): Promise<void> {
  await rmdir(path);
  places.forget(path);
}

/** Removes this folder and those above it, as long as they are empty. One that is not, or not any more, ends it. */
export async function prune(folder: string, places: FolderPlaces): Promise<void> {
  for (let at = folder; at.startsWith(places.root + sep); at = dirname(at)) {
    try {
      await removeFolder(at, places);
    } catch (error) {
      if (!isCode(error, 'ENOENT')) return;
    }
  }
}
