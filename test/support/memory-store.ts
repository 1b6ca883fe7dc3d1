import { Readable } from 'node:stream';
import { NotFoundError, type Content, type Store, type StoredObject } from '../../src/store';
import { sha256 } from '../../src/store/digest';

/** A store in memory, for tests with thousands of small files: nothing waits for a disk. */
export class MemoryStore implements Store {
  readonly location = 'memory';
  readonly #objects = new Map<string, { bytes: Buffer; version: number }>();
  #versions = 0;

  /** Every object below `prefix` as text. */
  snapshot(prefix: string): Record<string, string> {
    return Object.fromEntries(this.#keys(prefix).map((key) => [key, this.#objects.get(key)!.bytes.toString()]));
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return Readable.from(this.#keys(prefix).map((key) => this.#describe(key)));
  }

  async openRead(key: string, range: { start: number; end?: number } = { start: 0 }): Promise<Readable> {
    const object = this.#objects.get(key);
    if (!object) throw new NotFoundError(key);
    return Readable.from([object.bytes.subarray(range.start, (range.end ?? Infinity) + 1)], { objectMode: false });
  }

  async write(key: string, content: Content): Promise<{ sizeBytes: number; sha256: string }> {
    const chunks: Uint8Array[] = [];
    if (typeof content === 'string' || content instanceof Uint8Array) chunks.push(Buffer.from(content));
    else for await (const chunk of content) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    this.#objects.set(key, { bytes, version: (this.#versions += 1) });
    return { sizeBytes: bytes.length, sha256: sha256(bytes) };
  }

  async createIfAbsent(key: string, content: Content): Promise<boolean> {
    if (this.#objects.has(key)) return false;
    await this.write(key, content);
    return true;
  }

  async replaceIf(key: string, content: string | Uint8Array, version: string): Promise<boolean> {
    if (String(this.#objects.get(key)?.version) !== version) return false;
    await this.write(key, content);
    return true;
  }

  async stat(key: string): Promise<StoredObject | null> {
    return this.#objects.has(key) ? this.#describe(key) : null;
  }

  async remove(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async removeAll(prefix: string): Promise<void> {
    for (const key of this.#keys(prefix)) this.#objects.delete(key);
  }

  #keys(prefix: string): string[] {
    return [...this.#objects.keys()].filter((key) => key.startsWith(`${prefix}/`)).sort();
  }

  #describe(key: string): StoredObject {
    const { bytes, version } = this.#objects.get(key)!;
    return { key, sizeBytes: bytes.length, version: String(version) };
  }
}
