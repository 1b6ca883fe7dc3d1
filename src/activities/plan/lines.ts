import type { PlanLine, PlanRange } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import { JobNames } from '../../domain/file-name';
import { packDocuments, unfitReason } from '../../domain/plan';
import type { JobLimits } from '../../domain/plan';
import type { Digests } from './compare';
import type { DocumentTable } from './table';

const chunkBytes = 256 * 1024;

/** What becomes of one document. */
type Fate = { kind: 'sent' } | { kind: 'rejected' | 'skipped'; reason: Reason } | { kind: 'duplicate'; original: number };
const sentFate: Fate = { kind: 'sent' };

/** A packed table: the lines of plan.jsonl, and what they add up to. */
export class PackedTable {
  readonly jobs: number;
  readonly lowerBound: number;
  rejected = 0;
  duplicates = 0;
  skipped = 0;
  /** Of the documents in jobs. */
  bytes = 0;
  pages = 0;
  /** Documents in jobs whose pages are not known. */
  uncounted = 0;
  /** Documents in the order of their lines: job by job, then those without one. */
  private readonly order: Uint32Array;
  /** Job by document, 0 for none. */
  private readonly jobOf: Uint32Array;
  private readonly lineOf: Uint32Array;

  constructor(
    private readonly table: DocumentTable,
    private readonly digests: Digests,
    private readonly limits: JobLimits,
  ) {
    const sent = this.settle();
    const { sizes, folders, pages } = table;
    const packing = packDocuments(
      {
        sizes: picked(sizes, sent, new Float64Array(sent.length)),
        folders: picked(folders, sent, new Uint32Array(sent.length)),
        pages: pages && picked(pages, sent, new Int32Array(sent.length)),
      },
      limits,
    );
    this.jobs = packing.jobs;
    this.lowerBound = packing.lowerBound;
    this.jobOf = new Uint32Array(table.count);
    sent.forEach((document, at) => (this.jobOf[document] = packing.jobOf[at]!));
    this.order = byJob(this.jobOf, this.jobs);
    this.lineOf = new Uint32Array(table.count);
    this.order.forEach((document, at) => (this.lineOf[document] = at + 1));
  }

  /** The lines in their order, each a fresh object. */
  *lines(): Generator<PlanLine> {
    let names = new JobNames();
    let job = 0;
    for (let at = 0; at < this.order.length; at += 1) {
      const document = this.order[at]!;
      if (this.jobOf[document] !== job) names = new JobNames();
      job = this.jobOf[document]!;
      yield this.line(at + 1, document, job > 0 ? names : null);
    }
  }

  private line(seq: number, document: number, names: JobNames | null): PlanLine {
    const { source, fileName, contentType, classification, sha256, mtimeMs, inode } = this.table.read(document);
    const hashed = sha256 === null ? this.digests.get(document) : null;
    const fate = this.fate(document);
    const pages = this.table.pages?.[this.table.original(document) ?? document] ?? -1;
    const size = this.table.sizes[document]!;
    // A state beside a digest says that the one belongs to the other; of a file that was just changed it cannot.
    const known = hashed && !hashed.state ? { mtimeMs: null, inode: null } : { mtimeMs, inode };
    return {
      seq,
      source,
      fileName: names ? names.take(fileName) : fileName,
      contentType,
      sizeBytes: Number.isNaN(size) ? null : size,
      sha256: sha256 ?? hashed?.sha256 ?? null,
      pages: pages < 0 ? null : pages,
      classification,
      mtimeMs: known.mtimeMs ?? hashed?.state?.mtimeMs ?? null,
      inode: known.inode ?? (hashed?.state ? String(hashed.state.inode) : null),
      job: this.jobOf[document] || null,
      reason: reasonOf(fate),
      duplicateOf: fate.kind === 'duplicate' ? this.lineOf[fate.original]! : null,
    };
  }

  /** Counts everything; returns the documents that are sent, in source order. */
  private settle(): Uint32Array {
    const { table } = this;
    const sent = new Uint32Array(table.count);
    let count = 0;
    for (let document = 0; document < table.count; document += 1) {
      const { kind } = this.fate(document);
      if (kind === 'rejected') this.rejected += 1;
      else if (kind === 'duplicate') this.duplicates += 1;
      else if (kind === 'skipped') this.skipped += 1;
      else {
        sent[count++] = document;
        this.bytes += table.sizes[document]!;
        const pages = table.pages?.[document] ?? -1;
        if (pages < 0) this.uncounted += 1;
        else this.pages += pages;
      }
    }
    return sent.slice(0, count);
  }

  /** A duplicate of what is rejected or skipped is so too, for the same reason: nothing of it will come from this batch. */
  private fate(document: number): Fate {
    const skipped = this.table.skipReason(document);
    if (skipped) return { kind: 'skipped', reason: skipped };
    const original = this.table.original(document);
    const reason = this.table.reason(document) ?? this.unfit(original ?? document);
    if (reason) return { kind: 'rejected', reason };
    return original === null ? sentFate : { kind: 'duplicate', original };
  }

  private unfit(document: number): Reason | null {
    const pages = this.table.pages?.[document] ?? -1;
    return unfitReason(this.table.sizes[document]!, pages < 0 ? null : pages, this.limits);
  }
}

function reasonOf(fate: Fate): Reason | null {
  if (fate.kind === 'sent') return null;
  return fate.kind === 'duplicate' ? duplicate : fate.reason;
}

const duplicate: Reason = { code: 'duplicate', message: 'has the same content as an earlier document of this batch' };

/** The values of some documents, written to `target`. */
function picked<T extends Float64Array | Uint32Array | Int32Array>(values: T, documents: Uint32Array, target: T): T {
  for (let at = 0; at < documents.length; at += 1) target[at] = values[documents[at]!]!;
  return target;
}

/** Positions of `jobOf` in the order of jobs; those without a job last. */
function byJob(jobOf: Uint32Array, jobs: number): Uint32Array {
  const place = (job: number) => (job === 0 ? jobs : job - 1);
  const starts = new Uint32Array(jobs + 2);
  for (const job of jobOf) starts[place(job) + 1]! += 1;
  for (let job = 1; job < starts.length; job += 1) starts[job]! += starts[job - 1]!;
  const order = new Uint32Array(jobOf.length);
  jobOf.forEach((job, document) => (order[starts[place(job)]!++] = document));
  return order;
}

/** Turns lines into bytes, and notes where each job's lines are. */
export class LineWriter {
  /** By job, from 0. */
  readonly ranges: PlanRange[] = [];
  private offset = 0;
  private chunk = Buffer.allocUnsafe(chunkBytes);
  private length = 0;

  /** Takes a line; returns a chunk of bytes when enough has come together. */
  add(line: PlanLine): Buffer | null {
    const text = `${JSON.stringify(line)}\n`;
    // A line that the rest of the chunk might not hold gets a chunk that holds it.
    const full = this.length + text.length * 3 > this.chunk.length ? this.take(Math.max(chunkBytes, text.length * 3)) : null;
    const bytes = this.chunk.write(text, this.length);
    if (line.job !== null) this.addToJob(line.job, line, bytes);
    this.offset += bytes;
    this.length += bytes;
    return full;
  }

  /** What has come together since the last chunk. */
  take(nextBytes = 0): Buffer {
    const bytes = this.chunk.subarray(0, this.length);
    this.chunk = Buffer.allocUnsafe(nextBytes);
    this.length = 0;
    return bytes;
  }

  private addToJob(job: number, line: PlanLine, length: number): void {
    const range = (this.ranges[job - 1] ??= { offset: this.offset, length: 0, documents: 0, sizeBytes: 0, pages: null });
    range.length += length;
    range.documents += 1;
    range.sizeBytes += line.sizeBytes ?? 0;
    if (line.pages !== null) range.pages = (range.pages ?? 0) + line.pages;
  }
}
