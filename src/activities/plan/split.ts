import type { BatchActivities, JobRef } from '../../contract/activities';
import type { DocumentOutcome, FollowUp, PlanRange } from '../../contract/archive';
import type { Limits } from '../../contract/batch';
import { batchKeys, jobKeys } from '../../contract/keys';
import { jobLimits, packDocuments, unfitReason } from '../../domain/plan';
import type { JobLimits } from '../../domain/plan';
import { folderOf } from '../../domain/source-path';
import type { Store } from '../../store';
import { jsonLines, jsonText } from '../../store/jsonl';
import { readPlacedLines, readPlan } from './read';
import type { PlacedLine } from './read';

/**
 * Repacks a job under lower limits into follow-up jobs from number `next`; `[job]` itself when it fits. Documents that fit in
 * no job any more are `rejected` in the job's own documents.jsonl, where the manifest finds them as it finds every outcome.
 * Deterministic, so a repeat writes the same.
 */
export async function splitJob(
  store: Store,
  { batchId, job, limits, next }: JobRef & { limits: Limits; next: number },
): ReturnType<BatchActivities['splitJob']> {
  const lowered = jobLimits((await readPlan(store, batchId)).limits, limits);
  const lines = await readPlacedLines(store, batchId, job);
  const packing = packDocuments(documentsOf(lines), lowered);
  const unfit = lines.filter((_, at) => packing.jobOf[at] === 0);
  if (unfit.length === 0 && packing.jobs <= 1) return { jobs: [job], rejected: 0 };
  const jobs = Array.from({ length: packing.jobs }, (_, part) => next + part);
  for (const [part, number] of jobs.entries()) {
    const followUp: FollowUp = { job: number, parent: job, ranges: joined(lines.filter((_, at) => packing.jobOf[at] === part + 1)) };
    await store.write(batchKeys(batchId).followUp(number), jsonText(followUp));
  }
  if (unfit.length > 0) {
    await store.write(jobKeys(batchId, job).documents, jsonLines(unfit.map((placed) => rejectedOutcome(placed, lowered))));
  }
  return { jobs, rejected: unfit.length };
}

function documentsOf(lines: PlacedLine[]) {
  const folders = new Map<string, number>();
  const folderOfLine = (source: string) => {
    const folder = folderOf(source);
    folders.set(folder, folders.get(folder) ?? folders.size);
    return folders.get(folder)!;
  };
  return {
    sizes: Float64Array.from(lines, ({ line }) => line.sizeBytes ?? 0),
    pages: Int32Array.from(lines, ({ line }) => line.pages ?? -1),
    folders: Uint32Array.from(lines, ({ line }) => folderOfLine(line.source)),
  };
}

/** Ranges of the lines, in the order of the plan, neighbours in one. */
function joined(lines: PlacedLine[]): PlanRange[] {
  const ranges: PlanRange[] = [];
  for (const { line, offset, length } of lines) {
    let range = ranges.at(-1);
    if (!range || range.offset + range.length !== offset) {
      range = { offset, length: 0, documents: 0, sizeBytes: 0, pages: null };
      ranges.push(range);
    }
    range.length += length;
    range.documents += 1;
    range.sizeBytes += line.sizeBytes ?? 0;
    if (line.pages !== null) range.pages = (range.pages ?? 0) + line.pages;
  }
  return ranges;
}

const rejectedOutcome = ({ line }: PlacedLine, limits: JobLimits): DocumentOutcome => ({
  seq: line.seq,
  outcome: 'rejected',
  reason: unfitReason(line.sizeBytes ?? 0, line.pages, limits),
  jobId: null,
  documentId: null,
  sha256: line.sha256,
  pages: line.pages,
  pagesFailed: null,
  credits: null,
  result: null,
  artifacts: [],
});
