import { ApiError } from './errors';
import type { Received } from './intake';

/** A part that was received whole. */
export interface StoredPart {
  sizeBytes: number;
  sha256: string;
  /** With its quotes. */
  etag: string;
}

/** What a part must be. */
export interface ExpectedPart {
  sizeBytes: number;
  /** Hex; null when the request does not say. */
  sha256: string | null;
}

/** The parts of one multipart upload, in any order and at the same time. */
export interface PartStore {
  /** What is stored under this number. */
  get(partNumber: number): StoredPart | undefined;
  /** Takes a part; a repeat replaces it. @throws ApiError 400 when it is not what it should be; then an earlier one stays */
  write(partNumber: number, body: AsyncIterable<Buffer>, expected: ExpectedPart): Promise<StoredPart>;
  /** The whole, put together from parts 1 to `count`, which must all be there. */
  finish(count: number): Promise<Received>;
  /** Lets everything go. */
  discard(): Promise<void>;
}

/** The ETag of content. Like that of an object store it says nothing that a client should rely on. */
export const etagOf = (sha256: string): string => `"${sha256.slice(0, 32)}"`;

/** @throws ApiError 400 when a part has another size or digest than it should have */
export function checkPart(part: Pick<StoredPart, 'sizeBytes' | 'sha256'>, expected: ExpectedPart): void {
  if (part.sizeBytes !== expected.sizeBytes) {
    throw new ApiError(400, 'IncompleteBody', `The part has ${part.sizeBytes} bytes instead of ${expected.sizeBytes}.`);
  }
  if (expected.sha256 !== null && part.sha256 !== expected.sha256) {
    throw new ApiError(400, 'BadDigest', 'The SHA-256 of the part is another one.');
  }
}
