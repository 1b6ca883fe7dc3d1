import type { Limits, Reason } from '../contract/batch';
import { maxBytesPerJob, maxFilesPerJob } from '../contract/batch';
import { grouped } from './plan-order';
import { Packer } from './plan-packer';
import type { Packed } from './plan-packer';
import { knownPages } from './plan-pieces';
import type { Documents } from './plan-pieces';
import type { Load } from './plan-rooms';

/** Limits of one job with nothing left open. `maxPages` is {@link unlimited} when pages are not limited. */
export interface JobLimits {
  maxFiles: number;
  maxBytes: number;
  maxPages: number;
}
/** More pages than any job has; finite, so that shares of it can be computed. */
export const unlimited = Number.MAX_SAFE_INTEGER;

/** The lowest of each limit, and of what Plangrep allows. */
export function jobLimits(...limits: Limits[]): JobLimits {
  const lowest = (key: keyof Limits, most: number) => limits.reduce((low, each) => Math.min(low, each[key] ?? most), most);
  return { maxFiles: lowest('maxFiles', maxFilesPerJob), maxBytes: lowest('maxBytes', maxBytesPerJob), maxPages: lowest('maxPages', unlimited) };
}

/** Why a document fits in no job, or null when it fits. `pages` is null when they are not known, and then never too many. */
export function unfitReason(sizeBytes: number, pages: number | null, limits: JobLimits): Reason | null {
  if (sizeBytes > limits.maxBytes) return { code: 'too_large', message: `has ${sizeBytes} bytes, and a job takes ${limits.maxBytes}` };
  if ((pages ?? 0) > limits.maxPages) return { code: 'too_many_pages', message: `has ${pages} pages, and a job takes ${limits.maxPages}` };
  return null;
}

/** Which job each document goes to. */
export interface Packing {
  jobs: number;
  /** Job of each document, from 1 in order of their first documents; 0 for one that fits in no job. */
  jobOf: Uint32Array;
  /** No packing of the documents that fit has fewer jobs than this. */
  lowerBound: number;
}

/**
 * Packs documents into as few jobs as it can within three limits: files, bytes and known pages. Deterministic. The documents
 * of a folder share a job, or full jobs, unless cutting folders saves a job. Takes seconds for a million documents.
 */
export function packDocuments(documents: Documents, limits: JobLimits): Packing {
  const { order, totals } = fittingDocuments(documents, limits);
  const lowerBound = lowerBoundJobs(totals, limits);
  const capacity: Load = { files: limits.maxFiles, bytes: limits.maxBytes, pages: limits.maxPages };
  const packer = new Packer(documents, order, capacity);
  const packed = packer.pack(lowerBound);
  return { jobs: packed.jobs, jobOf: numberJobs(packed, order, documents.sizes.length), lowerBound };
}

/** max(files / limit, bytes / limit, pages / limit), each rounded up. */
export function lowerBoundJobs(totals: Load, limits: JobLimits): number {
  return Math.max(Math.ceil(totals.files / limits.maxFiles), Math.ceil(totals.bytes / limits.maxBytes), Math.ceil(totals.pages / limits.maxPages));
}

function fittingDocuments({ sizes, pages, folders }: Documents, limits: JobLimits): { order: Uint32Array; totals: Load } {
  const totals: Load = { files: 0, bytes: 0, pages: 0 };
  const order = grouped(folders).filter((document) => {
    const known = knownPages(pages, document);
    if (sizes[document]! > limits.maxBytes || known > limits.maxPages) return false;
    totals.files += 1;
    totals.bytes += sizes[document]!;
    totals.pages += known;
    return true;
  });
  return { order, totals };
}

/** The jobs of all documents, numbered from 1 in the order of their first documents. */
function numberJobs({ jobs, jobOf }: Packed, order: Uint32Array, documents: number): Uint32Array {
  const numbered = new Uint32Array(documents);
  order.forEach((document, at) => {
    numbered[document] = jobOf[at]! + 1;
  });
  const numbers = new Uint32Array(jobs + 1);
  let next = 0;
  return numbered.map((job) => (job === 0 ? 0 : (numbers[job] ||= ++next)));
}
