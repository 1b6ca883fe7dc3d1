import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { batchWorkflowId } from '../contract/messages';
import { untilClosed } from './closing';
import { isOutage } from './reading';
import type { BatchSummary } from './summary';

/** Options of `BatchClient.wait`. */
export interface WaitOptions {
  /** Called now and then while the batch runs: after 1 s first, later every 15 s. */
  onProgress?: (summary: BatchSummary) => void;
  /** Called once an outage of Temporal, which is waited out. */
  onOutage?: (error: unknown) => void;
  /** Ends the wait, never the batch. */
  signal?: AbortSignal;
}

/**
 * Waits until a batch that is known to exist has closed, and gives what `status` says then.
 * @throws what `status` throws beside outages; the signal's reason
 */
export async function waitForEnd(client: Client, batchId: string, status: () => Promise<BatchSummary>, { onProgress, onOutage, signal }: WaitOptions): Promise<BatchSummary> {
  const over = new AbortController();
  const stop = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  const watch = () => {
    const promise = untilEnded(client, batchId, stop);
    promise.catch(() => {}); // reported by the race below, or of no interest once the wait is over
    return promise;
  };
  let closed = watch();
  try {
    for (let waitedMs = 0, out = false; ; ) {
      const pauseMs = Math.min(15_000, Math.max(1_000, waitedMs / 20));
      waitedMs += pauseMs;
      const ended = await Promise.race([closed, delay(pauseMs, false, { signal: stop })]);
      try {
        const summary = await status();
        if (summary.closedAt !== null) return summary;
        onProgress?.(summary);
        out = false;
        if (ended) closed = watch(); // terminated, and started again since
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (!out) onOutage?.(error);
        out = true;
        if (ended) await delay(pauseMs, null, { signal: stop });
      }
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    over.abort();
  }
}

/** Resolves when the batch has closed, however it did; survives restarts of Temporal. */
async function untilEnded(client: Client, batchId: string, stop: AbortSignal): Promise<boolean> {
  for (;;) {
    try {
      await untilClosed(client, batchWorkflowId(batchId), stop);
      return true;
    } catch (error) {
      if (stop.aborted || !isOutage(error)) throw error;
      await delay(1_000, null, { signal: stop });
    }
  }
}
