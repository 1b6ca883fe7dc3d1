import { hostname } from 'node:os';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../contract/failures';
import { TransportError } from '../../plangrep/errors';

/** How long a document may stand still before its attempt ends, in ms. */
export const stallLimitMs = 120_000;
/** Looks taken within the limit. Looks are counted and not the clock read, so that a process which was stopped for an hour has not stalled. */
const looks = 4;

/** Code of the error when storage took or answered nothing. */
const stalledCode = 'STALLED';
/** Codes of errors that mean: nothing moved for too long. */
export const timeoutCodes: ReadonlySet<string> = new Set([stalledCode, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** Who has to move next. */
export type Awaited = 'source' | 'storage' | 'Plangrep' | 'archive';

/** What watched work tells, and is told. */
export interface Movement {
  /** Aborts when the work stood still for too long, and when it is not wanted any more. */
  signal: AbortSignal;
  /** Bytes moved, or a step was done. */
  moved(bytes: number): void;
  /** Waits for a step of somebody else than the one whom the work as a whole waits for. */
  awaiting<T>(whom: Awaited, step: Promise<T>): Promise<T>;
}

/** Meaning of the fields: see {@link watched}. */
export interface WatchOptions {
  /** For the message: a file name, or what it is about. */
  what: string;
  /** Whom the work waits for, as a whole. */
  awaits: Awaited;
  limitMs: number;
  signal: AbortSignal;
  /** Told of all bytes that move. */
  onMoved?: (bytes: number) => void;
}

/**
 * Runs work that must move. When it stood still for `limitMs` (at most a quarter longer) it fails at once, even if it cannot be
 * interrupted, such as a read from a mount that is gone: then it goes on behind, and its end is ignored.
 * @throws SourceUnavailable, ArchiveUnavailable or TransportError, all of them retried and naming `what`; the work's own errors
 */
export function watched<T>({ what, awaits, limitMs, signal, onMoved }: WatchOptions, work: (movement: Movement) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let awaited = awaits;
  let quietLooks = 0;
  const movement: Movement = {
    signal: AbortSignal.any([signal, stop.signal]),
    moved: (bytes) => {
      quietLooks = 0;
      onMoved?.(bytes);
    },
    awaiting: async (whom, step) => {
      awaited = whom;
      try {
        return await step;
      } finally {
        awaited = awaits;
      }
    },
  };
  return new Promise<T>((resolve, reject) => {
    const timer = setInterval(() => {
      quietLooks += 1;
      if (quietLooks <= looks) return;
      const failure = stalled(what, awaited, limitMs);
      clearInterval(timer);
      reject(failure);
      stop.abort(failure);
    }, limitMs / looks);
    work(movement)
      .finally(() => clearInterval(timer))
      .then(resolve, (error: unknown) => reject(isTimeout(error) ? stalled(what, awaited, limitMs) : (error as Error)));
  });
}

/** The transport has a limit of its own on how long a connection is silent, but does not know what it sends. */
const isTimeout = (error: unknown): boolean => error instanceof TransportError && timeoutCodes.has(error.code ?? '');

function stalled(what: string, awaited: Awaited, limitMs: number): Error {
  const message = `${what} stood still for ${limitMs / 1000} s: it waits for the ${awaited}, on worker host ${hostname()}`;
  if (awaited === 'source' || awaited === 'archive') {
    return ApplicationFailure.create({ type: awaited === 'source' ? failureTypes.sourceUnavailable : failureTypes.archiveUnavailable, message });
  }
  return new TransportError(message, { code: stalledCode, origin: awaited === 'storage' ? 'storage' : 'api' });
}
