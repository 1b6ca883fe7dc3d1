/**
 * The organization's credits. A reservation of one job takes from what is available to the others, so that parallel jobs
 * cannot overdraw (/concepts/credits).
 */
export class Credits {
  #balance: number;
  #reserved = 0;

  constructor(balance: number) {
    this.#balance = balance;
  }

  /** What no job has reserved. */
  get available(): number {
    return this.#balance - this.#reserved;
  }

  /** What jobs have reserved and not used yet. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Sets what is available, as a top-up would. */
  setAvailable(credits: number): void {
    this.#balance = credits + this.#reserved;
  }

  /** Takes credits that nobody reserved. False: there are too few, and nothing changes. */
  charge(credits: number): boolean {
    if (this.available < credits) return false;
    this.#balance -= credits;
    return true;
  }

  /** Sets credits aside. False: there are too few, and nothing changes. */
  reserve(credits: number): boolean {
    if (this.available < credits) return false;
    this.#reserved += credits;
    return true;
  }

  /** Uses reserved credits. */
  use(credits: number): void {
    this.#reserved -= credits;
    this.#balance -= credits;
  }

  /** Gives reserved credits back. */
  release(credits: number): void {
    this.#reserved -= credits;
  }
}
