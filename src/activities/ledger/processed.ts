import type { LedgerEntry } from '../../contract/archive';
import type { Reason } from '../../contract/batch';
import { ledgerKey } from '../../contract/keys';
import type { Store } from '../../store';
import { findEntry } from './entry';
import type { IsLive } from './liveness';

/** Why a content is passed over: who processed it, whose pages of it are paid for, or who is at it. */
export interface Elsewhere extends Pick<LedgerEntry, 'batchId' | 'job' | 'seq'> {
  state: LedgerEntry['state'];
}

/** Who asks the ledger, and how far they may go. */
export interface Asker {
  batchId: string;
  /** Content whose pages are, or may be, paid for is taken all the same. */
  retryPartial: boolean;
  isLive: IsLive;
}

/** What an entry says to a batch that wants to send its content: null when it may. */
export async function judge(entry: LedgerEntry, { batchId, retryPartial, isLive }: Asker): Promise<Elsewhere | null> {
  const elsewhere = (state: Elsewhere['state']): Elsewhere => ({ state, batchId: entry.batchId, job: entry.job, seq: entry.seq });
  if (entry.state === 'processed') return elsewhere('processed');
  // Which of its own documents a batch sends again is the batch's decision.
  if (entry.batchId === batchId) return null;
  if (entry.state === 'claimed' && (await isLive(entry))) return elsewhere('claimed');
  const paid = entry.state === 'partial' || entry.paid;
  return paid && !retryPartial ? elsewhere('partial') : null;
}

/** Where a content was processed, or who is at it; null when nothing is in the way. @throws BrokenFileError, StoreError */
export async function findProcessed(store: Store, projectId: string, sha256: string, asker: Asker): Promise<Elsewhere | null> {
  const found = await findEntry(store, ledgerKey(projectId, sha256));
  return found && judge(found.entry, asker);
}

/** The reason of a document that is passed over. */
export function skippedReason({ state, batchId, job, seq }: Elsewhere): Reason {
  const place = `batch ${batchId} (job ${job}, document ${seq})`;
  return { code: 'skipped', message: messages[state](place) };
}

const messages: Record<Elsewhere['state'], (place: string) => string> = {
  processed: (place) => `The same content was processed in ${place}`,
  partial: (place) => `Pages of the same content were, or may have been, paid for in ${place}; retryPartialDocuments sends it again`,
  claimed: (place) => `Another batch is at the same content: ${place}`,
};
