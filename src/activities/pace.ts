/** Lets the calls of one process through one after another, so that together they stay below a rate. */
export interface Pace {
  /** Resolves when one call may be made. Waiting calls go in the order they came. @throws the signal's reason when it aborts first */
  wait(signal?: AbortSignal): Promise<void>;
  /** Plangrep asked for patience (429, 503): no call for `ms` milliseconds, then at half the rate, which grows back call by call. */
  slowDown(ms: number): void;
}

/** The rate never falls below this part of what was configured. */
const lowestShare = 1 / 16;
/** What one call after a slow-down gives back, as a part of the configured rate. */
const recoveryShare = 1 / 50;
/** A longer request for patience is the activity's retry policy's business: a process must not stand still for a whole day. */
const longestPauseMs = 60_000;

/** How late a timer may fire without costing turns. */
const timerLatenessMs = 20;

interface Waiter {
  go(): void;
}

class SteppedPace implements Pace {
  private readonly waiters = new Set<Waiter>();
  private share = 1;
  private nextAt = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly requestsPerSecond: number) {}

  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reasonOf(signal));
      const onAbort = () => {
        this.waiters.delete(waiter);
        reject(reasonOf(signal!));
      };
      const waiter = {
        go: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiters.add(waiter);
      this.release(0);
    });
  }

  slowDown(ms: number): void {
    this.share = Math.max(lowestShare, this.share / 2);
    this.nextAt = Math.max(this.nextAt, Date.now() + Math.min(Math.max(ms, 0), longestPauseMs));
    this.arm();
  }

  /** Turns that nobody used are lost; those that only a late timer missed (up to `lateMs`) are made up for, or the rate would sink. */
  private release(lateMs: number): void {
    const now = Date.now();
    for (const waiter of this.waiters) {
      if (this.nextAt > now) break;
      this.waiters.delete(waiter);
      const stepMs = 1000 / (this.requestsPerSecond * this.share);
      this.nextAt = Math.max(this.nextAt, now - lateMs) + stepMs;
      this.share = Math.min(1, this.share + recoveryShare);
      waiter.go();
    }
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer ?? undefined);
    this.timer = this.waiters.size === 0 ? null : setTimeout(() => this.release(timerLatenessMs), Math.max(1, this.nextAt - Date.now()));
  }
}

const reasonOf = (signal: AbortSignal): Error => (signal.reason instanceof Error ? signal.reason : new Error('The wait was aborted'));

/**
 * A limiter for this process's calls to the API from the transfer and archive queues; signed PUTs go to the storage and are not counted.
 * One pace is shared by all activities of a process.
 * @param requestsPerSecond calls a second, above 0; there is no burst beyond it
 */
export const createPace = (requestsPerSecond: number): Pace => new SteppedPace(requestsPerSecond);
