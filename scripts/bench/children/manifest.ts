import { batchKeys } from '../../../src/contract/keys';
import { planSchema } from '../../../src/contract/archive';
import { FolderStore } from '../../../src/store/folder';
import { readJson } from '../../../src/store/jsonl';
import { writeManifest } from '../batch-builder';
import { answer, measure, type Measured } from './measure';

/** A batch whose jobs are closed. */
export interface ManifestRequest {
  archive: string;
  batchId: string;
}

/** What was written. */
export interface ManifestAnswer {
  documents: number;
  jobs: number;
  bytes: number;
}

answer<ManifestRequest, Measured<ManifestAnswer>>(async ({ archive, batchId }) => {
  const store = new FolderStore(archive);
  const measured = await measure(() => writeManifest(store, batchId));
  const [written, plan] = [await store.stat(batchKeys(batchId).manifestLines), await readJson(store, batchKeys(batchId).plan, planSchema)];
  return { ...measured, value: { documents: measured.value.documents, jobs: plan.jobs.length, bytes: written!.sizeBytes } };
});
