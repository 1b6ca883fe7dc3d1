import { ledgerEntrySchema } from '../../contract/archive';
import type { LedgerEntry } from '../../contract/archive';
import { NotFoundError, type Store } from '../../store';
import { BrokenFileError, findJson, jsonText, parseJson } from '../../store/jsonl';

/** A ledger's entry, and the version of it, or of one before it: with that it can no longer be replaced. */
export interface FoundEntry {
  entry: LedgerEntry;
  version: string;
}

/** Largest entry that is read in one go; one is a few hundred bytes. */
const entryBytes = 64 * 1024;

/** The entry at `key`, or null. @throws BrokenFileError, StoreError */
export async function findEntry(store: Store, key: string): Promise<FoundEntry | null> {
  if (store.read) return readEntry(store, key);
  // The version first: whoever reads what somebody wrote in between must not be able to replace it unseen.
  const found = await store.stat(key);
  const entry = found && (await findJson(store, key, ledgerEntrySchema));
  return entry && { entry, version: found.version };
}

async function readEntry(store: Store, key: string): Promise<FoundEntry | null> {
  try {
    const found = await store.read!(key, entryBytes);
    if (!found) throw new BrokenFileError(key, null, `is larger than ${entryBytes} bytes`);
    return { entry: parseJson(found.bytes.toString(), ledgerEntrySchema, key, null), version: found.version };
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

/**
 * Writes what `decide` makes of the entry that is there; asks again when somebody else was faster. Null: the entry stays. Most contents are
 * new, so it is asked first what it would write where nothing is, which is then made without another look.
 */
export async function settleEntry(store: Store, key: string, decide: (known: LedgerEntry | null) => Promise<LedgerEntry | null>): Promise<void> {
  const first = await decide(null);
  if (first && (await store.createIfAbsent(key, jsonText(first)))) return;
  for (;;) {
    const found = await findEntry(store, key);
    const next = await decide(found?.entry ?? null);
    if (!next) return;
    const text = jsonText(next);
    if (await (found ? store.replaceIf(key, text, found.version) : store.createIfAbsent(key, text))) return;
  }
}
