import { descending } from './plan-order';
import { folderPieces, loadOf, singlePieces, startOf } from './plan-pieces';
import type { Documents, Pieces } from './plan-pieces';
import { Rooms } from './plan-rooms';
import type { Load } from './plan-rooms';

/** Documents in jobs. */
export interface Packed {
  jobs: number;
  /** The job of each document, from 0, by its place in the order that the packer was given. */
  jobOf: Uint32Array;
}

const nowhere = 0xffffffff;
/** How much more than the lower bound is tried when documents are packed one by one. */
const growths = [1, 1.005, 1.01, 1.02, 1.03, 1.05, 1.07, 1.1, 1.2];
/** How full, at most, whole folders may make a job; the rest is for documents that fill it up. */
const folderShares = [1, 0.6];

type Chooser = (rooms: Rooms, load: Load) => number;
const firstWithRoom: Chooser = (rooms, load) => rooms.first(load);
const hungriest: Chooser = (rooms, load) => rooms.hungriest(load);

/** Ways to pack the same documents, and the choice between them. */
export class Packer {
  private readonly singles: Pieces;
  private readonly folders: Pieces;
  /** Orders by weight, made when they are first needed. */
  private foldersByWeight: Uint32Array | null = null;
  private singlesByWeight: Uint32Array | null = null;

  /** `order` lists the documents that fit into a job, folder by folder. */
  constructor(
    documents: Documents,
    order: Uint32Array,
    private readonly capacity: Load,
  ) {
    this.singles = singlePieces(documents, order);
    this.folders = folderPieces(documents, order, this.singles, capacity);
  }

  /** The fewest jobs that any way finds; of two ways that find as few, the one that keeps folders together better. */
  pack(lowerBound: number): Packed {
    const whole = this.packInOrder();
    if (whole.jobs <= lowerBound) return whole;
    const filled = this.packFoldersThenRest(lowerBound, 1, whole.jobs - 1) ?? whole;
    if (filled.jobs <= lowerBound) return filled;
    const cut = this.packOneByOne(lowerBound, filled.jobs - 1);
    if (!cut) return filled;
    for (const share of folderShares) {
      const packed = this.packFoldersThenRest(cut.jobs, share, cut.jobs);
      if (packed) return packed;
    }
    return cut;
  }

  /** Whole folders, each to the first job that has room, as they come: neighbours stay together. */
  private packInOrder(): Packed {
    const rooms = new Rooms(this.capacity, 0);
    const jobOf = this.newJobs();
    place(this.folders, null, { jobOf, rooms, choose: firstWithRoom, most: Infinity });
    return { jobs: rooms.count, jobOf };
  }

  /**
   * Into so many jobs: whole folders until each is full up to a share, then the rest one by one, large ones first, each to
   * the job that waits for the largest. So jobs run out of files and bytes together, where both are scarce. Null when it
   * would take more jobs than `most`.
   */
  private packFoldersThenRest(jobs: number, share: number, most: number): Packed | null {
    const { capacity, singles } = this;
    const jobOf = this.newJobs();
    const rooms = new Rooms(capacity, jobs);
    if (share > 0) {
      this.foldersByWeight ??= descending(folderWeights(this.folders, capacity));
      place(this.folders, this.foldersByWeight, { jobOf, rooms: new Rooms(scale(capacity, share), jobs), choose: hungriest, most: 0 });
      jobOf.forEach((job, at) => job !== nowhere && rooms.put(job, loadOf(singles, at)));
    }
    this.singlesByWeight ??= descending(weights(singles, capacity).map(coarse));
    return place(singles, this.singlesByWeight, { jobOf, rooms, choose: hungriest, most }) ? { jobs: rooms.count, jobOf } : null;
  }

  /** One by one: large ones first to the first job that has room; and into ever more jobs until they suffice. */
  private packOneByOne(lowerBound: number, most: number): Packed | null {
    let best = this.packLargestFirst(most);
    for (const growth of growths) {
      const jobs = Math.ceil(lowerBound * growth);
      const enough = (best?.jobs ?? most + 1) - 1;
      if (jobs > enough) break;
      const packed = this.packFoldersThenRest(jobs, 0, enough);
      best = packed ?? best;
      if (packed && packed.jobs <= jobs) break;
    }
    return best;
  }

  /** Large documents first, each to the first job that has room: fills jobs of few, large documents well. */
  private packLargestFirst(most: number): Packed | null {
    const { singles, capacity } = this;
    const rooms = new Rooms(capacity, 0);
    const jobOf = this.newJobs();
    const order = descending(weights(singles, capacity));
    return place(singles, order, { jobOf, rooms, choose: firstWithRoom, most }) ? { jobs: rooms.count, jobOf } : null;
  }

  private newJobs(): Uint32Array {
    return new Uint32Array(this.singles.count).fill(nowhere);
  }
}

const scale = ({ files, bytes, pages }: Load, share: number): Load => ({ files: files * share, bytes: bytes * share, pages: pages * share });

/**
 * Gives each piece whose documents are nowhere yet the job that is chosen, or a new one. Without jobs to open (`most` is 0)
 * it passes over pieces that have no room; else false when it would take more than `most`.
 */
function place(pieces: Pieces, turns: Uint32Array | null, to: { jobOf: Uint32Array; rooms: Rooms; choose: Chooser; most: number }): boolean {
  const { jobOf, rooms, choose, most } = to;
  for (let turn = 0; turn < pieces.count; turn += 1) {
    const piece = turns ? turns[turn]! : turn;
    if (jobOf[startOf(pieces, piece)] !== nowhere) continue;
    const load = loadOf(pieces, piece);
    const chosen = choose(rooms, load);
    if (chosen < 0 && most === 0) continue;
    if (chosen < 0 && rooms.count >= most) return false;
    const job = chosen < 0 ? rooms.open() : chosen;
    rooms.put(job, load);
    for (let at = startOf(pieces, piece); at < startOf(pieces, piece + 1); at += 1) jobOf[at] = job;
  }
  return true;
}

/** The share of a job that each document takes in bytes or pages, whichever is more. */
function weights(singles: Pieces, capacity: Load): Float64Array {
  const shares = new Float64Array(singles.count);
  for (let at = 0; at < shares.length; at += 1) {
    const load = loadOf(singles, at);
    shares[at] = Math.max(load.bytes / capacity.bytes, load.pages / capacity.pages);
  }
  return shares;
}

/** The share of a job that each folder takes in the limit where it takes most. */
const folderWeights = (folders: Pieces, capacity: Load): Float64Array =>
  weights(folders, capacity).map((weight, folder) => Math.max(weight, loadOf(folders, folder).files / capacity.files));

/** Small weights in steps, so that small documents of one folder stay neighbours in an order by weight. */
const coarse = (weight: number): number => (weight > 1 / 16 ? weight : 2 ** (Math.floor(4 * Math.log2(Math.max(weight, 1e-5))) / 4));
