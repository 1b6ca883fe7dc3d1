/** What can be wrong with a batch in the archive. */
export type ProblemCode = 'hash' | 'size' | 'missing' | 'extra' | 'count' | 'unfinished';

/** One thing that is wrong. */
export interface Problem {
  /**
   * `hash`: other bytes than were archived. `size`: another length. `missing`, `extra`: a file too few or too many.
   * `count`: files contradict each other, or one is not what it should be. `unfinished`: the batch has no manifest yet.
   */
  code: ProblemCode;
  /** The file, relative to the batch's folder. */
  path: string;
  /** For people, a sentence without its full stop. */
  message: string;
}

/** Most problems that are kept; the rest are counted. */
export const maxProblems = 1_000;

/** Problems found so far: bounded, and without repeats of the same file's same trouble. */
export class Findings {
  readonly #problems: Problem[] = [];
  readonly #damaged = new Set<string>();
  #left = 0;

  /** Notes a problem. */
  add(code: ProblemCode, path: string, message: string): void {
    if (code === 'hash' || code === 'size' || code === 'missing') this.#damaged.add(path);
    if (this.#problems.length < maxProblems) this.#problems.push({ code, path, message });
    else this.#left += 1;
  }

  /** Whether the file is known to be absent or not as it was written: what it says counts for nothing. */
  isDamaged(path: string): boolean {
    return this.#damaged.has(path);
  }

  /** All problems; the last says how many more there were. */
  list(): Problem[] {
    if (this.#left === 0) return this.#problems;
    return [...this.#problems, { code: 'count', path: 'manifest.json', message: `and ${this.#left} problems more, which are not listed` }];
  }
}
