import { ledgerEntrySchema } from '../../contract/archive';
import type { LedgerEntry } from '../../contract/archive';
import type { Store } from '../../store';
import { findJson, jsonText } from '../../store/jsonl';

/** A ledger's entry, and the version of it, or of one before it: with that it can no longer be replaced. */
export interface FoundEntry {
  entry: LedgerEntry;
  version: string;
}

/** The entry at `key`, or null. @throws BrokenFileError, StoreError */
export async function findEntry(store: Store, key: string): Promise<FoundEntry | null> {
  // The version first: whoever reads what somebody wrote in between must not be able to replace it unseen.
  const found = await store.stat(key);
  const entry = found && (await findJson(store, key, ledgerEntrySchema));
  return entry && { entry, version: found.version };
}

/** Writes what `decide` makes of the entry that is there; asks again when somebody else was faster. Null: the entry stays. */
export async function settleEntry(store: Store, key: string, decide: (known: LedgerEntry | null) => Promise<LedgerEntry | null>): Promise<void> {
  for (;;) {
    const found = await findEntry(store, key);
    const next = await decide(found?.entry ?? null);
    if (!next) return;
    const text = jsonText(next);
    if (await (found ? store.replaceIf(key, text, found.version) : store.createIfAbsent(key, text))) return;
  }
}
