/** The slowest poll of a job without webhooks, in ms. */
export const maxPollMs = 60_000;
const growth = 1.5;

/**
 * Delay before the next poll, in ms: `minPollMs` after the first look, growing by half each time, at most {@link maxPollMs}.
 * `attempt` counts looks from 1. Plangrep asks for 10 to 30 s and never under 5 (/guides/polling-and-webhooks).
 */
export function pollDelayMs(attempt: number, minPollMs: number): number {
  const grown = minPollMs * growth ** Math.min(attempt - 1, 30);
  return Math.round(Math.max(minPollMs, Math.min(grown, maxPollMs)));
}
