import { createHash, hash } from 'node:crypto';
import { NotFoundError, wholeBytes, type Store } from './index';

/** Size and SHA-256 of bytes on their way. */
export class Digest {
  /** Bytes so far. */
  sizeBytes = 0;
  readonly #hash = createHash('sha256');

  /** The same bytes, counted and hashed as they pass. */
  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }

  /** The SHA-256 in hex, of all that passed. Can be asked once. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}

/** SHA-256 of a text or of bytes, in hex. */
export const sha256 = (content: string | Uint8Array): string => hash('sha256', content, 'hex');

/**
 * Size and SHA-256 of an object as it lies in the store; null when it is not there.
 * `onChunk` hears of every chunk that was read, in bytes.
 */
export async function digestOf(store: Store, key: string, onChunk?: (bytes: number) => void): Promise<{ sizeBytes: number; sha256: string } | null> {
  try {
    const whole = await store.read?.(key, wholeBytes);
    if (whole) {
      onChunk?.(whole.bytes.length);
      return { sizeBytes: whole.bytes.length, sha256: sha256(whole.bytes) };
    }
    const digest = new Digest();
    for await (const chunk of digest.through(await store.openRead(key))) onChunk?.(chunk.byteLength);
    return { sizeBytes: digest.sizeBytes, sha256: digest.hex() };
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}
