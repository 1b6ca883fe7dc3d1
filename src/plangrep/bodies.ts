import { Readable } from 'node:stream';
import { BodyLengthError } from './errors';

/** Where a request's bytes come from: a stream, or anything that gives chunks when asked. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/**
 * A request body of announced size that is read once, a chunk at a time. It remembers its own failure, so that an
 * unreadable file is not taken for a broken connection; and it can't be sent twice.
 */
export class OutgoingBody {
  /** Bytes handed over so far. */
  sentBytes = 0;
  /** What reading the source threw, untouched; null while nothing has. */
  failure: Error | null = null;
  private opened = false;

  constructor(
    private readonly source: ByteSource,
    /** Exact size in bytes. */
    readonly sizeBytes: number,
  ) {}

  /** The bytes as a stream; once only. It breaks when the source does, or gives more or fewer bytes than announced. */
  open(): Readable {
    const stream = Readable.from(this.read(), { objectMode: false, highWaterMark: 256 * 1024 });
    return stream.on('error', () => undefined);
  }

  /** The bytes, once only. @throws BodyLengthError when the source gives more or fewer of them; the source's own errors */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.opened) throw new Error('A streamed body was about to be sent a second time');
    this.opened = true;
    try {
      for await (const chunk of this.source) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        const seenBytes = this.sentBytes + bytes.length;
        if (seenBytes > this.sizeBytes) throw new BodyLengthError(this.sizeBytes, seenBytes);
        this.sentBytes = seenBytes;
        yield bytes;
      }
      if (this.sentBytes < this.sizeBytes) throw new BodyLengthError(this.sizeBytes, this.sentBytes);
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      throw this.failure;
    }
  }

  /** Whether every byte was handed over: a success that came before is none. */
  get complete(): boolean {
    return this.sentBytes === this.sizeBytes;
  }

  /** Lets go of the source's file or socket. Safe to repeat. */
  destroy(): void {
    if (this.source instanceof Readable) this.source.on('error', () => undefined).destroy();
  }
}

/** How much a body must bring in how long, in ms (0: there is no such bound), and what it fails with when it does not. */
export interface LeastRate {
  bytes: number;
  inMs: number;
  dripping: () => Error;
}

/** Looks taken within that time. Looks are counted and not the clock read, so that a process which was stopped for an hour blames nobody. */
const looks = 4;

/**
 * An answer's bytes as they arrive. What goes wrong on the way is translated by the given function, and `destroy` ends the
 * request at once, even while the server is silent. A body that only drips fails; time in which nobody wants more does not count.
 */
export class IncomingBody extends Readable {
  private readonly timer: NodeJS.Timeout | undefined;
  private held = false;
  private bytes = 0;
  private dryLooks = 0;

  constructor(
    private readonly source: Readable,
    translate: (error: unknown) => Error,
    private readonly least: LeastRate,
  ) {
    super();
    if (least.inMs > 0) this.timer = setInterval(() => this.look(), least.inMs / looks);
    source.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.push(chunk)) return;
      this.held = true;
      source.pause();
    });
    source.on('end', () => {
      clearInterval(this.timer);
      this.push(null);
    });
    source.on('error', (error) => this.destroy(translate(error)));
    // It may break before anyone reads it; whoever reads it later still gets the error.
    this.on('error', () => undefined);
  }

  /** @internal */
  override _read(): void {
    this.source.resume();
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.timer);
    this.source.destroy();
    done(error);
  }

  private look(): void {
    const enough = this.held || this.bytes >= this.least.bytes;
    this.dryLooks = enough ? 0 : this.dryLooks + 1;
    if (enough) this.bytes = 0;
    this.held = this.source.isPaused();
    if (this.dryLooks >= looks) this.destroy(this.least.dripping());
  }
}

/** All of a body as text, or null when it is above the limit; what is left is then not read. */
export async function readText(body: Readable, limitBytes: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
