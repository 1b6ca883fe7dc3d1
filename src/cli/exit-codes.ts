import type { BatchSummary } from '../client';

/** What each exit code means; scripts depend on them, so they never change. */
export const exitCodes = {
  /** Every document is processed, or skipped or a duplicate of a processed one; the question was answered; nothing was found wrong. */
  ok: 0,
  /** Usage, configuration or input: nothing was started. */
  usage: 1,
  /** The batch failed, was cancelled or terminated; `verify` or `doctor` found something. */
  failed: 2,
  /** The batch finished, and some documents are not processed. */
  incomplete: 3,
  /** Temporal, Plangrep or the store did not answer within 15 s. */
  unreachable: 4,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

const lesser = ['partial', 'failed', 'rejected', 'cancelled', 'expired'] as const;

/** The exit code that a closed batch stands for. */
export function exitCodeOf({ status, counts }: Pick<BatchSummary, 'status' | 'counts'>): number {
  if (status !== 'completed' && status !== 'completed_with_errors') return exitCodes.failed;
  const incomplete = status === 'completed_with_errors' || lesser.some((outcome) => (counts[outcome] ?? 0) > 0);
  return incomplete ? exitCodes.incomplete : exitCodes.ok;
}
