import { setTimeout as pause } from 'node:timers/promises';
import { BatchClosedError, NoWorkerError, type BatchSummary } from '../../src/client';
import { creditOutage } from './plan';
import { plentyOfCredits, type SoakSite } from './site';

/** What happened to the credits. */
export type Weather = 'plenty' | 'none' | 'back';

/** The person who looks after the batches: takes credits away and gives them back, and opens the gates that need somebody. */
export class Operator {
  /** Gates opened by hand, by what had closed them. */
  readonly opened: Record<string, number> = {};
  /** Updates that no worker took in time. */
  unanswered = 0;
  /** Times the credits ran out. */
  outages = 0;
  /** `back`: there are credits again, and what waits is left to its own probes. */
  weather: Weather = 'plenty';

  constructor(private readonly site: SoakSite) {}

  /** Lets the credits run out now and then, until the signal; afterwards there are plenty. */
  async keepCredits(seed: number, signal: AbortSignal): Promise<void> {
    try {
      for (let number = 0; ; number++) {
        const { afterMs, forMs, resumed } = creditOutage(seed, number);
        await pause(afterMs, undefined, { signal });
        this.outages += 1;
        this.weather = 'none';
        await this.site.setCredits(0);
        await pause(forMs, undefined, { signal });
        await this.site.setCredits(plentyOfCredits);
        this.weather = resumed ? 'plenty' : 'back';
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.site.setCredits(plentyOfCredits);
      this.weather = 'plenty';
    }
  }

  /** Looks at a batch, and opens its gate when that is what it waits for. */
  async look({ batchId, gate }: Pick<BatchSummary, 'batchId' | 'gate'>): Promise<void> {
    if (!gate || gate.reason === 'paused') return;
    if (gate.reason === 'insufficient_credits' && this.weather !== 'plenty') return;
    if (await this.tell(batchId, 'resume')) this.opened[gate.reason] = (this.opened[gate.reason] ?? 0) + 1;
  }

  /** Pauses or resumes a batch. False: it is over, or no worker answers just now. */
  async tell(batchId: string, what: 'pause' | 'resume'): Promise<boolean> {
    try {
      await this.site.batches[what](batchId);
      return true;
    } catch (error) {
      if (error instanceof NoWorkerError) this.unanswered += 1;
      else if (!(error instanceof BatchClosedError)) throw error;
      return false;
    }
  }
}
