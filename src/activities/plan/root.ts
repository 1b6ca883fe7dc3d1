import { constants, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, opendir, realpath, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../contract/failures';
import { fromText, pathBytes } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import { descriptors } from './descriptors';

/** The folder that a source's paths are relative to. */
export interface SourceRoot {
  /** As the input has it. */
  path: string;
  /** The same, as bytes. */
  named: BytePath;
  /** With every link resolved; never ends with `/`, so the root of all files is the empty string. */
  real: BytePath;
  /** `real` as the kernel names what is open there; null where it cannot be asked. */
  opened: BytePath | null;
  device: number;
  inode: number;
}

/** The source cannot be read on this host; another worker may have it mounted. */
export const sourceUnavailable = (path: string, why: string): ApplicationFailure =>
  ApplicationFailure.create({
    type: failureTypes.sourceUnavailable,
    message: `The source ${path} cannot be read on worker host ${hostname()}: ${why}`,
  });

const explanations: Record<string, string> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

/** The words for an error of the file system. */
export const explain = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && explanations[code]) || code || message;
};

/** @throws SourceUnavailable when the folder is not there or is none */
export async function openRoot(path: string): Promise<SourceRoot> {
  const named = fromText(path);
  const { real, stats } = await resolved(path, named);
  if (!stats.isDirectory()) throw sourceUnavailable(path, 'it is not a folder');
  return { path, named, real: withoutSlash(real), opened: await openedFolder(path, real), device: stats.dev, inode: stats.ino };
}

const withoutSlash = (real: BytePath): BytePath => (real === '/' ? '' : real);

async function openedFolder(path: string, real: BytePath): Promise<BytePath | null> {
  const handle = await descriptors.patiently(() => open(pathBytes(real), constants.O_RDONLY | constants.O_DIRECTORY)).catch((error: unknown) => {
    throw sourceUnavailable(path, explain(error));
  });
  try {
    const opened = openedPath(handle);
    return opened && withoutSlash(opened);
  } finally {
    await handle.close();
  }
}

/**
 * Where an open file lies now, by the kernel, whatever names led to it: the only answer that nobody can change between a check and its use.
 * Null where there is no `/proc`. A file that was deleted since has ` (deleted)` behind its path.
 */
export function openedPath({ fd }: Pick<FileHandle, 'fd'>): BytePath | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' });
  } catch {
    return null;
  }
}

/**
 * Below a root that is gone, or has become another folder, "not found" says nothing about the documents.
 * @throws SourceUnavailable
 */
export async function requireSameRoot(root: SourceRoot): Promise<void> {
  const { stats } = await resolved(root.path, root.named);
  if (stats.dev !== root.device || stats.ino !== root.inode) throw sourceUnavailable(root.path, 'it was replaced while it was read');
}

/**
 * Documents that are not found say nothing either when their root is there but has nothing in it: that is how a mount looks from a host that
 * lacks it. @throws SourceUnavailable
 */
export async function requireFilledRoot(root: SourceRoot): Promise<void> {
  await requireSameRoot(root);
  try {
    for await (const _ of await descriptors.patiently(() => opendir(pathBytes(root.real || '/')))) return;
  } catch (error) {
    throw sourceUnavailable(root.path, explain(error));
  }
  throw sourceUnavailable(root.path, 'it is empty. Is it mounted there?');
}

async function resolved(path: string, named: BytePath): Promise<{ real: BytePath; stats: Stats }> {
  try {
    const real = await realPath(named);
    return { real, stats: await stat(pathBytes(real)) };
  } catch (error) {
    throw sourceUnavailable(path, explain(error));
  }
}

/** The path with every link resolved. @throws the file system's error */
export const realPath = (path: BytePath): Promise<BytePath> => realpath(pathBytes(path), { encoding: 'latin1' });

/** The absolute path of something below the root. */
export const below = (root: SourceRoot, path: BytePath): BytePath => `${root.real}/${path}`;
