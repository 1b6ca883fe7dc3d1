import type { FileHandle } from 'node:fs/promises';
import type { PlanLine } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import { parsePath } from '../../domain/source-path';
import { hashFile } from '../../hashing';
import { openInside } from '../plan/look';
import { requireSameRoot, type SourceRoot } from '../plan/root';
import type { Movement } from './stall';

/** Read size, in bytes: large enough that a gigabyte costs few turns of the loop, small enough for many streams at once. */
const chunkBytes = 128 * 1024;

/** A document cannot be sent; the rest of its job goes on. */
export class UnsendableError extends Error {
  override readonly name = 'UnsendableError';
  constructor(readonly reason: Reason) {
    super(reason.message);
  }
}

/** A document's file, open and checked against the plan. */
export class SourceFile {
  private hashing: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly line: PlanLine,
    readonly sizeBytes: number,
    private readonly handle: FileHandle,
    private readonly opened: { mtimeMs: number; inode: string },
  ) {}

  /**
   * Opens the file if it is still what was planned.
   * @throws UnsendableError when it changed, vanished or cannot be read; SourceUnavailable when its root is not there
   */
  static async open(root: SourceRoot, line: PlanLine): Promise<SourceFile> {
    const handle = await openOrExplain(root, line);
    try {
      const { size, mtimeMs, ino } = await handle.stat();
      const opened = { mtimeMs, inode: String(ino) };
      const same =
        size === line.sizeBytes && (line.mtimeMs === null || line.mtimeMs === mtimeMs) && (line.inode === null || line.inode === opened.inode);
      if (!same) throw changed('The file changed after it was planned');
      return new SourceFile(line, size, handle, opened);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The bytes from `start` to `end` inclusive, as they are taken; the whole file by default. It ends early where the file does. */
  async *read(movement: Movement, start = 0, end = this.sizeBytes - 1): AsyncGenerator<Buffer> {
    for (let at = start; at <= end; ) {
      // A buffer of its own for each chunk: the socket may still hold the last one.
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, end - at + 1));
      const { bytesRead } = await movement.awaiting('source', this.handle.read(chunk, 0, chunk.length, at));
      if (bytesRead === 0) return;
      at += bytesRead;
      movement.moved(bytesRead);
      yield chunk.subarray(0, bytesRead);
    }
  }

  /** SHA-256 of the whole file, lowercase hex. @throws UnsendableError when a list promised another one */
  async sha256({ signal, moved }: Movement): Promise<string> {
    // Planning hashed the file in the very state that it was opened in: a digest that only a list gives comes without a state.
    if (this.line.sha256 !== null && this.line.mtimeMs !== null && this.line.inode !== null) return this.line.sha256;
    const hashing = hashFile(this.handle.fd, { sizeBytes: this.sizeBytes, signal, onProgress: moved });
    this.hashing = hashing.catch(() => undefined);
    const { sha256: digest } = await hashing;
    await this.check();
    if (this.line.sha256 !== null && this.line.sha256 !== digest) throw changed('The content is not what the plan says (its SHA-256 differs)');
    return digest;
  }

  /** @throws UnsendableError when the file changed since it was opened */
  async check(): Promise<void> {
    const { size, mtimeMs, ino } = await this.handle.stat();
    if (size !== this.sizeBytes || mtimeMs !== this.opened.mtimeMs || String(ino) !== this.opened.inode) throw changed('The file changed while it was read');
  }

  /** Resolves once nothing reads it any more: never, when a read hangs. */
  async close(): Promise<void> {
    await this.hashing;
    await this.handle.close();
  }
}

const changed = (message: string): UnsendableError => new UnsendableError({ code: 'changed', message });

/** Only below a root that is there does "not found" mean that the file vanished; else this host lacks the mount. */
async function openOrExplain(root: SourceRoot, line: PlanLine): Promise<FileHandle> {
  const opened = await openInside(root, parsePath(line.source));
  if ('handle' in opened) return opened.handle;
  await requireSameRoot(root);
  throw new UnsendableError(opened);
}
