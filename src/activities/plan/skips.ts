import type { Reason } from '../../contract/batch';
import { skippedReason } from '../ledger';
import type { Elsewhere } from '../ledger';
import { runPool } from '../upload/pool';
import type { Digests } from './compare';
import type { DocumentTable } from './table';

/** Ledger entries that are read at the same time. */
const lanes = 16;

/** Asks a project's ledger for a content. */
export type FindElsewhere = (sha256: string) => Promise<Elsewhere | null>;

/** Documents whose content is elsewhere: a few bytes each, since a sweep passes over nearly all it finds. */
export class Skips {
  private readonly places: Elsewhere[] = [];
  private readonly numbers = new Map<string, number>();
  /** By document: the place, from 1; 0 for none. */
  private readonly placeOf: Uint32Array;
  private readonly seqOf: Uint32Array;

  constructor(documents: number) {
    this.placeOf = new Uint32Array(documents);
    this.seqOf = new Uint32Array(documents);
  }

  set(document: number, elsewhere: Elsewhere): void {
    const name = `${elsewhere.state} ${elsewhere.job} ${elsewhere.batchId}`;
    const number = this.numbers.get(name) ?? this.places.push(elsewhere);
    this.numbers.set(name, number);
    this.placeOf[document] = number;
    this.seqOf[document] = elsewhere.seq;
  }

  has(document: number): boolean {
    return this.placeOf[document] !== 0;
  }

  /** Why a document is passed over; null when it is not. */
  reason(document: number): Reason | null {
    const place = this.places[this.placeOf[document]! - 1];
    return place ? skippedReason({ ...place, seq: this.seqOf[document]! }) : null;
  }
}

/** Marks the documents in the table whose content is elsewhere. Their digests must be known. */
export async function findSkips(
  table: DocumentTable,
  digests: Digests,
  options: { find: FindElsewhere; signal: AbortSignal | undefined; onProgress: (documents: number) => void },
): Promise<void> {
  const skips = new Skips(table.count);
  await runPool(openDocuments(table), lanes, async (document) => {
    options.signal?.throwIfAborted();
    const sha256 = table.read(document).sha256 ?? digests.get(document)?.sha256;
    const elsewhere = sha256 && (await options.find(sha256));
    if (elsewhere) skips.set(document, elsewhere);
    options.onProgress(document + 1);
  });
  table.skips = skips;
}

function* openDocuments(table: DocumentTable): Generator<number> {
  for (let document = 0; document < table.count; document += 1) if (table.isOpen(document)) yield document;
}
