import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Reason } from '../../contract/batch';
import { pathBytes } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import { below, explain, realPath, sourceUnavailable } from './root';
import type { SourceRoot } from './root';

/** A file's state as planning sees it; the upload compares mtime and inode. */
export interface FileState {
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
}

/** A look at a file: its state when it can be told, and why it cannot be sent when it cannot. */
export interface Look {
  state: FileState | null;
  reason: Reason | null;
}

/** The reason of a document whose path leaves the source. */
export const outsideSource: Reason = { code: 'outside_source', message: 'lies outside the source' };
const notAFile: Reason = { code: 'not_a_file', message: 'is not a regular file' };
const empty: Reason = { code: 'empty', message: 'has no bytes' };
const readableByAll = constants.S_IRUSR | constants.S_IRGRP | constants.S_IROTH;

// A document's own troubles. Others are the host's, and what they hit can be read later or elsewhere.
const unreadable = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'EIO', 'ENXIO', 'ENODEV', 'EISDIR', 'EINVAL']);
const sourceLost = new Set(['ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET']);

/**
 * The reason that an error of the file system makes for one document. One that vanished after it was found is `unreadable` too:
 * nothing is known of what it held.
 * @throws SourceUnavailable when the mount is in trouble; the error itself when the process is, as for too many open files
 */
export function unreadableReason(root: SourceRoot, error: unknown): Reason {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (sourceLost.has(code)) throw sourceUnavailable(root.path, code);
  if (!unreadable.has(code)) throw error;
  return { code: 'unreadable', message: `cannot be read: ${explain(error)}` };
}

/** Whether a path without links lies below the root. */
export const isInside = (root: SourceRoot, real: BytePath): boolean => real.startsWith(`${root.real}/`) && real !== `${root.real}/`;

/** What is known of a file after `lstat` or `stat`, with one more question, unless its mode answers it: whether it may be read. `path` is absolute. */
export async function lookAt(root: SourceRoot, path: BytePath, stats: Stats): Promise<Look> {
  if (!stats.isFile()) return { state: null, reason: notAFile };
  const state = { sizeBytes: stats.size, mtimeMs: stats.mtimeMs, inode: String(stats.ino) };
  if (stats.size === 0) return { state, reason: empty };
  // Half of the calls for a folder would ask this; an access list that forbids what the mode allows shows when the file is opened.
  if ((stats.mode & readableByAll) === readableByAll) return { state, reason: null };
  try {
    await access(pathBytes(path), constants.R_OK);
    return { state, reason: null };
  } catch (error) {
    return { state, reason: unreadableReason(root, error) };
  }
}

/** A look at the path below the root, through links that stay inside. */
export async function lookInside(root: SourceRoot, path: BytePath): Promise<Look> {
  try {
    const real = await realPath(below(root, path));
    if (real === (root.real || '/')) return { state: null, reason: notAFile };
    if (!isInside(root, real)) return { state: null, reason: outsideSource };
    return await lookAt(root, real, await stat(pathBytes(real)));
  } catch (error) {
    return { state: null, reason: unreadableReason(root, error) };
  }
}

/** The look of a document whose size the list gives: at nothing. */
export const lookSpared = (sizeBytes: number): Look => ({ state: null, reason: sizeBytes === 0 ? empty : null });

/** A document's file, open for reading, or why that cannot be. The caller closes the handle. */
export async function openInside(root: SourceRoot, path: BytePath): Promise<{ handle: FileHandle; stats: Stats; real: BytePath } | Reason> {
  let handle: FileHandle | null = null;
  try {
    const real = await realPath(below(root, path));
    if (!isInside(root, real)) return outsideSource;
    // Without O_NONBLOCK a pipe would wait for a writer for ever.
    handle = await open(pathBytes(real), constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (stats.isFile()) return { handle, stats, real };
    await handle.close();
    return notAFile;
  } catch (error) {
    await handle?.close();
    return unreadableReason(root, error);
  }
}
