/** What something weighs in each of the three limits. */
export interface Load {
  files: number;
  bytes: number;
  pages: number;
}

/** How many nodes one search may visit: room for all three at once may need to go back and forth, but never through all jobs. */
const maxVisits = 256;

/**
 * The room that is left in each job while packing, as a tree over the jobs, so that a job with room for something is found
 * without looking at all of them. Each node holds the most room below it, for each limit on its own.
 */
export class Rooms {
  /** Jobs opened so far. */
  count = 0;
  private leaves: number;
  private files: Float64Array;
  private bytes: Float64Array;
  private pages: Float64Array;
  /** How large the files may be, on average, that fill the job up: a share of an empty job a file; -1 when no file has room. */
  private share: Float64Array;

  constructor(
    /** The room of an empty job. */
    private readonly empty: Load,
    jobs: number,
  ) {
    this.leaves = leavesFor(jobs);
    [this.files, this.bytes, this.pages, this.share] = trees(this.leaves);
    for (let job = 0; job < jobs; job += 1) this.open();
  }

  /** Opens an empty job. Returns its number. */
  open(): number {
    if (this.count === this.leaves) this.grow();
    const job = this.count++;
    this.set(job, this.empty.files, this.empty.bytes, this.empty.pages);
    return job;
  }

  /** Takes the room of `load` in `job`. */
  put(job: number, load: Load): void {
    const leaf = this.leaves + job;
    this.set(job, this.files[leaf]! - load.files, this.bytes[leaf]! - load.bytes, this.pages[leaf]! - load.pages);
  }

  /** The first job with room for `load`, or -1. */
  first(load: Load): number {
    let node = 1;
    for (let visits = 0; visits < maxVisits; visits += 1) {
      if (this.fits(node, load)) {
        if (node >= this.leaves) return node - this.leaves;
        node = 2 * node;
      } else {
        // Up from right children, then to the sibling on the right: the next subtree not yet seen.
        while (node % 2 === 1 && node > 1) node >>= 1;
        if (node === 1) return -1;
        node += 1;
      }
    }
    return -1;
  }

  /** The job that waits for the largest files, when it has room for `load`; else the first that has, or -1. */
  hungriest(load: Load): number {
    let node = 1;
    while (node < this.leaves) node = this.share[2 * node]! >= this.share[2 * node + 1]! ? 2 * node : 2 * node + 1;
    return this.fits(node, load) ? node - this.leaves : this.first(load);
  }

  private fits(node: number, load: Load): boolean {
    return this.files[node]! >= load.files && this.bytes[node]! >= load.bytes && this.pages[node]! >= load.pages;
  }

  private set(job: number, files: number, bytes: number, pages: number): void {
    let node = this.leaves + job;
    this.files[node] = files;
    this.bytes[node] = bytes;
    this.pages[node] = pages;
    this.share[node] = files > 0 ? Math.min(bytes / this.empty.bytes, pages / this.empty.pages) / files : -1;
    for (node >>= 1; node >= 1; node >>= 1) this.update(node);
  }

  private update(node: number): void {
    const left = 2 * node;
    this.files[node] = Math.max(this.files[left]!, this.files[left + 1]!);
    this.bytes[node] = Math.max(this.bytes[left]!, this.bytes[left + 1]!);
    this.pages[node] = Math.max(this.pages[left]!, this.pages[left + 1]!);
    this.share[node] = Math.max(this.share[left]!, this.share[left + 1]!);
  }

  private grow(): void {
    const old = [this.files, this.bytes, this.pages, this.share];
    const grown = trees(this.leaves * 2);
    grown.forEach((tree, limit) => tree.set(old[limit]!.subarray(this.leaves), this.leaves * 2));
    [this.files, this.bytes, this.pages, this.share] = grown;
    this.leaves *= 2;
    for (let node = this.leaves - 1; node >= 1; node -= 1) this.update(node);
  }
}

const leavesFor = (jobs: number): number => 2 ** Math.ceil(Math.log2(Math.max(jobs, 2)));

// A leaf without a job has room -1, so that nothing fits, not even what weighs nothing.
const trees = (leaves: number) => [tree(leaves), tree(leaves), tree(leaves), tree(leaves)] as const;
const tree = (leaves: number): Float64Array<ArrayBuffer> => new Float64Array(2 * leaves).fill(-1);
