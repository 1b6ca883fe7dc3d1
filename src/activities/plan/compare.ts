import type { Reason } from '../../contract/batch';
import { parsePath } from '../../domain/source-path';
import { hashFile } from '../../hashing';
import { ahead } from './ahead';
import { DigestMap } from './digest-map';
import { isSettled, openInside, unreadableReason } from './look';
import type { SourceRoot } from './root';
import type { DocumentTable } from './table';

/** Files that are open at the same time, hashed or waiting for a thread: enough that small ones behind a large one go on. */
const filesAhead = 32;

/** A file's digest, and what the file was when it was hashed. */
export interface Hashed {
  sha256: string;
  /** Null when it would not show a further change. */
  state: { mtimeMs: number; inode: number } | null;
}

/** What planning had to hash, by document. */
export class Digests {
  private bytes = Buffer.alloc(0);
  /** Modification time and inode, one after the other; NaN for none. */
  private states = new Float64Array(0);
  private readonly slots = new Map<number, number>();

  set(document: number, { sha256, state }: Hashed): void {
    const slot = this.slots.size;
    if ((slot + 1) * 32 > this.bytes.length) this.grow();
    this.bytes.write(sha256, slot * 32, 'hex');
    this.states.set(state ? [state.mtimeMs, state.inode] : [NaN, NaN], slot * 2);
    this.slots.set(document, slot);
  }

  get(document: number): Hashed | null {
    const slot = this.slots.get(document);
    if (slot === undefined) return null;
    const [mtimeMs, inode] = [this.states[slot * 2]!, this.states[slot * 2 + 1]!];
    return { sha256: this.bytes.toString('hex', slot * 32, slot * 32 + 32), state: Number.isNaN(mtimeMs) ? null : { mtimeMs, inode } };
  }

  private grow(): void {
    const length = Math.max(32, (this.bytes.length / 32) * 2);
    this.bytes = Buffer.concat([this.bytes], length * 32);
    const { states } = this;
    this.states = new Float64Array(length * 2);
    this.states.set(states);
  }
}

/** What comparing needs. */
export interface CompareOptions {
  /** Does a document of this size go into a job at all? */
  fits: (size: number) => boolean;
  /** Wants the digest of every document that fits, for a ledger to look it up. */
  all: boolean;
  signal: AbortSignal | undefined;
  /** Documents that are done; told again and again while bytes move. */
  onProgress: (documents: number) => void;
}

/**
 * Finds documents with the same content. Only files that share their exact size with another are opened and read, once each, and of those
 * only the ones whose digest the list does not give; all that fit when `all` says so. Each one that repeats an earlier document is marked
 * so in the table.
 */
export async function findDuplicates(table: DocumentTable, root: SourceRoot, options: CompareOptions): Promise<Digests> {
  const digests = new Digests();
  const contents = new DigestMap();
  let done = 0;
  const reading = { signal: options.signal, onMoved: () => options.onProgress(done) };
  for await (const { item: document, result } of ahead(comparable(table, options), filesAhead, (one) => digest(table, root, one, reading))) {
    if ('code' in result) {
      table.reject(document, result);
    } else {
      if (result.computed) digests.set(document, result.computed);
      const original = contents.claim(`${result.sha256} ${table.sizes[document]}`, document);
      if (original !== document) table.repeat(document, original);
    }
    done = document + 1;
    options.onProgress(done);
  }
  return digests;
}

/** The documents whose content must be known. */
function* comparable(table: DocumentTable, { all, fits }: CompareOptions): Generator<number> {
  const shared = all ? null : sharedSizes(table, fits);
  if (shared?.length === 0) return;
  for (let document = 0; document < table.count; document += 1) {
    const size = table.sizes[document]!;
    if (table.isOpen(document) && (shared ? includes(shared, size) : fits(size))) yield document;
  }
}

/** The sizes that more than one document has, in order. */
function sharedSizes(table: DocumentTable, fits: (size: number) => boolean): Float64Array {
  const sizes = new Float64Array(table.count);
  let count = 0;
  for (let document = 0; document < table.count; document += 1) {
    const size = table.sizes[document]!;
    if (table.isOpen(document) && fits(size)) sizes[count++] = size;
  }
  const sorted = sizes.subarray(0, count).sort();
  let shared = 0;
  for (let at = 1; at < count; at += 1) {
    const size = sorted[at]!;
    if (size === sorted[at - 1] && (shared === 0 || sorted[shared - 1] !== size)) sorted[shared++] = size;
  }
  return sorted.slice(0, shared);
}

function includes(sorted: Float64Array, value: number): boolean {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === value;
}

type Digest = { sha256: string; computed: Hashed | null } | Reason;

async function digest(table: DocumentTable, root: SourceRoot, document: number, { signal, onMoved }: { signal: AbortSignal | undefined; onMoved: () => void }): Promise<Digest> {
  signal?.throwIfAborted();
  const { sha256: listed, source } = table.read(document);
  if (listed !== null) return { sha256: listed, computed: null };
  const opened = await openInside(root, parsePath(source));
  if ('code' in opened) return opened;
  const { handle, stats } = opened;
  const expected = table.sizes[document]!;
  // Before it is read: what was settled by then would show a change from now on.
  const state = isSettled(stats) ? { mtimeMs: stats.mtimeMs, inode: stats.ino } : null;
  try {
    if (stats.size !== expected) return changed(stats.size, expected);
    const { sha256, sizeBytes } = await hashFile(handle.fd, { sizeBytes: expected, onProgress: onMoved, ...(signal && { signal }) });
    if (sizeBytes !== expected) return changed(sizeBytes, expected);
    const after = await handle.stat();
    if (after.size !== expected || after.mtimeMs !== stats.mtimeMs) return { code: 'changed', message: 'changed while it was hashed' };
    return { sha256, computed: { sha256, state } };
  } catch (error) {
    signal?.throwIfAborted();
    return unreadableReason(root, error);
  } finally {
    await handle.close();
  }
}

const changed = (sizeBytes: number, expected: number): Reason => ({ code: 'changed', message: `has ${sizeBytes} bytes, and ${expected} were expected` });
