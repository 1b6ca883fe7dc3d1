import { lookup } from 'mime-types';
import type { Classification, Reason } from '../../contract/batch';
import { sendableName } from '../../domain/file-name';
import { baseName, folderOf, parsePath, pathText, spellPath } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import type { Candidate } from './candidate';
import { DigestMap } from './digest-map';
import type { Skips } from './skips';
import { Spool } from './spool';

/** What a document's line says of it, beside what packing decides. */
export interface Document {
  source: string;
  fileName: string;
  contentType: string;
  classification: Classification | null;
  sha256: string | null;
  mtimeMs: number | null;
  inode: string | null;
}

const none = 0xffffffff;

const types = new Map<string, string>();
/** The media type that a name's extension stands for. */
function typeByExtension(name: string): string {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  const known = types.get(extension);
  if (known !== undefined) return known;
  const type = lookup(name) || 'application/octet-stream';
  // Names without a dot are no extensions worth keeping.
  if (extension.length <= 8 && types.size < 1000) types.set(extension, type);
  return type;
}

/** The documents of a source in its order, numbered from 0: a few dozen bytes of memory each, the rest on the disk. */
export class DocumentTable {
  count = 0;
  /** Bytes; NaN where nobody could tell. */
  sizes = new Float64Array(1024);
  /** Folders, numbered in order of appearance. */
  folders = new Uint32Array(1024);
  /** Pages, -1 where not known; null until pages are counted. */
  pages: Int32Array | null = null;
  /** Those whose content another batch has; null until a ledger is asked. */
  skips: Skips | null = null;
  /** The earlier document that this one repeats. */
  private originals = new Uint32Array(1024).fill(none);
  private readonly reasons = new Map<number, Reason>();
  private readonly interned = new Map<string, Reason>();
  /** Was anything not there, or not readable? */
  sawUnreadable = false;
  private readonly spool = new Spool();
  private readonly folderNumbers = new DigestMap();
  private folderCount = 0;
  private lastFolder: { path: BytePath; number: number } | null = null;

  /** @param classify names the classification for a path, for documents that have none of their own */
  constructor(private readonly classify: (path: string) => Classification | null) {}

  /** Adds a document; returns its number. */
  add(candidate: Candidate): number {
    if (this.count === this.sizes.length) this.grow();
    const number = this.count++;
    this.sizes[number] = candidate.sizeBytes ?? NaN;
    this.folders[number] = this.folderNumber(folderOf(candidate.path));
    if (candidate.reason) this.reject(number, candidate.reason);
    const fileName = sendableName(candidate.fileName ?? pathText(baseName(candidate.path)));
    const { sha256, mtimeMs, inode } = candidate;
    const contentType = candidate.contentType ?? typeByExtension(fileName);
    const classification = candidate.classification ?? this.classify(pathText(candidate.path));
    this.spool.add(JSON.stringify([spellPath(candidate.path), fileName, contentType, classification, sha256, mtimeMs, inode]));
    return number;
  }

  read(number: number): Document {
    const fields = JSON.parse(this.spool.read(number)) as Values<Document>;
    const [source, fileName, contentType, classification, sha256, mtimeMs, inode] = fields;
    return { source, fileName, contentType, classification, sha256, mtimeMs, inode };
  }

  path(number: number): BytePath {
    return parsePath(this.read(number).source);
  }

  reject(number: number, reason: Reason): void {
    this.sawUnreadable ||= reason.code === 'unreadable';
    const key = `${reason.code} ${reason.message}`;
    const known = this.interned.get(key) ?? reason;
    // Most reasons are the same few; those that differ for each document are kept as they are.
    if (this.interned.size < 1000) this.interned.set(key, known);
    this.reasons.set(number, known);
  }

  /** Marks a document as equal to an earlier one. */
  repeat(number: number, original: number): void {
    this.originals[number] = original;
  }

  /** Why a document is not sent; of a duplicate, why its original is not. */
  reason(number: number): Reason | null {
    return this.reasons.get(this.original(number) ?? number) ?? null;
  }

  /** Why a document's content, or that of the one it is equal to, is passed over. */
  skipReason(number: number): Reason | null {
    return this.skips?.reason(this.original(number) ?? number) ?? null;
  }

  /** The first of the documents that this one is equal to; null when it is the first itself. */
  original(number: number): number | null {
    let original = number;
    // An earlier line with the same path may have turned out to equal a third.
    while (this.originals[original] !== none) original = this.originals[original]!;
    return original === number ? null : original;
  }

  /** Will it be sent, as far as is known? */
  isOpen(number: number): boolean {
    return this.originals[number] === none && !this.reasons.has(number) && !this.skips?.has(number);
  }

  close(): void {
    this.spool.close();
  }

  private folderNumber(path: BytePath): number {
    if (this.lastFolder?.path !== path) {
      const number = this.folderNumbers.claim(path, this.folderCount);
      if (number === this.folderCount) this.folderCount += 1;
      this.lastFolder = { path, number };
    }
    return this.lastFolder!.number;
  }

  private grow(): void {
    const { sizes, folders, originals } = this;
    const length = sizes.length * 2;
    this.sizes = new Float64Array(length);
    this.folders = new Uint32Array(length);
    this.originals = new Uint32Array(length).fill(none);
    this.sizes.set(sizes);
    this.folders.set(folders);
    this.originals.set(originals);
  }
}

/** A document as the spool holds it: its values, in the order of its fields. */
type Values<T extends Document> = [T['source'], T['fileName'], T['contentType'], T['classification'], T['sha256'], T['mtimeMs'], T['inode']];
