/** What a result's `usage` says, as far as credits a document need it; /guides/reading-results. Null: not said. */
export interface ResultUsage {
  drawingPageCount: number | null;
  documentPageCount: number | null;
  successfulDrawingPageCount: number | null;
  successfulDocumentPageCount: number | null;
  drawingCreditsPerPage: number | null;
  documentCreditsPerPage: number | null;
  creditsDebited: number | null;
}

/** What a result says about the pages of one of its documents. */
export interface DocumentPages {
  /** Pages that came out; null when the result does not say. */
  successful: number | null;
  /** Entries of its `sheets[]`. */
  sheets: number;
  classification: string | null;
}

/** Sums over a result's documents, for the check of a guess against the totals. */
export interface PageTally {
  /** Documents whose successful pages are not known. */
  unknown: number;
  successful: number;
  sheets: number;
  /** No document has more sheets than successful pages. */
  sheetsFit: boolean;
  /** Successful pages of documents classified as drawings, as text, and of all others. */
  drawing: number;
  text: number;
  unclassified: number;
}

/** The tally of no documents. */
export const emptyTally: PageTally = { unknown: 0, successful: 0, sheets: 0, sheetsFit: true, drawing: 0, text: 0, unclassified: 0 };

const textClasses = new Set(['specifications', 'documents', 'addenda']);
const kindOf = ({ classification }: DocumentPages): 'drawing' | 'text' | 'unclassified' => {
  if (classification === 'plans') return 'drawing';
  return classification !== null && textClasses.has(classification) ? 'text' : 'unclassified';
};

/** The tally with one more document. */
export function addToTally(tally: PageTally, document: DocumentPages): PageTally {
  const pages = document.successful ?? 0;
  const kind = kindOf(document);
  return {
    ...tally,
    unknown: tally.unknown + (document.successful === null ? 1 : 0),
    successful: tally.successful + pages,
    sheets: tally.sheets + document.sheets,
    sheetsFit: tally.sheetsFit && document.sheets <= pages,
    [kind]: tally[kind] + pages,
  };
}

/**
 * How to tell the credits of one document. A page costs by its kind (drawing or document page), and a result says of no page which
 * it is. So the kind is used only where the totals leave no doubt: all pages are of one kind, or both cost the same, or
 * taking sheets (else classifications) for the kind gives exactly the result's two totals. Otherwise the answer is null.
 * Failed pages cost nothing (/concepts/credits).
 */
export function creditRule(usage: ResultUsage, tally: PageTally): (document: DocumentPages) => number | null {
  const price = priceRule(usage, tally);
  return (document) => (document.successful === null ? null : document.successful === 0 ? 0 : price(document, document.successful));
}

type Price = (document: DocumentPages, pages: number) => number | null;

function priceRule(usage: ResultUsage, tally: PageTally): Price {
  const noDrawing = usage.successfulDrawingPageCount === 0 || usage.drawingPageCount === 0;
  const noText = usage.successfulDocumentPageCount === 0 || usage.documentPageCount === 0;
  if (noDrawing && noText) return () => null;
  const flat = (rate: number | null): Price => (_, pages) => (rate === null ? null : pages * rate);
  if (noDrawing) return flat(usage.documentCreditsPerPage ?? onlyRate(usage, tally, usage.successfulDocumentPageCount));
  if (noText) return flat(usage.drawingCreditsPerPage ?? onlyRate(usage, tally, usage.successfulDrawingPageCount));
  const { drawingCreditsPerPage: drawing, documentCreditsPerPage: text } = usage;
  if (drawing === null || text === null) return () => null;
  return drawing === text ? flat(drawing) : mixedPrice(usage, tally, drawing, text);
}

/** With pages of one kind only, the debited credits tell the rate. */
function onlyRate({ creditsDebited }: ResultUsage, tally: PageTally, said: number | null): number | null {
  const pages = said ?? (tally.unknown === 0 ? tally.successful : null);
  return creditsDebited !== null && pages ? creditsDebited / pages : null;
}

function mixedPrice(usage: ResultUsage, tally: PageTally, drawing: number, text: number): Price {
  const agrees = (drawings: number, texts: number) =>
    tally.unknown === 0 && drawings === usage.successfulDrawingPageCount && texts === usage.successfulDocumentPageCount;
  if (tally.sheetsFit && agrees(tally.sheets, tally.successful - tally.sheets)) {
    return ({ sheets }, pages) => sheets * drawing + (pages - sheets) * text;
  }
  if (tally.unclassified === 0 && agrees(tally.drawing, tally.text)) {
    return (document, pages) => pages * (kindOf(document) === 'drawing' ? drawing : text);
  }
  return () => null;
}
