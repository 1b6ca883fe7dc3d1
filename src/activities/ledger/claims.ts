import type { LedgerEntry } from '../../contract/archive';
import { ledgerKey } from '../../contract/keys';
import type { Store } from '../../store';
import { settleEntry } from './entry';
import { judge } from './processed';
import type { Asker, Elsewhere } from './processed';

/** A job that claims, in one run of its workflow. */
export interface Claimant extends Asker {
  projectId: string;
  job: number;
  /** The remote job, for people who read the ledger. */
  jobId: string | null;
  runId: string;
}

/** One document's content. */
export interface Content {
  seq: number;
  sha256: string;
}

/**
 * Claims a content for a job, so that no other batch sends it: of several at once one wins. What another batch has processed, or is at, stays
 * theirs; a claim whose batch and job are closed is taken over. A repeat finds its own claim. A later run of the same job writes it anew,
 * so that nobody takes it over who saw the earlier run closed.
 * @returns null when the content is ours, else who has it. @throws BrokenFileError, StoreError
 */
export async function claim(store: Store, claimant: Claimant, { seq, sha256 }: Content): Promise<Elsewhere | null> {
  const { projectId, batchId, job, jobId, runId } = claimant;
  let elsewhere: Elsewhere | null = null;
  await settleEntry(store, ledgerKey(projectId, sha256), async (known) => {
    elsewhere = null;
    if (known && isOwn(known, claimant)) return null;
    elsewhere = known && (await judge(known, claimant));
    if (elsewhere) return null;
    const paid = known !== null && (known.paid || known.state !== 'claimed');
    return { sha256, state: 'claimed', batchId, job, seq, jobId, documentId: null, runId, paid, at: new Date().toISOString() };
  });
  return elsewhere;
}

const isOwn = (known: LedgerEntry, { batchId, job, runId }: Claimant): boolean =>
  known.state === 'claimed' && known.batchId === batchId && known.job === job && known.runId === runId;
