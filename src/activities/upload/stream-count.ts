/** How a {@link StreamCount} works. */
export interface StreamCountOptions {
  /** Never more. Default 16. */
  most?: number;
  /** At first. Default 8. */
  start?: number;
  /** Time over which a rate is measured, in ms. Default 2,000. */
  windowMs?: number;
  /** Clock in ms that only goes forward. Default `performance.now`. */
  now?: () => number;
}

/** What so many streams brought, in bytes a millisecond. */
interface Rate {
  streams: number;
  rate: number;
}

/**
 * How many streams a process sends with, from 1 to `most`. It walks by one, a window at a time, to where one stream more brings less than half
 * of its share: on a storage that gives every stream its own rate up to the bound, on one whose rate is shared to where that is used up.
 * Congestion halves it. Only windows in which all streams were in use count, so that little work says nothing about the storage.
 */
export class StreamCount {
  /** The streams allowed now. */
  value: number;
  readonly #most: number;
  readonly #windowMs: number;
  readonly #now: () => number;
  #running = 0;
  #bytes = 0;
  /** Sum of running streams over the window's time. */
  #streamMs = 0;
  #windowAt: number;
  #lastAt: number;
  #before: Rate | null = null;
  #calmAt = -Infinity;

  constructor({ most = 16, start = 8, windowMs = 2_000, now = () => performance.now() }: StreamCountOptions = {}) {
    this.#most = most;
    this.value = Math.min(most, start);
    this.#windowMs = windowMs;
    this.#now = now;
    this.#windowAt = this.#lastAt = now();
  }

  /** So many streams run from now on. */
  runs(streams: number): void {
    this.#look();
    this.#running = streams;
  }

  /** Storage took so many bytes. */
  moved(bytes: number): void {
    this.#bytes += bytes;
    this.#look();
  }

  /** Storage asked for patience, or took nothing for too long. What else fails within one window is taken for the same event. */
  congested(): void {
    this.#look();
    const now = this.#now();
    if (now < this.#calmAt) return;
    this.value = Math.max(1, Math.floor(this.value / 2));
    this.#calmAt = now + this.#windowMs;
    this.#before = null;
    this.#restart(now);
  }

  #look(): void {
    const now = this.#now();
    this.#streamMs += this.#running * (now - this.#lastAt);
    this.#lastAt = now;
    const elapsedMs = now - this.#windowAt;
    if (elapsedMs < this.#windowMs) return;
    const wereInUse = Math.abs(this.#streamMs / elapsedMs - this.value) < 0.5;
    if (wereInUse) this.#walk({ streams: this.value, rate: this.#bytes / elapsedMs });
    this.#restart(now);
  }

  #restart(now: number): void {
    this.#windowAt = this.#lastAt = now;
    this.#bytes = this.#streamMs = 0;
  }

  /** One up when the last stream was worth it, else one down; back from the bounds, so that a change there is noticed. */
  #walk(measured: Rate): void {
    const step = this.#before === null || isWorthIt(this.#before, measured) ? 1 : -1;
    this.#before = measured;
    const next = measured.streams + step;
    const inside = next >= 1 && next <= this.#most ? next : measured.streams - step;
    this.value = Math.min(this.#most, Math.max(1, inside));
  }
}

/** Whether the larger number of streams brought at least half of what would be in proportion. */
function isWorthIt(a: Rate, b: Rate): boolean {
  const [fewer, more] = a.streams < b.streams ? [a, b] : [b, a];
  return more.rate >= fewer.rate * (1 + (more.streams - fewer.streams) / 2 / fewer.streams);
}
