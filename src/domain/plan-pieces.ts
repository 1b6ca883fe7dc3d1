import type { Load } from './plan-rooms';

/** Documents to pack, in the order of their source. */
export interface Documents {
  /** Bytes of each. */
  sizes: Float64Array;
  /** Pages of each, below 0 where they are not known; null when no page was counted. */
  pages: Int32Array | null;
  /** The folder of each, numbered in order of appearance. */
  folders: Uint32Array;
}

/** Runs of documents that are packed as one, by their places in an order of all documents. */
export interface Pieces {
  count: number;
  /** Piece n holds the places `starts[n]` to `starts[n + 1]`; null: each place is a piece. */
  starts: Uint32Array | null;
  bytes: Float64Array;
  /** Null: none is known. */
  pages: Float64Array | null;
}

/** The pages that a document is known to have. */
export const knownPages = (pages: Int32Array | null, document: number): number => Math.max(0, pages?.[document] ?? 0);

/** The first place of a piece; of the piece after the last one, the number of places. */
export const startOf = ({ starts }: Pieces, piece: number): number => (starts ? starts[piece]! : piece);

/** What a piece takes of a job. */
export const loadOf = (pieces: Pieces, piece: number): Load => ({
  files: startOf(pieces, piece + 1) - startOf(pieces, piece),
  bytes: pieces.bytes[piece]!,
  pages: pieces.pages ? pieces.pages[piece]! : 0,
});

/** Every document as a piece of its own. */
export function singlePieces({ sizes, pages }: Documents, order: Uint32Array): Pieces {
  const singles = { count: order.length, starts: null, bytes: new Float64Array(order.length), pages: pages && new Float64Array(order.length) };
  for (let at = 0; at < order.length; at += 1) {
    singles.bytes[at] = sizes[order[at]!]!;
    if (singles.pages) singles.pages[at] = knownPages(pages, order[at]!);
  }
  return singles;
}

/** Each folder as one piece if it fits into a job, else cut where a job is full. The singles come folder by folder. */
export function folderPieces({ folders }: Documents, order: Uint32Array, singles: Pieces, capacity: Load): Pieces {
  const starts = new Uint32Array(singles.count + 1);
  let count = 0;
  let load: Load = { files: 0, bytes: 0, pages: 0 };
  for (let at = 0; at < singles.count; at += 1) {
    const single = loadOf(singles, at);
    const next: Load = { files: load.files + 1, bytes: load.bytes + single.bytes, pages: load.pages + single.pages };
    const sameFolder = at > 0 && folders[order[at]!] === folders[order[at - 1]!];
    const together = sameFolder && next.files <= capacity.files && next.bytes <= capacity.bytes && next.pages <= capacity.pages;
    if (!together) starts[count++] = at;
    load = together ? next : single;
  }
  starts[count] = singles.count;
  return joined(singles, starts.slice(0, count + 1));
}

function joined(singles: Pieces, starts: Uint32Array): Pieces {
  const count = starts.length - 1;
  const pieces = { count, starts, bytes: new Float64Array(count), pages: singles.pages && new Float64Array(count) };
  for (let piece = 0; piece < count; piece += 1) {
    for (let at = starts[piece]!; at < starts[piece + 1]!; at += 1) {
      pieces.bytes[piece]! += singles.bytes[at]!;
      if (pieces.pages) pieces.pages[piece]! += singles.pages![at]!;
    }
  }
  return pieces;
}
