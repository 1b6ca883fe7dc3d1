import type { DocumentOutcome, LedgerEntry } from '../../contract/archive';
import { ledgerKey } from '../../contract/keys';
import { mayBePaid } from '../../domain/retry';
import type { Store } from '../../store';
import { BrokenFileError, jsonText } from '../../store/jsonl';
import { readJobFile } from '../job-file';
import { runPool } from '../upload/pool';
import { settleEntry } from './entry';

export { claim } from './claims';
export type { Claimant } from './claims';
export { liveness } from './liveness';
export { findProcessed, skippedReason } from './processed';
export type { Elsewhere } from './processed';

/** Entries that are written at the same time. */
const lanes = 8;

/**
 * Writes into the project's ledger what became of a job's documents, so that later batches can pass them over: `processed`, or `partial` when
 * some of a document's pages were or may have been paid for. Documents without a digest, or without a paid page, are left out.
 * Never makes less of what is there; safe to repeat. @throws StoreError, BrokenFileError
 */
export async function recordProcessed(
  store: Store,
  place: { projectId: string; batchId: string; job: number },
  documents: AsyncIterable<DocumentOutcome> | DocumentOutcome[],
): Promise<void> {
  const { projectId, batchId, job } = place;
  const debited = (await readJobFile(store, { batchId, job }))?.creditsDebited ?? null;
  const at = new Date().toISOString();
  await runPool(documents, lanes, async (document) => {
    const { sha256, seq, jobId, documentId, outcome } = document;
    if (sha256 === null || outcome === 'skipped' || outcome === 'duplicate' || !mayBePaid(document, debited)) return;
    const state = outcome === 'processed' ? outcome : 'partial';
    const entry: LedgerEntry = { sha256, state, batchId, job, seq, jobId, documentId, runId: null, paid: true, at };
    const key = ledgerKey(projectId, sha256);
    try {
      await settleEntry(store, key, (known) => Promise.resolve(saysMore(entry, known) ? entry : null));
    } catch (error) {
      // What a damaged entry said is lost, and this is known for certain.
      if (!(error instanceof BrokenFileError)) throw error;
      await store.write(key, jsonText(entry));
    }
  });
}

/** Whether an outcome is worth more than what the ledger says already: the first one of a kind stays. */
const saysMore = ({ state }: LedgerEntry, known: LedgerEntry | null): boolean =>
  known === null || known.state === 'claimed' || (known.state === 'partial' && state === 'processed');
