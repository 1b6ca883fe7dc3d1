import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import type { Counters } from './counters';
import type { SimulatorState } from './state';

// Timers are no finer; what is waited too little is made up for by the next wait.
const leastWaitMs = 2;
// A bound that is lifted is noticed after so long.
const longestWaitMs = 100;

/** Passes a request's bytes on, counting them. */
export async function* metered(body: AsyncIterable<Buffer>, counters: Counters): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    counters.bytesReceived += chunk.length;
    yield chunk;
  }
}

/** Passes the bytes of a PUT to storage on, counting them, no faster than storage takes them. */
export async function* takenByStorage({ raw, fault }: FastifyRequest, { counters, faults, throttle }: SimulatorState): AsyncGenerator<Buffer> {
  let stallsAt = fault?.stallBytes ?? Infinity;
  let bytes = 0;
  const stall = async (): Promise<void> => {
    if (bytes < stallsAt) return;
    stallsAt = Infinity;
    await Promise.race([faults.cleared(), once(raw.socket, 'close')]);
  };
  counters.uploadBegins();
  try {
    await stall();
    for await (const chunk of raw as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      counters.bytesReceived += chunk.length;
      yield chunk;
      await throttle.take(chunk.length, () => faults.storageRate());
      await stall();
    }
  } finally {
    counters.uploadEnds();
  }
}

/** A bound on how many bytes pass in a second, for all together that pass here. In real time. */
export class Throttle {
  /** When all that was taken has passed. */
  #freeAtMs = 0;

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly wait: (ms: number) => Promise<unknown> = (ms) => sleep(ms, undefined, { ref: false }),
  ) {}

  /** Resolves when these bytes have passed. @param bytesPerSecond undefined: without a bound; asked again while it waits */
  async take(bytes: number, bytesPerSecond: () => number | undefined): Promise<void> {
    const rate = bytesPerSecond();
    if (rate === undefined) {
      this.#freeAtMs = 0;
      return;
    }
    const endMs = (this.#freeAtMs = Math.max(this.#freeAtMs, this.now()) + (bytes * 1000) / rate);
    for (let leftMs = endMs - this.now(); leftMs >= leastWaitMs && bytesPerSecond() !== undefined; leftMs = endMs - this.now()) {
      await this.wait(Math.min(leftMs, longestWaitMs));
    }
  }
}
