/** A generator of numbers from 0 to 1 that gives the same ones each time. */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const MB = 1_000_000;

/** Whole numbers and file sizes from a {@link sequence}. */
export class Sizes {
  constructor(readonly random: () => number) {}

  /** A whole number from `low` up to, but not, `high`. */
  between(low: number, high: number): number {
    return Math.floor(low + this.random() * (high - low));
  }

  /** File sizes in bytes as they are spread in practice: many near the median, a long tail above, from 1,000 bytes to 9 GB. */
  around(median: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(this.random() || 1e-9)) * Math.cos(2 * Math.PI * this.random());
    return Math.min(9_000 * MB, Math.max(1000, Math.round(median * Math.exp(spread * normal))));
  }
}
