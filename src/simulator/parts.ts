import { createHash } from 'node:crypto';
import { ApiError } from './errors';
import { receive, toFinding, type IntakeTools, type Received } from './intake';
import { checkPart, etagOf, type ExpectedPart, type PartStore, type StoredPart } from './part';
import type { ScratchFile } from './scratch';

/**
 * Parts that are looked into. A part is a temporary file until the hash over the whole
 * has reached it; of a document small enough for counting its pages, until the upload is complete.
 */
export class Parts implements PartStore {
  readonly #stored = new Map<number, StoredPart>();
  readonly #files = new Map<number, ScratchFile>();
  readonly #tools: IntakeTools;
  readonly #hashAtOnce: boolean;
  #hash = createHash('sha256');
  #hashedParts = 0;
  #hashedBytes = 0;
  #looksLikePdf = false;
  #hashing: Promise<void> = Promise.resolve();
  #discarded = false;
  /** A part is going into the hash while it arrives. */
  #straight = false;

  constructor(sizeBytes: number, tools: IntakeTools) {
    this.#tools = tools;
    this.#hashAtOnce = sizeBytes > tools.settings.countedBytes;
  }

  get(partNumber: number): StoredPart | undefined {
    return this.#stored.get(partNumber);
  }

  /** @throws ApiError 409, beside what every store throws, when the part is already part of the hash and was another one */
  async write(partNumber: number, body: AsyncIterable<Buffer>, expected: ExpectedPart): Promise<StoredPart> {
    if (this.#hashAtOnce && !this.#straight && !this.#discarded && partNumber === this.#hashedParts + 1) {
      return this.#writeStraight(partNumber, body, expected);
    }
    const { file, part } = await this.#receive(body);
    try {
      checkPart(part, expected);
      await this.#commit(partNumber, part, file);
    } catch (error) {
      await file.remove();
      throw error;
    }
    return part;
  }

  async finish(count: number): Promise<Received> {
    if (!this.#hashAtOnce) return receive(this.#read(count), this.#tools);
    await this.#hashing;
    const sizeBytes = this.#hashedBytes;
    const sha256 = this.#hash.copy().digest('hex');
    const problem = this.#looksLikePdf ? 'too_large' : 'not_pdf';
    const finding = toFinding({ problem, message: 'The document is not a PDF.' }, sizeBytes, this.#tools.settings.bytesPerPage);
    return { sizeBytes, sha256, store: async () => finding, discard: async () => undefined };
  }

  async discard(): Promise<void> {
    this.#discarded = true;
    const files = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(files.map((file) => file.remove()));
  }

  /** The part whose turn it is needs no file. Should it break off, the hash is as it was. */
  async #writeStraight(partNumber: number, body: AsyncIterable<Buffer>, expected: ExpectedPart): Promise<StoredPart> {
    this.#straight = true;
    try {
      const whole = this.#hash.copy();
      const { part, start } = await hashPart(body, async (chunk) => void whole.update(chunk));
      checkPart(part, expected);
      if (partNumber === 1) this.#looksLikePdf = start.includes('%PDF-');
      this.#hash = whole;
      this.#hashedParts = partNumber;
      this.#hashedBytes += part.sizeBytes;
      this.#stored.set(partNumber, part);
      // A repeat that was faster than this one.
      await this.#files.get(partNumber)?.remove();
      this.#files.delete(partNumber);
      return part;
    } finally {
      this.#straight = false;
      await this.#hashFurther();
    }
  }

  async #receive(body: AsyncIterable<Buffer>): Promise<{ file: ScratchFile; part: StoredPart }> {
    const file = await this.#tools.scratch.file();
    try {
      const { part } = await hashPart(body, (chunk) => file.handle.appendFile(chunk));
      return { file, part };
    } catch (error) {
      await file.remove();
      throw error;
    }
  }

  async #commit(partNumber: number, part: StoredPart, file: ScratchFile): Promise<void> {
    if (this.#discarded) throw new ApiError(409, 'NoSuchUpload', 'The upload is over.');
    if (partNumber <= this.#hashedParts) {
      if (this.#stored.get(partNumber)?.sha256 !== part.sha256) {
        throw new ApiError(409, 'PartAlreadyStored', 'This part was stored with other bytes; register the file again.');
      }
      return file.remove();
    }
    const earlier = this.#files.get(partNumber);
    this.#files.set(partNumber, file);
    this.#stored.set(partNumber, part);
    await earlier?.remove();
    if (this.#hashAtOnce) await this.#hashFurther();
  }

  #hashFurther(): Promise<void> {
    this.#hashing = this.#hashing.then(() => this.#hashOn());
    return this.#hashing;
  }

  /** Hashes the parts that follow without a gap, and lets them go; no other part goes straight meanwhile. */
  async #hashOn(): Promise<void> {
    if (this.#straight) return;
    this.#straight = true;
    try {
      await this.#hashFiles();
    } finally {
      this.#straight = false;
    }
  }

  async #hashFiles(): Promise<void> {
    for (let file = this.#takeNext(); file !== undefined; file = this.#takeNext()) {
      for await (const chunk of read(file)) {
        if (this.#hashedBytes === 0) this.#looksLikePdf = chunk.subarray(0, 1024).includes('%PDF-');
        this.#hash.update(chunk);
        this.#hashedBytes += chunk.length;
      }
      await file.remove();
    }
  }

  #takeNext(): ScratchFile | undefined {
    const file = this.#files.get(this.#hashedParts + 1);
    if (file) this.#files.delete(++this.#hashedParts);
    return file;
  }

  async *#read(count: number): AsyncGenerator<Buffer> {
    for (let partNumber = 1; partNumber <= count; partNumber++) {
      const file = this.#files.get(partNumber);
      if (file) yield* read(file);
    }
  }
}

/** Takes a part's bytes to where they go; `start` are its first 1,024. */
async function hashPart(body: AsyncIterable<Buffer>, take: (chunk: Buffer) => Promise<void>): Promise<{ part: StoredPart; start: Buffer }> {
  const hash = createHash('sha256');
  let start = Buffer.alloc(0);
  let sizeBytes = 0;
  for await (const chunk of body) {
    if (sizeBytes < 1024) start = Buffer.concat([start, chunk]).subarray(0, 1024);
    hash.update(chunk);
    await take(chunk);
    sizeBytes += chunk.length;
  }
  const sha256 = hash.digest('hex');
  return { part: { sizeBytes, sha256, etag: etagOf(sha256) }, start };
}

function read(file: ScratchFile): AsyncIterable<Buffer> {
  return file.handle.createReadStream({ start: 0, autoClose: false });
}
