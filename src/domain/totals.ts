import type { DocumentOutcome, JobTotals } from '../contract/archive';

/** Totals of no document. */
export const noTotals = (): JobTotals => ({ counts: {}, pages: 0, credits: 0 });

/** Adds one document to the totals. */
export function addOutcome(totals: JobTotals, { outcome, pages, credits }: Pick<DocumentOutcome, 'outcome' | 'pages' | 'credits'>): void {
  totals.counts[outcome] = (totals.counts[outcome] ?? 0) + 1;
  totals.pages += pages ?? 0;
  totals.credits += credits ?? 0;
}
