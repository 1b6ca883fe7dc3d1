import fs, { type BigIntStats, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { wholeBytes } from './index';
import { isCode } from './store-error';

/** A blocking call that took longer than this waited for a disk or a network: several that wait together are faster then. */
const slowMs = 2;
/** Reads that are not tried blocking after a slow one. */
const pauseReads = 256;
/** Blocking reads in a row, before timers and signals get their turn. */
const readsInRow = 64;

type Answer<T> = T | Promise<T>;

/** The calls that reading takes. With plain descriptors: a small read costs two thirds of what it does with the handles of fs/promises. */
interface Calls {
  open(path: string, flags: number): Answer<number>;
  stat(path: Buffer | string): Answer<BigIntStats>;
  statOf(file: number): Answer<BigIntStats>;
  /** Bytes that were read. */
  read(file: number, into: Buffer, at: number, length: number, position: number): Answer<number>;
  close(file: number): Answer<void>;
  /** Names as bytes: one that is not UTF-8 would not be found again under its decoded name. */
  list(folder: Buffer): Answer<Dirent<Buffer>[]>;
}

const [openLater, statLater, statOfLater, readLater, closeLater] = [promisify(fs.open), promisify(fs.stat), promisify(fs.fstat), promisify(fs.read), promisify(fs.close)];

const inBackground: Calls = {
  open: openLater,
  stat: (path) => statLater(path, { bigint: true }),
  statOf: (file) => statOfLater(file, { bigint: true }),
  read: async (...args) => (await readLater(...args)).bytesRead,
  close: closeLater,
  list: (folder) => readdir(folder, { withFileTypes: true, encoding: 'buffer' }),
};

const blocking: Calls = {
  open: fs.openSync,
  stat: (path) => fs.statSync(path, { bigint: true }),
  statOf: (file) => fs.fstatSync(file, { bigint: true }),
  read: fs.readSync,
  close: fs.closeSync,
  list: (folder) => fs.readdirSync(folder, { withFileTypes: true, encoding: 'buffer' }),
};

/** What a version is made of: every write makes a new inode, and a younger modification time than what it replaces. */
export const versionOf = (stats: BigIntStats): string => `${stats.ino}-${stats.size}-${stats.mtimeNs}`;

/** A part of a file, `end` inclusive. */
export interface ByteRange {
  start: number;
  end?: number;
}

/** Bytes of a file that is open no more, or the file itself when they are too many to hold. */
type Opened = { bytes: Buffer; version: string } | { file: number; version: string };

/**
 * Looks at files and reads them. With `blocking`, as long as the disk answers at once, by calls that block this process: a sixth of the
 * processor's time, and nothing else runs meanwhile. When it does not, in the background, so that several can be under way.
 */
export class FolderReader {
  #pause = 0;
  #inRow = 0;

  constructor(private readonly isBlocking = false) {}

  /** What a path leads to; null when that is nothing. */
  async stat(path: Buffer | string): Promise<BigIntStats | null> {
    try {
      return await this.#run((calls) => calls.stat(path));
    } catch (error) {
      if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
      throw error;
    }
  }

  /** What a folder holds; nothing when there is no such folder. */
  async list(folder: Buffer): Promise<Dirent<Buffer>[]> {
    try {
      return await this.#run((calls) => calls.list(folder));
    } catch (error) {
      if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  /** The whole file and its version; null when it has more than `maxBytes`, undefined when there is none. */
  async read(path: string, maxBytes: number): Promise<{ bytes: Buffer; version: string } | null | undefined> {
    const opened = await this.#open(path, maxBytes);
    if (!opened || 'bytes' in opened) return opened;
    await closeLater(opened.file);
    return null;
  }

  /** A stream of the file, its errors as `explain` makes them; undefined when there is none. */
  async stream(path: string, { explain = (error) => error, ...part }: Partial<ByteRange> & { explain?: (error: Error) => Error } = {}): Promise<Readable | undefined> {
    const range = { start: 0, ...part };
    const opened = await this.#open(path, wholeBytes, range);
    if (!opened) return undefined;
    if ('bytes' in opened) return Readable.from(opened.bytes.length > 0 ? [opened.bytes] : [], { objectMode: false });
    return fs.createReadStream('', { fd: opened.file, highWaterMark: wholeBytes, ...range, fs: { read: explained(explain), close: fs.close } as never });
  }

  async #open(path: string, maxBytes: number, range?: ByteRange): Promise<Opened | undefined> {
    try {
      return await this.#run((calls) => open(calls, path, maxBytes, range));
    } catch (error) {
      // ENXIO: a socket.
      if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
      throw error;
    }
  }

  async #run<T>(work: (calls: Calls) => Answer<T>): Promise<T> {
    if (!this.isBlocking || this.#pause > 0) {
      this.#pause -= 1;
      return work(inBackground);
    }
    this.#inRow += 1;
    if (this.#inRow >= readsInRow) {
      this.#inRow = 0;
      await setImmediate();
    }
    const since = performance.now();
    const result = await work(blocking);
    if (performance.now() - since > slowMs) this.#pause = pauseReads;
    return result;
  }
}

/** `fs.read`, for a stream: a disk that fails in the middle of a file is told of as one that fails at its beginning. */
function explained(explain: (error: Error) => Error) {
  return (file: number, into: Buffer, at: number, length: number, position: number | null, done: (error: Error | null, bytesRead: number, into: Buffer) => void): void =>
    fs.read(file, into, at, length, position, (error, bytesRead) => done(error && explain(error), bytesRead, into));
}

// Not waiting: a pipe would, for a writer, for ever.
const flags = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;

async function open(calls: Calls, path: string, maxBytes: number, range?: ByteRange): Promise<Opened | undefined> {
  const file = await calls.open(path, flags);
  let isKept = false;
  try {
    const stats = await calls.statOf(file);
    if (!stats.isFile()) return undefined;
    const start = range?.start ?? 0;
    const length = Math.max(0, Math.min(Number(stats.size), (range?.end ?? Infinity) + 1) - start);
    isKept = length > maxBytes;
    if (isKept) return { file, version: versionOf(stats) };
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    for (let more = 1; more > 0 && read < length; read += more) more = await calls.read(file, bytes, read, length - read, start + read);
    return { bytes: bytes.subarray(0, read), version: versionOf(stats) };
  } finally {
    if (!isKept) await calls.close(file);
  }
}
