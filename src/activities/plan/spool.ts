import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bufferBytes = 1024 * 1024;
/** Read ahead, in bytes, while texts are read in the order in which they were written. */
const readAheadBytes = 128 * 1024;

/**
 * Texts on the disk, by number: what a million documents need and memory should not hold. The file has no name any more once
 * it is open, so a process that is killed leaves nothing. Synchronous, since each call is a copy to or from the page cache.
 */
export class Spool {
  private readonly file: number;
  private readonly buffer = Buffer.allocUnsafe(bufferBytes);
  private buffered = 0;
  private closed = false;
  private written = 0;
  private count = 0;
  private ends = new Float64Array(1024);
  private ahead: Stretch = { start: 0, bytes: Buffer.alloc(0) };

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'plangrep-batch-'));
    this.file = openSync(join(folder, 'documents'), 'wx+', 0o600);
    rmSync(folder, { recursive: true });
  }

  /** Adds a text; its number is one more than the last one's, from 0. */
  add(text: string): void {
    // At most three bytes for each unit of the string: cheaper than to measure it.
    const most = text.length * 3;
    if (this.buffered + most > bufferBytes) this.flush();
    if (most > bufferBytes) this.append(Buffer.from(text));
    else this.buffered += this.buffer.write(text, this.buffered);
    if (this.count === this.ends.length) this.grow();
    this.ends[this.count++] = this.written + this.buffered;
  }

  read(number: number): string {
    this.flush();
    const start = number === 0 ? 0 : this.ends[number - 1]!;
    const end = this.ends[number]!;
    const { ahead } = this;
    const known = start >= ahead.start && end <= ahead.start + ahead.bytes.length;
    if (!known) this.ahead = this.fetch(start, start === ahead.start + ahead.bytes.length ? Math.max(end - start, readAheadBytes) : end - start);
    return this.ahead.bytes.toString('utf8', start - this.ahead.start, end - this.ahead.start);
  }

  /** Safe to repeat: the number of a closed file may be another one's by then. */
  close(): void {
    if (!this.closed) closeSync(this.file);
    this.closed = true;
  }

  private fetch(start: number, length: number): Stretch {
    const bytes = Buffer.allocUnsafe(length);
    return { start, bytes: bytes.subarray(0, readSync(this.file, bytes, 0, length, start)) };
  }

  private flush(): void {
    const { buffered } = this;
    this.buffered = 0;
    if (buffered > 0) this.append(this.buffer.subarray(0, buffered));
  }

  private append(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.file, bytes, done, bytes.length - done, this.written + done);
    this.written += bytes.length;
  }

  private grow(): void {
    const grown = new Float64Array(this.ends.length * 2);
    grown.set(this.ends);
    this.ends = grown;
  }
}

/** A part of the file. */
interface Stretch {
  start: number;
  bytes: Buffer;
}
