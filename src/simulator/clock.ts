/** Something that will happen, unless it is cancelled. */
export interface Alarm {
  cancel(): void;
}

interface Entry {
  dueMs: number;
  run: (() => void) | null;
}

// setTimeout takes no longer delay.
const longestDelayMs = 2 ** 31 - 1;

/**
 * The simulator's time. Real, or standing still until {@link advance}; in both, advancing runs what falls due on the way, in
 * order, each at its own instant.
 */
export class Clock {
  readonly #scripted: boolean;
  /** What is to come, soonest first. */
  readonly #entries: Entry[] = [];
  /** Of a scripted clock: its time. Of a real one: how far it is ahead. */
  #ms: number;
  /** While something runs: the instant it was due. */
  #instantMs: number | null = null;
  #wake: NodeJS.Timeout | null = null;

  constructor(scripted: boolean) {
    this.#scripted = scripted;
    this.#ms = scripted ? Date.now() : 0;
  }

  /** Now, in milliseconds since 1970. */
  now(): number {
    if (this.#instantMs !== null) return this.#instantMs;
    return this.#scripted ? this.#ms : Date.now() + this.#ms;
  }

  /** Now, as the API writes it. */
  iso(ms = this.now()): string {
    return new Date(ms).toISOString();
  }

  /** Runs something after a delay; never before this call returns. */
  after(delayMs: number, run: () => void): Alarm {
    const entry: Entry = { dueMs: this.now() + Math.max(0, delayMs), run };
    this.#entries.splice(this.#position(entry.dueMs), 0, entry);
    if (this.#entries[0] === entry) this.#setWake();
    return {
      cancel: () => {
        entry.run = null;
      },
    };
  }

  /** Moves time forward. */
  advance(ms: number): void {
    const target = this.now() + ms;
    this.#runUntil(target);
    this.#ms += ms;
    this.#setWake();
  }

  /** Nothing happens by itself any more. */
  stop(): void {
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#entries.length = 0;
  }

  #runUntil(targetMs: number): void {
    for (let next = this.#entries[0]; next !== undefined && next.dueMs <= targetMs; next = this.#entries[0]) {
      this.#entries.shift();
      this.#instantMs = next.dueMs;
      try {
        next.run?.();
      } finally {
        this.#instantMs = null;
      }
    }
  }

  #setWake(): void {
    if (this.#scripted) return;
    if (this.#wake !== null) clearTimeout(this.#wake);
    const next = this.#entries[0];
    if (next === undefined) return;
    const delayMs = Math.min(Math.max(0, next.dueMs - this.now()), longestDelayMs);
    this.#wake = setTimeout(() => {
      this.#runUntil(this.now());
      this.#setWake();
    }, delayMs).unref();
  }

  /** Where an entry goes: behind those due at the same time. */
  #position(dueMs: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
