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

/** Runs of documents that are packed as one: piece n holds the documents `starts[n]` to `starts[n + 1]` of `order`. */
export interface Pieces {
  count: number;
  order: Uint32Array;
  starts: Uint32Array;
  files: Uint32Array;
  bytes: Float64Array;
  pages: Float64Array;
}

/** The pages that a document is known to have. */
export const knownPages = (pages: Int32Array | null, document: number): number => Math.max(0, pages?.[document] ?? 0);

/** Every document as a piece of its own. */
export function singlePieces({ sizes, pages }: Documents, order: Uint32Array): Pieces {
  return {
    count: order.length,
    order,
    starts: Uint32Array.from({ length: order.length + 1 }, (_, at) => at),
    files: new Uint32Array(order.length).fill(1),
    bytes: Float64Array.from(order, (document) => sizes[document]!),
    pages: Float64Array.from(order, (document) => knownPages(pages, document)),
  };
}

/** Each folder as one piece if it fits into a job, else cut where a job is full. `singles` come folder by folder. */
export function folderPieces({ folders }: Documents, singles: Pieces, capacity: Load): Pieces {
  const starts = new Uint32Array(singles.count + 1);
  let count = 0;
  let load: Load = { files: 0, bytes: 0, pages: 0 };
  for (let at = 0; at < singles.count; at += 1) {
    const next: Load = { files: load.files + 1, bytes: load.bytes + singles.bytes[at]!, pages: load.pages + singles.pages[at]! };
    const sameFolder = at > 0 && folders[singles.order[at]!] === folders[singles.order[at - 1]!];
    const together = sameFolder && next.files <= capacity.files && next.bytes <= capacity.bytes && next.pages <= capacity.pages;
    if (!together) starts[count++] = at;
    load = together ? next : { files: 1, bytes: singles.bytes[at]!, pages: singles.pages[at]! };
  }
  starts[count] = singles.count;
  return joined(singles, starts.slice(0, count + 1));
}

function joined(singles: Pieces, starts: Uint32Array): Pieces {
  const count = starts.length - 1;
  const pieces = { ...singles, count, starts, files: new Uint32Array(count), bytes: new Float64Array(count), pages: new Float64Array(count) };
  for (let piece = 0; piece < count; piece += 1) {
    for (let at = starts[piece]!; at < starts[piece + 1]!; at += 1) {
      pieces.files[piece]! += 1;
      pieces.bytes[piece]! += singles.bytes[at]!;
      pieces.pages[piece]! += singles.pages[at]!;
    }
  }
  return pieces;
}
