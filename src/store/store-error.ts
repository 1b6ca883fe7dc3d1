const moveOn = 'or set PLANGREP_ARCHIVE to another folder';

/** What is wrong, and the way out, by the system's error code. */
const explanations: Record<string, [problem: string, fix: string]> = {
  EROFS: ['lies on a read-only file system', `Remount it for writing, ${moveOn}.`],
  EACCES: ['is not open to this user', `Give this user read, write and search permission on it and all below, ${moveOn}.`],
  EPERM: ['is not open to this user', `Give this user read, write and search permission on it and all below, ${moveOn}.`],
  ENOSPC: ['is full', `Free space (and inodes) on its disk, ${moveOn}; what was begun goes on by itself. plangrep-batch doctor --fix removes what killed workers left there.`],
  EDQUOT: ['is full: its quota is used up', `Raise the quota, ${moveOn}; what was begun goes on by itself.`],
  ENOTDIR: ['has a file where a folder is needed', `Move that file away, ${moveOn}.`],
  EEXIST: ['has a file where a folder is needed', `Move that file away, ${moveOn}.`],
  EISDIR: ['has a folder where a file is needed', `Move that folder away, ${moveOn}.`],
  ENOTEMPTY: ['has a folder where a file is needed', `Move that folder away, ${moveOn}.`],
  ENOENT: ['lost a file while it was in use', 'Let nothing else remove files there, and check that the folder is still mounted.'],
  ENAMETOOLONG: ['cannot hold a name as long as this', `Use a shorter path to the archive, ${moveOn}.`],
  EFBIG: ['cannot hold a file as large as this', `Raise the largest size of a file (ulimit -f), ${moveOn}.`],
  ELINK: ['has a link where a folder is needed', 'Replace the link by a folder; only the archive itself and its folders batches, ledger and work may be links, to folders that are there.'],
  ELOOP: ['has links that lead in a circle', `Remove them, ${moveOn}.`],
  EMFILE: ['cannot be used: this process has too many files open', 'Raise its limit (ulimit -n).'],
  ENFILE: ['cannot be used: this host has too many files open', 'Raise its limit (fs.file-max).'],
  EIO: ['lies on a disk that reports errors', `Check the disk and the system log, ${moveOn}.`],
  ESTALE: ['lies on a network share that went away', 'Mount it again.'],
};

/** The archive cannot be read or written: what the file system said, which archive is meant, and the way out. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    /** The system's code, such as `EACCES`. */
    readonly code: string,
    /** The archive. */
    readonly location: string,
    /** What was tried, such as `write batches/x/input.json`. */
    readonly action: string,
    /** What to do about it, in a sentence. */
    readonly fix: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** There is no room, and nothing else is wrong: it can be waited for. */
  get isFull(): boolean {
    return this.code === 'ENOSPC' || this.code === 'EDQUOT';
  }
}

/** The {@link StoreError} for an error of the file system; any other error as it is. */
export function storeError(error: unknown, location: string, action: string): unknown {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const [problem, fix] = explanations[code] ?? ['cannot be used', `Check the folder, ${moveOn}.`];
  return new StoreError(code, location, action, fix, `the archive ${location} ${problem} (cannot ${action}: ${code}). ${fix}`, { cause: error });
}

/** Whether the file system reported one of these codes. */
export const isCode = (error: unknown, ...codes: string[]): boolean => codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
