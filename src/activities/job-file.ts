import type { JobRef } from '../contract/activities';
import { jobFileSchema } from '../contract/archive';
import { jobKeys } from '../contract/keys';
import type { Job } from '../plangrep/schemas';
import type { Store } from '../store';
import { findJson } from '../store/jsonl';

/** Keeps the job as it was last seen in job.json: parsed, and without any URL. */
export async function saveJobFile(store: Store, { batchId, job }: JobRef, seen: Job): Promise<void> {
  const key = jobKeys(batchId, job).job;
  const known = await findJson(store, key, jobFileSchema);
  const file = {
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
  };
  await store.write(key, JSON.stringify(jobFileSchema.parse(file)));
}
