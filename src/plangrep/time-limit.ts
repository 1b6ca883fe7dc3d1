import { TransportError } from './errors';

/** Ends a call that takes too long in all: a remote side that keeps sending a little is never silent, and would hold the call for ever. */
export class TimeLimit {
  /** Aborts with a {@link TransportError} when the time is over, and with the caller's own reason when the caller gives up. */
  readonly signal: AbortSignal;
  private readonly timer: NodeJS.Timeout | undefined;

  /** @param limitMs Infinity: only the caller ends it */
  constructor(limitMs: number, label: string, caller: AbortSignal | undefined) {
    const late = new AbortController();
    this.signal = caller ? AbortSignal.any([caller, late.signal]) : late.signal;
    if (!Number.isFinite(limitMs)) return;
    const error = () => new TransportError(`${label} got no complete answer within ${limitMs / 1000} s`, { code: 'TOO_SLOW' });
    this.timer = setTimeout(() => late.abort(error()), limitMs);
  }

  /** The call is over, or what follows has no limit. */
  end(): void {
    clearTimeout(this.timer);
  }
}
