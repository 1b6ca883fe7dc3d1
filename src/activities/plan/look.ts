import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, lstat, open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Reason } from '../../contract/batch';
import { pathBytes } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import { descriptors } from './descriptors';
import { below, explain, openedPath, realPath, sourceUnavailable } from './root';
import type { SourceRoot } from './root';

/** A file's state as planning sees it; the upload compares mtime and inode. */
export interface FileState {
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
}

/** Clocks of file systems move in steps of up to 2 s, and that of a file server may be a little behind ours, in ms. */
const settledAfterMs = 5_000;

/**
 * Whether a further change of the file would show in its modification time. Just after a change it need not: the next one may fall into the same
 * step of the clock. One in the future tells nothing either.
 */
export const isSettled = ({ mtimeMs }: Pick<FileState, 'mtimeMs'>, now = Date.now()): boolean => now - mtimeMs >= settledAfterMs;

/** A look at a file: its state when it can be told, and why it cannot be sent when it cannot. */
export interface Look {
  state: FileState | null;
  reason: Reason | null;
}

/** The reason of a document whose path leaves the source. */
export const outsideSource: Reason = { code: 'outside_source', message: 'lies outside the source' };
const notAFile: Reason = { code: 'not_a_file', message: 'is not a regular file' };
const becameLink: Reason = { code: 'changed', message: 'was replaced by a link while it was opened' };
const empty: Reason = { code: 'empty', message: 'has no bytes' };
const readableByAll = constants.S_IRUSR | constants.S_IRGRP | constants.S_IROTH;

// Troubles of this process: what they hit can be read later.
const ofTheProcess = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN', 'EINTR', 'EBADF', 'EFAULT', 'ENOSYS']);
// Troubles of the mount: what they hit can be read later or elsewhere.
const sourceLost = new Set(['ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ESHUTDOWN']);
// The file system's codes, as opposed to Node's own; those that Node has no name for are "Unknown system error -117".
const fromSystem = /^(?:E[A-Z0-9]+|Unknown system error .*)$/;

/**
 * The reason that an error of the file system makes for one document: every one that is not known to be trouble of the process or the mount,
 * since one damaged file must not stop a batch. One that vanished after it was found is `unreadable` too: nothing is known of what it held.
 * @throws SourceUnavailable when the mount is in trouble; the error itself when the process is, as for too many open files
 */
export function unreadableReason(root: SourceRoot, error: unknown): Reason {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !fromSystem.test(code) || ofTheProcess.has(code)) throw error;
  if (sourceLost.has(code)) throw sourceUnavailable(root.path, code);
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

/** An open file of the source: its state, and its path without links. */
export interface OpenedFile {
  handle: FileHandle;
  stats: Stats;
  real: BytePath;
}

// Without O_NONBLOCK a pipe would wait for a writer for ever. What was no link a moment ago is opened only if it still is none.
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/**
 * A document's file, open for reading, or why that cannot be. The caller closes the handle. What is open lies below the root, also when
 * somebody puts links in the place of its folders at that very moment.
 */
export async function openInside(root: SourceRoot, path: BytePath): Promise<OpenedFile | Reason> {
  let handle: FileHandle | null = null;
  try {
    const real = await realPath(below(root, path));
    if (!isInside(root, real)) return outsideSource;
    handle = await descriptors.keep(() => open(pathBytes(real), openFlags));
    const stats = await handle.stat();
    const reason = !(await isOpenInside(root, { handle, stats, real })) ? outsideSource : !stats.isFile() ? notAFile : null;
    if (reason === null) return { handle, stats, real };
    await handle.close();
    return reason;
  } catch (error) {
    await handle?.close();
    if ((error as NodeJS.ErrnoException).code === 'ELOOP' && handle === null && (error as NodeJS.ErrnoException).syscall === 'open') return becameLink;
    return unreadableReason(root, error);
  }
}

/**
 * The names in a folder of the source, in the order of their bytes; null when somebody has put a link in the place of one of its parents, so
 * that it lies elsewhere. @throws the file system's error
 */
export async function namesInside(root: SourceRoot, real: BytePath): Promise<string[] | null> {
  const path = pathBytes(below(root, real));
  const handle = await descriptors.keep(() => open(path, openFlags | constants.O_DIRECTORY));
  try {
    const opened = root.opened === null ? null : openedPath(handle);
    if (opened !== null && opened !== (root.opened || '/') && !opened.startsWith(`${root.opened}/`)) return null;
    // By its handle: the path may lead elsewhere by now. A folder that was removed has no names, and is still there for its handle.
    const names = await descriptors.patiently(() => readdir(opened === null ? path : `/proc/self/fd/${handle.fd}`, { encoding: 'latin1' }));
    return names.sort();
  } finally {
    await handle.close();
  }
}

/** Between the resolution of a path and its opening, any of its folders may have become a link. */
async function isOpenInside(root: SourceRoot, { handle, stats, real }: OpenedFile): Promise<boolean> {
  const opened = root.opened === null ? null : openedPath(handle);
  if (opened !== null) return opened.startsWith(`${root.opened}/`);
  // Where the kernel does not tell, the path must still lead to the same file without a link.
  const now = await lstat(pathBytes(real));
  return (await realPath(real)) === real && now.dev === stats.dev && now.ino === stats.ino;
}
