import { createHash } from 'node:crypto';
import { countPages, countPagesOf, type PageCount } from '../pdf/page-count';
import type { StoredContent } from './job';
import type { Settings } from './options';
import type { Scratch, ScratchFile } from './scratch';

/** Content up to this many bytes is kept in memory until its pages are counted. */
const memoryBytes = 8 * 2 ** 20;
/** A PDF says so somewhere in so many first bytes, or no reader takes it for one. */
export const headerBytes = 1024;

/** What an intake works with. */
export interface IntakeTools {
  readonly scratch: Scratch;
  readonly settings: Pick<Settings, 'bytesPerPage' | 'countedBytes'>;
}

/** Bytes that were received whole. Exactly one of the two methods must be called. */
export interface Received {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Looks into the bytes, then lets them go. */
  store(): Promise<StoredContent>;
  /** Lets the bytes go. */
  discard(): Promise<void>;
}

/** What is known of a body before it comes. */
export interface Announced {
  /** What will be too large for counting is not even begun to be kept. */
  sizeBytes: number;
  /** Its digest, which is believed: nothing is hashed. Default: it is hashed. */
  trusted?: string | null;
}

/**
 * Reads a body to its end, hashing it. Only what may be a PDF, and is not too large for counting, is kept meanwhile.
 *
 * @throws the stream's error; then nothing is kept
 */
export async function receive(body: AsyncIterable<Buffer>, tools: IntakeTools, announced: Announced = { sizeBytes: 0 }): Promise<Received> {
  const trusted = announced.trusted ?? null;
  const hash = createHash('sha256');
  const keeper = new Keeper(tools, announced.sizeBytes);
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      if (trusted === null) hash.update(chunk);
      await keeper.add(chunk);
    }
  } catch (error) {
    await keeper.discard();
    throw error;
  }
  const sha256 = trusted ?? hash.digest('hex');
  return {
    sizeBytes,
    sha256,
    store: () => inspect(keeper, sizeBytes, tools.settings.bytesPerPage),
    discard: () => keeper.discard(),
  };
}

async function inspect(keeper: Keeper, sizeBytes: number, bytesPerPage: number): Promise<StoredContent> {
  try {
    return toFinding(await keeper.countPages(sizeBytes), sizeBytes, bytesPerPage);
  } finally {
    await keeper.discard();
  }
}

/** What a page count says of stored content: a document too large to be counted has the estimated pages. */
export function toFinding(count: PageCount, sizeBytes: number, bytesPerPage: number): StoredContent {
  if ('pages' in count) {
    return count.pages > 0 ? { pages: count.pages, problem: null } : { pages: 0, problem: { code: 'no_pages', message: 'The document has no pages.' } };
  }
  if (count.problem === 'too_large') return { pages: estimatePages(sizeBytes, bytesPerPage), problem: null };
  const code = { encrypted: 'document_encrypted', damaged: 'document_unreadable', not_pdf: 'unsupported_format' }[count.problem];
  return { pages: 0, problem: { code, message: count.message } };
}

/** Pages of a document, judged by its size only. */
export const estimatePages = (sizeBytes: number, bytesPerPage: number): number => Math.max(1, Math.ceil(sizeBytes / bytesPerPage));

/** Keeps what may have to be looked into: first in memory, then in a temporary file, and not at all beyond that. */
class Keeper {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #file: ScratchFile | null = null;
  #kept: 'undecided' | 'memory' | 'file' | 'tooLarge' | 'noPdf' = 'undecided';
  readonly #tools: IntakeTools;
  readonly #announcedBytes: number;

  constructor(tools: IntakeTools, announcedBytes: number) {
    this.#tools = tools;
    this.#announcedBytes = announcedBytes;
  }

  async add(chunk: Buffer): Promise<void> {
    if (this.#kept === 'noPdf' || this.#kept === 'tooLarge') return;
    this.#bytes += chunk.length;
    if (this.#kept === 'file') {
      if (this.#bytes > this.#tools.settings.countedBytes) await this.#drop('tooLarge');
      else await this.#file?.handle.appendFile(chunk);
      return;
    }
    this.#chunks.push(chunk);
    if (this.#kept === 'undecided' && this.#bytes >= headerBytes) await this.#decide();
    if (this.#kept === 'memory' && this.#bytes > memoryBytes) await this.#spill();
  }

  async countPages(sizeBytes: number): Promise<PageCount> {
    if (this.#kept === 'tooLarge') return { problem: 'too_large', message: `${sizeBytes} bytes are too many to be read` };
    if (this.#kept === 'noPdf') return { problem: 'not_pdf', message: 'The document is not a PDF.' };
    return this.#file ? countPages(this.#file.path) : countPagesOf(Buffer.concat(this.#chunks));
  }

  async discard(): Promise<void> {
    this.#chunks = [];
    await this.#file?.remove();
    this.#file = null;
  }

  async #decide(): Promise<void> {
    const head = Buffer.concat(this.#chunks).subarray(0, headerBytes);
    if (!head.includes('%PDF-')) await this.#drop('noPdf');
    else if (this.#announcedBytes > this.#tools.settings.countedBytes) await this.#drop('tooLarge');
    else this.#kept = 'memory';
  }

  async #spill(): Promise<void> {
    this.#file = await this.#tools.scratch.file();
    this.#kept = 'file';
    for (const chunk of this.#chunks) await this.#file.handle.appendFile(chunk);
    this.#chunks = [];
  }

  async #drop(reason: 'tooLarge' | 'noPdf'): Promise<void> {
    this.#kept = reason;
    await this.discard();
  }
}
