/** How often jobs are looked at. */
export interface Polling {
  /** Shortest delay between two looks at one job, in ms. Plangrep asks for 10 to 30 s and never under 5 (/guides/polling-and-webhooks). */
  minPollMs: number;
  /** Whether webhooks tell of changes: then looks are only for those that get lost. */
  webhooks: boolean;
}

/** The slowest look at a job without webhooks, in ms. */
export const maxPollMs = 60_000;
/** The slowest look at a job that webhooks tell of, in ms. */
export const maxHintedPollMs = 600_000;

/** How far behind a deadline the look at it comes, in ms: clocks differ a little. */
const afterMarkMs = 1_000;
/** Growing beyond this many looks changes nothing any more. */
const maxGrowth = 30;

/**
 * Delay before the next look, in ms: the minimum after the first look, growing by half each time to {@link maxPollMs}; with webhooks
 * fourfold to {@link maxHintedPollMs}. A mark that lies within the delay gets a look right after it. Never below the minimum.
 * @param attempt counts looks from 1
 * @param marks instants that are not to be missed by much, in ms since 1970; those that have passed change nothing
 */
export function pollDelayMs(attempt: number, { minPollMs, webhooks }: Polling, nowMs: number, marks: readonly number[] = []): number {
  const [growth, maxMs] = webhooks ? [4, maxHintedPollMs] : [1.5, maxPollMs];
  const grown = Math.min(minPollMs * growth ** Math.min(attempt - 1, maxGrowth), maxMs);
  const untilMarks = marks.filter((mark) => mark > nowMs).map((mark) => mark - nowMs + afterMarkMs);
  return Math.round(Math.max(minPollMs, Math.min(grown, ...untilMarks)));
}
