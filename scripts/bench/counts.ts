import { setTimeout as pause } from 'node:timers/promises';

/** The server puts its counters out about once a second; this long without a change, and they are complete. */
const settledMs = 2_500;
const limitMs = 60_000;

/** A count by name. */
export type Counts = Record<string, number>;

/** Temporal's own count of billable actions in the default namespace, by type, once it has stopped changing. */
export async function readActions(metricsUrl: string): Promise<Counts> {
  const limit = AbortSignal.timeout(limitMs);
  let last = await readOnce(metricsUrl);
  for (let since = performance.now(); performance.now() - since < settledMs; ) {
    if (limit.aborted) throw new Error(`The server's actions did not settle within ${limitMs / 1000} s`);
    await pause(250);
    const now = await readOnce(metricsUrl);
    if (JSON.stringify(now) !== JSON.stringify(last)) since = performance.now();
    last = now;
  }
  return last;
}

async function readOnce(metricsUrl: string): Promise<Counts> {
  const response = await fetch(metricsUrl);
  return parseActions(await response.text());
}

/** The metric `action` of Temporal's Prometheus page, by `action_type`, summed over whoever counted it. */
export function parseActions(page: string): Counts {
  const counts: Counts = {};
  for (const [, labels = '', value] of page.matchAll(/^action\{([^}]*)\} (\S+)$/gm)) {
    const label = (name: string): string | undefined => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1];
    const type = label('action_type');
    if (type === undefined || label('namespace') !== 'default') continue;
    counts[type] = (counts[type] ?? 0) + Number(value);
  }
  return counts;
}

/** `after` less `before`, without what did not change. */
export function difference(after: Counts, before: Counts): Counts {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return Object.fromEntries(names.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const).filter(([, change]) => change !== 0));
}

/** All counts together. */
export const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
