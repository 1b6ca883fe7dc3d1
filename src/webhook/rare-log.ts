import type { Logger } from 'pino';

/** Least time between two lines of one kind, in ms. */
const everyMs = 60_000;

/** Warnings about what others send or do, which they could do a thousand times a second: one line a minute and kind, with how many it stands for. */
export class RareLog {
  readonly #kinds = new Map<string, { at: number; unsaid: number }>();

  constructor(private readonly log: Pick<Logger, 'warn'>) {}

  /** Writes a line, or counts it for the next one. `kind` is one of few. */
  warn(kind: string, fields: object, message: string): void {
    const last = this.#kinds.get(kind);
    const now = performance.now();
    if (last && now - last.at < everyMs) {
      last.unsaid += 1;
      return;
    }
    this.log.warn({ ...fields, ...(last && last.unsaid > 0 && { moreSinceLast: last.unsaid }) }, message);
    this.#kinds.set(kind, { at: now, unsaid: 0 });
  }
}
