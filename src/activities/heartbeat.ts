import { Context } from '@temporalio/activity';

/** How often an activity tells that it lives, in ms: well below every heartbeat timeout, and the SDK sends fewer. */
const everyMs = 10_000;

/**
 * Runs `work` with a heartbeat every ten seconds, since it may wait long for one byte. Cancellation comes with the answers. Work that is
 * done sooner sends none: each that reaches the server counts as an action.
 * @param details what the heartbeat tells, for people; read each time
 */
export async function withHeartbeat<T>(work: () => Promise<T>, details?: () => unknown): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(details?.()), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
