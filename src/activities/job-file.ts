import type { JobRef } from '../contract/activities';
import { jobFileSchema, type JobFile } from '../contract/archive';
import { jobKeys } from '../contract/keys';
import type { Job } from '../plangrep/schemas';
import type { Store } from '../store';
import { BrokenFileError, findJson } from '../store/jsonl';

/**
 * What job.json says; null when it is not there, or not what was written: it only tells of what was seen, and no paid job is given up over it.
 */
export async function readJobFile(store: Store, { batchId, job }: JobRef): Promise<JobFile | null> {
  try {
    return await findJson(store, jobKeys(batchId, job).job, jobFileSchema);
  } catch (error) {
    if (error instanceof BrokenFileError) return null;
    throw error;
  }
}

/**
 * Keeps the job as it was last seen in job.json: parsed, and without any URL. Not once the job is closed, nor over what somebody else wrote
 * meanwhile: an attempt that was given up and wakes later must not take back what the next ones wrote.
 */
export async function saveJobFile(store: Store, ref: JobRef, seen: Job): Promise<void> {
  const keys = jobKeys(ref.batchId, ref.job);
  for (let written = false; !written; ) {
    const found = await store.stat(keys.job);
    const text = JSON.stringify(fileOf(ref, seen, found && (await readJobFile(store, ref))));
    // After the version is known: whoever closes the job from now on changes it.
    if (await store.stat(keys.documents)) return;
    written = await (found ? store.replaceIf(keys.job, text, found.version) : store.createIfAbsent(keys.job, text));
  }
}

function fileOf({ batchId, job }: JobRef, seen: Job, known: JobFile | null): JobFile {
  return jobFileSchema.parse({
    job,
    parent: known?.parent ?? null,
    batchId,
    jobId: seen.id,
    externalId: seen.externalId ?? known?.externalId ?? null,
    status: seen.status,
    error: seen.error ?? null,
    creditsDebited: seen.billing?.creditsDebited ?? known?.creditsDebited ?? null,
    pageCount: seen.pageCount ?? known?.pageCount ?? null,
    createdAt: seen.createdAt ?? known?.createdAt ?? null,
    expiresAt: seen.expiresAt ?? known?.expiresAt ?? null,
    completedAt: seen.completedAt ?? null,
    documents: known?.documents ?? 0,
  });
}
