import type { Readable } from 'node:stream';

/** Up to this many bytes an object is read in one go where that is possible; larger ones are streamed. */
export const wholeBytes = 256 * 1024;

/** What a store knows of an object. */
export interface StoredObject {
  key: string;
  sizeBytes: number;
  /** Changes whenever the object does; for {@link Store.replaceIf}. */
  version: string;
}

/** Content for a write: whole, or a stream that is read once and never buffered whole. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Where batches live: the archive and its working files. Keys are relative, with `/` between parts.
 * Every driver passes the suite in test/store/conformance.ts. Nothing outside a driver assumes rename, append or folders.
 */
export interface Store {
  /** For people: the folder. */
  readonly location: string;
  /** Objects below `prefix` (a whole folder part), in key order, streamed. None is no error. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** The object's bytes, `end` inclusive. @throws NotFoundError */
  openRead(key: string, range?: { start: number; end?: number }): Promise<Readable>;
  /**
   * A small object whole, with its version; null when it has more than `maxBytes`. Only faster than {@link stat} and {@link openRead}, so a
   * driver may lack it. @throws NotFoundError
   */
  read?(key: string, maxBytes: number): Promise<{ bytes: Buffer; version: string } | null>;
  /**
   * Replaces or makes the object, atomically: readers see the old or the new whole, also after a power cut.
   * When `content` fails, nothing changes and the error passes. `secret` asks for mode 0600.
   */
  write(key: string, content: Content, options?: { secret?: boolean }): Promise<{ sizeBytes: number; sha256: string }>;
  /**
   * Writes unless the key is there. False: it was, and stays as it is; a stream may be unread then. One of several callers at once wins.
   * Errors and `options` as with {@link write}.
   */
  createIfAbsent(key: string, content: Content, options?: { secret?: boolean }): Promise<boolean>;
  /** Writes if the object still has this version. False: it has not, and stays as it is. */
  replaceIf(key: string, content: string | Uint8Array, version: string): Promise<boolean>;
  stat(key: string): Promise<StoredObject | null>;
  /** Absent is no error. */
  remove(key: string): Promise<void>;
  /** Removes every object below `prefix`. */
  removeAll(prefix: string): Promise<void>;
  /**
   * Removes what writers that were killed left half-written right below `prefix`, no object itself. A write does that in its own place; this is for a place
   * where all has been written. A driver that leaves nothing lacks it.
   */
  tidy?(prefix: string): Promise<void>;
}

/** The key is not there. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
  constructor(readonly key: string) {
    super(`${key} is not in the archive`);
  }
}
