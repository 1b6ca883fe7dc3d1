import { createHash } from 'node:crypto';
import { headerBytes, toFinding, type Received } from './intake';
import { checkPart, etagOf, type ExpectedPart, type PartStore, type StoredPart } from './part';

/** Parts of which only the sizes are looked at: their digests, and that of the whole, are believed. Nothing is kept of them. */
export class TrustedParts implements PartStore {
  readonly #stored = new Map<number, StoredPart>();
  readonly #sha256: string;
  readonly #bytesPerPage: number;
  #looksLikePdf = false;

  /** @param sha256 of the whole, as it was registered */
  constructor(sha256: string, bytesPerPage: number) {
    this.#sha256 = sha256;
    this.#bytesPerPage = bytesPerPage;
  }

  get(partNumber: number): StoredPart | undefined {
    return this.#stored.get(partNumber);
  }

  async write(partNumber: number, body: AsyncIterable<Buffer>, expected: ExpectedPart): Promise<StoredPart> {
    let start = Buffer.alloc(0);
    let sizeBytes = 0;
    for await (const chunk of body) {
      if (sizeBytes < headerBytes) start = Buffer.concat([start, chunk]).subarray(0, headerBytes);
      sizeBytes += chunk.length;
    }
    // Without a digest of its own a part gets one that follows from its place: a repeat has the same ETag.
    const sha256 = expected.sha256 ?? createHash('sha256').update(`${this.#sha256} ${partNumber}`).digest('hex');
    checkPart({ sizeBytes, sha256 }, expected);
    if (partNumber === 1) this.#looksLikePdf = start.includes('%PDF-');
    const part = { sizeBytes, sha256, etag: etagOf(sha256) };
    this.#stored.set(partNumber, part);
    return part;
  }

  async finish(count: number): Promise<Received> {
    let sizeBytes = 0;
    for (let partNumber = 1; partNumber <= count; partNumber++) sizeBytes += this.#stored.get(partNumber)?.sizeBytes ?? 0;
    const sha256 = this.#sha256;
    const finding = toFinding({ problem: this.#looksLikePdf ? 'too_large' : 'not_pdf', message: 'The document is not a PDF.' }, sizeBytes, this.#bytesPerPage);
    return { sizeBytes, sha256, store: async () => finding, discard: async () => undefined };
  }

  async discard(): Promise<void> {
    this.#stored.clear();
  }
}
