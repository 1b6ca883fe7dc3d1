import PDFDocument from 'pdfkit';
import { Random } from './random';

/** A document in the making. */
export interface Draft {
  pdf: PDFKit.PDFDocument;
  random: Random;
  /** Starts a page of this size in points (1/72 inch). */
  page(size: readonly [number, number], margin?: number): void;
}

/** A finished document. */
export interface RenderedPdf {
  bytes: Buffer;
  pages: number;
}

// The bytes must not depend on when they were made.
const madeAt = new Date('2026-03-02T09:00:00Z');

/** Renders one PDF. The same title, seed and drawing give the same content (bytes too, with the same version of zlib). */
export async function renderPdf(title: string, seed: string, draw: (draft: Draft) => void): Promise<RenderedPdf> {
  const pdf = new PDFDocument({
    autoFirstPage: false,
    bufferPages: false,
    info: { Title: title, Producer: 'PDFKit', CreationDate: madeAt, ModDate: madeAt },
  });
  let pages = 0;
  pdf.on('pageAdded', () => (pages += 1));
  const chunks: Buffer[] = [];
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => pdf.once('end', resolve).once('error', reject));
  draw({
    pdf,
    random: new Random(`${seed}/${title}`),
    page: (size, margin = 0) => void pdf.addPage({ size: [...size], margin }),
  });
  pdf.end();
  await ended;
  return { bytes: Buffer.concat(chunks), pages };
}
