import { join } from 'node:path';
import type { Measured } from './children/measure';
import type { ManifestAnswer, ManifestRequest } from './children/manifest';
import { figure } from './figures';
import { buildLargeBatch } from './large-batch';
import { runChild, type Run } from './session';

const batchId = 'bench';

/** Ending a batch: every document's line from the plan and the jobs' outcomes. */
export const manifest: Run = async (session) => {
  const documents = session.full ? 1_000_000 : session.smoke ? 60 : 20_000;
  const archive = join(session.folder, 'archive');
  session.progress(`manifest: making an archive of ${documents} documents`);
  await buildLargeBatch(archive, { batchId, documents, artifacts: [] });
  session.progress('manifest: writing the manifest');
  const request: ManifestRequest = { archive, batchId };
  const { value, seconds, cpuSeconds, memory } = await runChild<Measured<ManifestAnswer>>(session, 'manifest', request, 15 * 60_000);
  if (value.documents !== documents) throw new Error(`the manifest has ${value.documents} documents instead of ${documents}`);
  return {
    documents: figure(value.documents, 'documents'),
    jobs: figure(value.jobs, 'jobs'),
    bytes: figure(value.bytes, 'bytes', { note: 'manifest.jsonl' }),
    seconds: figure(seconds, 's'),
    cpuSeconds: figure(cpuSeconds, 's'),
    growthBytes: figure(memory.peakBytes - memory.beforeBytes, 'bytes', { budget: growthBudgetBytes, note: 'resident' }),
    processPeakBytes: figure(memory.processPeakBytes, 'bytes'),
  };
};

/**
 * A constant, for any number of documents. What is kept is a few kilobytes a job, 50 MB for the 10,000 of a million documents; beyond that
 * the garbage collector takes about 100 MB of room as soon as it has that much to collect, and does without it when it must.
 */
const growthBudgetBytes = 192 * 1024 * 1024;
