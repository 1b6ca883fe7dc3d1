import { BusyError, TransportError } from '../../plangrep/errors';
import { timeoutCodes } from './stall';
import { StreamCount, type StreamCountOptions } from './stream-count';
import { Turns } from './turns';

/** Documents or parts of one job that are sent at the same time, at most. */
export const streamsPerJob = 8;
/**
 * What a request costs beside its bytes, told in bytes: so the rate of many tiny documents is one of requests, whatever their sizes,
 * and that of large ones is one of bytes.
 */
const requestBytes = 64 * 1024;

/** The streams of a process: all its uploads together send no more documents and parts at once than storage takes well. */
export class Streams {
  readonly #count: StreamCount;
  readonly #turns: Turns;

  constructor(options: StreamCountOptions & { perJob?: number } = {}) {
    this.#count = new StreamCount(options);
    this.#turns = new Turns(this.#count.value, options.perJob ?? streamsPerJob);
  }

  /** Streams allowed now. */
  get allowed(): number {
    return this.#count.value;
  }

  /** Runs `send` on a stream, in the job's turn. Its failure is looked at: congestion makes the streams fewer. */
  async run<T>(job: object, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const giveBack = await this.#turns.take(job, signal);
    this.#count.runs(this.#turns.running);
    try {
      const result = await send();
      this.moved(requestBytes);
      return result;
    } catch (error) {
      if (isCongestion(error)) this.#count.congested();
      throw error;
    } finally {
      giveBack();
      this.#count.runs(this.#turns.running);
      this.#turns.places = this.#count.value;
    }
  }

  /** Storage took so many bytes. */
  moved(bytes: number): void {
    this.#count.moved(bytes);
    if (this.#turns.places !== this.#count.value) this.#turns.places = this.#count.value;
  }
}

const isCongestion = (error: unknown): boolean => error instanceof BusyError || (error instanceof TransportError && timeoutCodes.has(error.code ?? ''));
