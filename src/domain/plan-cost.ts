/** What a plan's pages can cost. */
export interface PlanCost {
  /** Of the documents in jobs, those that could be counted; null when nothing was counted. */
  pages: number | null;
  /** Documents in jobs whose pages could not be counted: neither `pages` nor `credits` has them. */
  uncounted: number;
  /** All pages at the lower rate, to all at the higher one; null when nothing was counted, or the rates are not known. */
  credits: { min: number; max: number } | null;
}

/** What so many pages can cost at these credits a page. */
export function creditRange(pages: number | null, rates: { drawingPage: number; documentPage: number } | undefined): PlanCost['credits'] {
  if (pages === null || !rates) return null;
  const [min, max] = [rates.documentPage, rates.drawingPage].sort((a, b) => a - b);
  return { min: pages * min!, max: pages * max! };
}

/** Says that a plan can cost more than its input allows; null when it cannot, or nothing is known. */
export function tooExpensive({ pages, credits, uncounted }: PlanCost, maxCredits: number | undefined): string | null {
  if (maxCredits === undefined || !credits || credits.max <= maxCredits) return null;
  const range = credits.min === credits.max ? `${credits.max}` : `${credits.min} to ${credits.max}`;
  return `${pages} ${pages === 1 ? 'page' : 'pages'} can cost ${range} credits, more than the ${maxCredits} that maxCredits allows${notCounted(uncounted)}`;
}

const notCounted = (uncounted: number): string =>
  uncounted === 0 ? '' : `; ${uncounted} ${uncounted === 1 ? 'document whose pages' : 'documents whose pages'} cannot be counted would come on top`;
