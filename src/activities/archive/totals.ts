import { documentOutcomeSchema, jobFileSchema } from '../../contract/archive';
import type { JobTotals } from '../../contract/archive';
import type { Counts } from '../../contract/batch';
import { jobKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { findJson, readJsonLines } from '../../store/jsonl';

/**
 * What a closed job adds up to, from its documents.jsonl; null when it has none. Credits as the remote job says, which holds
 * for failed jobs too; when it does not say, the sum over the documents. Pages as the result counts them, equal content once.
 */
export async function readJobTotals(store: Store, batchId: string, job: number): Promise<(JobTotals & { documents: number }) | null> {
  const keys = jobKeys(batchId, job);
  if (!(await store.stat(keys.documents))) return null;
  const counts: Counts = {};
  const counted = new Set<string>();
  let [documents, pages, credits] = [0, 0, 0];
  for await (const document of readJsonLines(store, keys.documents, documentOutcomeSchema)) {
    documents += 1;
    counts[document.outcome] = (counts[document.outcome] ?? 0) + 1;
    credits += document.credits ?? 0;
    if (document.result === null || document.documentId === null || counted.has(document.documentId)) continue;
    counted.add(document.documentId);
    pages += document.pages ?? 0;
  }
  const debited = (await findJson(store, keys.job, jobFileSchema))?.creditsDebited;
  return { documents, counts, pages, credits: debited ?? credits };
}
