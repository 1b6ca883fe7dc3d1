import type { BatchActivities, JobRef } from '../../contract/activities';
import { documentOutcomeSchema, remoteJobSchema } from '../../contract/archive';
import type { DocumentOutcome } from '../../contract/archive';
import type { Limits } from '../../contract/batch';
import { jobKeys } from '../../contract/keys';
import { jobLimits, packDocuments, unfitReason } from '../../domain/plan';
import type { JobLimits } from '../../domain/plan';
import { folderOf } from '../../domain/source-path';
import type { Store } from '../../store';
import { findJson, jsonLines, readJsonLines } from '../../store/jsonl';
import { followUpsOf, holds, makeFollowUps, triesBefore } from './follow-ups';
import { readPlacedLines, readPlan } from './read';
import type { PlacedLine } from './read';

/**
 * Repacks a job under lower limits into follow-up jobs from number `next` or a later one; `[job]` itself when it fits. Follow-up jobs that it
 * has already are answered again, whatever `next` says. Documents that fit in no job any more are `rejected` in the job's own
 * documents.jsonl, where the manifest finds them as it finds every outcome; it is written without any too, so that a job that is started
 * again does not send what its parts have sent.
 */
export async function splitJob(store: Store, request: JobRef & { limits: Limits; next: number }): ReturnType<BatchActivities['splitJob']> {
  const { batchId, job, limits, next } = request;
  const made = await followUpsOf(store, request);
  const lowered = jobLimits((await readPlan(store, batchId)).limits, limits);
  const all = await readPlacedLines(store, batchId, job);
  if (made.length === 0 && (await isUnderWay(store, request, all))) return { jobs: [job], rejected: 0 };
  const lines = all.filter((line) => !made.some((followUp) => holds(followUp, line)));
  const packing = packDocuments(packable(lines), lowered);
  const unfit = lines.filter((_, at) => packing.jobOf[at] === 0);
  if (made.length === 0 && unfit.length === 0 && packing.jobs <= 1) return { jobs: [job], rejected: 0 };
  const parts = Array.from({ length: packing.jobs }, (_, part) => lines.filter((_line, at) => packing.jobOf[at] === part + 1));
  const jobs = await makeFollowUps(store, { batchId, job, next, tries: await triesBefore(store, request), parts });
  const rejected = await writeRejected(store, request, unfit.map((placed) => rejectedOutcome(placed, lowered)));
  return { jobs: jobs.map((followUp) => followUp.job), rejected };
}

/**
 * Whether a job was sent, or is being sent, as it is: by a run of this batch that was terminated. It is over, has uploads, or has a remote job
 * that takes all of it.
 */
async function isUnderWay(store: Store, { batchId, job }: JobRef, lines: PlacedLine[]): Promise<boolean> {
  const keys = jobKeys(batchId, job);
  if ((await store.stat(keys.documents)) || (await store.stat(keys.uploads))) return true;
  for await (const _ of store.list(keys.registrations)) return true;
  for await (const _ of store.list(keys.sent)) return true;
  const remote = await findJson(store, keys.remote, remoteJobSchema);
  if (!remote || remote.maxFiles === null || remote.maxBytes === null) return false;
  return lines.length <= remote.maxFiles && lines.reduce((sum, { line }) => sum + (line.sizeBytes ?? 0), 0) <= remote.maxBytes;
}

/** The number of documents that fit nowhere. A documents.jsonl that is there stays as it is. */
async function writeRejected(store: Store, { batchId, job }: JobRef, rejected: DocumentOutcome[]): Promise<number> {
  const key = jobKeys(batchId, job).documents;
  if (!(await store.stat(key))) {
    await store.write(key, jsonLines(rejected));
    return rejected.length;
  }
  let known = 0;
  for await (const { outcome } of readJsonLines(store, key, documentOutcomeSchema)) known += outcome === 'rejected' ? 1 : 0;
  return known;
}

/** Documents as packing takes them; `pages` instead of the plan's own counts, -1 for unknown. */
export function packable(lines: PlacedLine[], pages?: readonly number[]) {
  const folders = new Map<string, number>();
  const folderOfLine = (source: string) => {
    const folder = folderOf(source);
    folders.set(folder, folders.get(folder) ?? folders.size);
    return folders.get(folder)!;
  };
  return {
    sizes: Float64Array.from(lines, ({ line }) => line.sizeBytes ?? 0),
    pages: Int32Array.from(lines, ({ line }, at) => pages?.[at] ?? line.pages ?? -1),
    folders: Uint32Array.from(lines, ({ line }) => folderOfLine(line.source)),
  };
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
  pagesPaid: 0,
  credits: null,
  result: null,
  artifacts: [],
});
