import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { PlanLine } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import { parsePath } from '../../domain/source-path';
import { hashFile } from '../../hashing';
import { isSettled, openInside, unreadableReason, type OpenedFile } from '../plan/look';
import { requireFilledRoot, requireSameRoot, type SourceRoot } from '../plan/root';
import type { Movement } from './stall';

/** Read size, in bytes: large enough that a gigabyte costs few turns of the loop, small enough for many streams at once. */
const chunkBytes = 128 * 1024;

/** A document cannot be sent; the rest of its job goes on. */
export class UnsendableError extends Error {
  override readonly name = 'UnsendableError';
  constructor(
    readonly reason: Reason,
    /** Plangrep has it all the same, under this id. */
    readonly documentId: string | null = null,
  ) {
    super(reason.message);
  }
}

/** By what a file that was hashed is known again. */
export interface HashedState {
  mtimeMs: number;
  /** Moves with every change, of the file's mode too, and cannot be set back. */
  ctimeMs: number;
  inode: string;
}

/** A document's file, open and checked against the plan. */
export class SourceFile {
  private hashing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly root: SourceRoot,
    readonly line: PlanLine,
    readonly sizeBytes: number,
    private readonly handle: FileHandle,
    private readonly opened: HashedState,
    /** The file's state says that its content is what was hashed before. Else only its bytes can. */
    readonly vouched: boolean,
    private readonly settled: boolean,
  ) {}

  /**
   * Opens the file if it is still what was planned.
   * @param hashed the state in which it was hashed since then, if it was
   * @throws UnsendableError when it changed, vanished or cannot be read; SourceUnavailable when its root is not there
   */
  static async open(root: SourceRoot, line: PlanLine, hashed: HashedState | null = null): Promise<SourceFile> {
    const { handle, stats } = await openOrExplain(root, line);
    try {
      const { size, mtimeMs, ctimeMs } = stats;
      const opened = { mtimeMs, ctimeMs, inode: String(stats.ino) };
      const known = hashed ?? line;
      if (size !== line.sizeBytes || (known.mtimeMs !== null && known.mtimeMs !== mtimeMs)) throw changed('The file changed after it was planned');
      if (hashed === null && line.inode !== null && line.inode !== opened.inode) throw changed('The file changed after it was planned');
      // Planning hashed the file in the very state that it wrote down: a digest that only a list gives comes without a state.
      const isHashed = hashed !== null || line.sha256 !== null;
      const vouched = isHashed && known.mtimeMs === mtimeMs && known.inode === opened.inode && (hashed === null || hashed.ctimeMs === ctimeMs);
      return new SourceFile(root, line, size, handle, opened, vouched, isSettled(opened));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** By what it is known again once it is hashed; null when that would not show a change. */
  get state(): HashedState | null {
    return this.vouched || this.settled ? this.opened : null;
  }

  /** The bytes from `start` to `end` inclusive, as they are taken; the whole file by default. It ends early where the file does. */
  async *read(movement: Movement, start = 0, end = this.sizeBytes - 1): AsyncGenerator<Buffer> {
    for (let at = start; at <= end; ) {
      // A buffer of its own for each chunk: the socket may still hold the last one.
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, end - at + 1));
      const { bytesRead } = await movement.awaiting('source', this.explained(this.handle.read(chunk, 0, chunk.length, at)));
      if (bytesRead === 0) return;
      at += bytesRead;
      movement.moved(bytesRead);
      yield chunk.subarray(0, bytesRead);
    }
  }

  /** The same bytes, which at their end must have had this digest: see {@link vouched}. @throws UnsendableError before the last of them when they have not */
  async *readProven(movement: Movement, sha256: string): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    let last: Buffer | null = null;
    for await (const chunk of this.read(movement)) {
      hash.update(chunk);
      if (last) yield last;
      last = chunk;
    }
    if (hash.digest('hex') !== sha256) throw changed('The content changed after it was hashed');
    if (last) yield last;
  }

  /** SHA-256 of the whole file, lowercase hex. @throws UnsendableError when planning, or a list, promised another one */
  async sha256(movement: Movement): Promise<string> {
    if (this.line.sha256 !== null && this.vouched) return this.line.sha256;
    const digest = await this.hash(movement);
    if (this.line.sha256 !== null && this.line.sha256 !== digest) throw changed('The content is not what the plan says (its SHA-256 differs)');
    return digest;
  }

  /**
   * Makes sure that what was read has this digest: by the file's state, and by its bytes where that cannot tell.
   * @throws UnsendableError when the content is not, or no longer, what was hashed
   */
  async prove(movement: Movement, sha256: string): Promise<void> {
    await this.check();
    const { ctimeMs } = await this.explained(this.handle.stat());
    if (this.vouched && ctimeMs === this.opened.ctimeMs) return;
    if ((await this.hash(movement)) !== sha256) throw changed('The content changed after it was hashed');
  }

  private async hash({ signal, moved }: Movement): Promise<string> {
    const hashing = hashFile(this.handle.fd, { sizeBytes: this.sizeBytes, signal, onProgress: moved });
    this.hashing = hashing.catch(() => undefined);
    const { sha256 } = await this.explained(hashing);
    await this.check();
    return sha256;
  }

  /** @throws UnsendableError when the file changed since it was opened */
  async check(): Promise<void> {
    if (await this.hasChanged()) throw changed('The file changed while it was read');
  }

  /** Whether the file changed since it was opened, as far as its state shows. */
  async hasChanged(): Promise<boolean> {
    const { size, mtimeMs } = await this.explained(this.handle.stat());
    return size !== this.sizeBytes || mtimeMs !== this.opened.mtimeMs;
  }

  /** A step on the open file. What goes wrong with it is the document's own trouble, unless it is that of the source as a whole. */
  private async explained<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      const reason = unreadableReason(this.root, error);
      await requireFilledRoot(this.root);
      throw new UnsendableError(reason);
    }
  }

  /** Resolves once nothing reads it any more: never, when a read hangs. */
  async close(): Promise<void> {
    await this.hashing;
    await this.handle.close();
  }
}

const changed = (message: string): UnsendableError => new UnsendableError({ code: 'changed', message });

/** Only below a root that is there and filled does "not found" mean that the file vanished; else this host lacks the mount. */
async function openOrExplain(root: SourceRoot, line: PlanLine): Promise<OpenedFile> {
  const opened = await openInside(root, parsePath(line.source));
  if ('handle' in opened) return opened;
  await (opened.code === 'unreadable' ? requireFilledRoot : requireSameRoot)(root);
  throw new UnsendableError(opened);
}
