interface Job {
  running: number;
  /** In the order they came. */
  readonly waiting: Set<() => void>;
}

/**
 * A number of places for the work of several jobs. A free place goes to the job that has the fewest, and among equals to the one
 * that got its last place longest ago: one file does not wait behind the hundred of another job.
 */
export class Turns {
  /** Places taken. It may be above `places` after those became fewer. */
  running = 0;
  readonly #jobs = new Map<object, Job>();
  #places: number;

  /** @param places at least 1; @param perJob places that one job has at most */
  constructor(
    places: number,
    private readonly perJob: number = places,
  ) {
    this.#places = places;
  }

  get places(): number {
    return this.#places;
  }

  /** Takes effect at once for more, and as work ends for fewer. */
  set places(places: number) {
    this.#places = places;
    this.#giveOut();
  }

  /** Waits for a place; what it resolves to gives it back, and must be called once. @throws the signal's reason when it aborts first */
  take(job: object, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const entry = this.#enter(job);
      const onAbort = (): void => {
        entry.waiting.delete(begin);
        this.#leave(job, entry);
        reject(signal.reason as Error);
      };
      const begin = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(() => this.#giveBack(job, entry));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      entry.waiting.add(begin);
      this.#giveOut();
    });
  }

  /** Runs `work` in a place. */
  async run<T>(job: object, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const giveBack = await this.take(job, signal);
    try {
      return await work();
    } finally {
      giveBack();
    }
  }

  #enter(job: object): Job {
    const entry = this.#jobs.get(job) ?? { running: 0, waiting: new Set() };
    this.#jobs.set(job, entry);
    return entry;
  }

  #leave(job: object, { running, waiting }: Job): void {
    if (running === 0 && waiting.size === 0) this.#jobs.delete(job);
  }

  #giveBack(job: object, entry: Job): void {
    entry.running -= 1;
    this.running -= 1;
    this.#leave(job, entry);
    this.#giveOut();
  }

  #giveOut(): void {
    for (let next = this.#next(); next && this.running < this.#places; next = this.#next()) {
      const [job, entry] = next;
      const [begin] = entry.waiting;
      entry.waiting.delete(begin!);
      entry.running += 1;
      this.running += 1;
      // To the end: the map's order is that of the last places given.
      this.#jobs.delete(job);
      this.#jobs.set(job, entry);
      begin!();
    }
  }

  #next(): [object, Job] | null {
    let next: [object, Job] | null = null;
    for (const candidate of this.#jobs) {
      const { running, waiting } = candidate[1];
      if (waiting.size > 0 && running < this.perJob && (!next || running < next[1].running)) next = candidate;
    }
    return next;
  }
}
