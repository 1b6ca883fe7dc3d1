import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Reason } from '../../contract/batch';
import { DigestMap } from './digest-map';
import { openInside, unreadableReason } from './look';
import type { SourceRoot } from './root';
import type { DocumentTable } from './table';

/** Files that are hashed at the same time. */
const portion = 8;
const chunkBytes = 512 * 1024;

/** SHA-256 digests that planning had to compute, by document. */
export class Digests {
  private bytes = Buffer.alloc(0);
  private readonly slots = new Map<number, number>();

  set(document: number, sha256: string): void {
    const slot = this.slots.size;
    if ((slot + 1) * 32 > this.bytes.length) this.bytes = Buffer.concat([this.bytes], Math.max(1024, this.bytes.length * 2));
    this.bytes.write(sha256, slot * 32, 'hex');
    this.slots.set(document, slot);
  }

  get(document: number): string | null {
    const slot = this.slots.get(document);
    return slot === undefined ? null : this.bytes.toString('hex', slot * 32, slot * 32 + 32);
  }
}

/** What comparing needs. */
export interface CompareOptions {
  /** Does a document of this size go into a job at all? */
  fits: (size: number) => boolean;
  /** Wants the digest of every document that fits, for a ledger to look it up. */
  all: boolean;
  signal: AbortSignal | undefined;
  onProgress: (documents: number) => void;
}

/**
 * Finds documents with the same content. Only files that share their exact size with another are read, and of those only the
 * ones whose digest the list does not give; all that fit when `all` says so. Each one that repeats an earlier document is marked so in the table.
 */
export async function findDuplicates(table: DocumentTable, root: SourceRoot, options: CompareOptions): Promise<Digests> {
  const digests = new Digests();
  const contents = new DigestMap();
  const shared = options.all ? null : sharedSizes(table, options.fits);
  const matters = (size: number) => (shared ? includes(shared, size) : options.fits(size));
  const compare = async (documents: number[]) => {
    const results = await Promise.all(documents.map((document) => digest(table, root, document, options.signal)));
    for (const [at, result] of results.entries()) {
      const document = documents[at]!;
      if ('code' in result) {
        table.reject(document, result);
        continue;
      }
      if (result.computed) digests.set(document, result.sha256);
      const original = contents.claim(`${result.sha256} ${table.sizes[document]}`, document);
      if (original !== document) table.repeat(document, original);
    }
    options.onProgress(documents.at(-1)! + 1);
  };
  const documents: number[] = [];
  for (let document = 0; document < table.count; document += 1) {
    if (!table.isOpen(document) || !matters(table.sizes[document]!)) continue;
    documents.push(document);
    if (documents.length === portion) await compare(documents.splice(0));
  }
  if (documents.length > 0) await compare(documents);
  return digests;
}

/** The sizes that more than one document has, in order. */
function sharedSizes(table: DocumentTable, fits: (size: number) => boolean): Float64Array {
  const sizes = table.sizes.slice(0, table.count).filter((size, document) => table.isOpen(document) && fits(size)).sort();
  return sizes.filter((size, at) => size === sizes[at + 1] && size !== sizes[at - 1]);
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

type Digest = { sha256: string; computed: boolean } | Reason;

async function digest(table: DocumentTable, root: SourceRoot, document: number, signal: AbortSignal | undefined): Promise<Digest> {
  const listed = table.read(document).sha256;
  if (listed !== null) return { sha256: listed, computed: false };
  const opened = await openInside(root, table.path(document));
  if ('code' in opened) return opened;
  try {
    const { sha256, sizeBytes } = await hashFile(opened.handle, opened.stats.size, signal);
    if (sizeBytes === table.sizes[document]) return { sha256, computed: true };
    return { code: 'changed', message: `has ${sizeBytes} bytes, and ${table.sizes[document]} were expected` };
  } catch (error) {
    signal?.throwIfAborted();
    return unreadableReason(root, error);
  } finally {
    await opened.handle.close();
  }
}

async function hashFile(handle: FileHandle, expectedBytes: number, signal: AbortSignal | undefined): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  // One byte more than expected: a file that has not grown is read with two calls.
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, expectedBytes + 1));
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, sizeBytes);
    if (bytesRead === 0) return { sha256: hash.digest('hex'), sizeBytes };
    hash.update(buffer.subarray(0, bytesRead));
    sizeBytes += bytesRead;
  }
}
