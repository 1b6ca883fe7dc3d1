import type { Draft } from './pdf-file';

/** Paper sizes in points, landscape where drawings are concerned. */
export const paper = {
  archD: [2592, 1728],
  archE1: [3024, 2160],
  ansiB: [1224, 792],
  a1: [2384, 1684],
  letter: [612, 792],
} as const;

/** The text of a sheet's title block. */
export interface SheetTitle {
  project: string;
  address: string;
  title: string;
  number: string;
  scale: string;
}

/** The part of the sheet that is free for linework, in points. */
export interface Field {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Starts a sheet: border, title block on the right, revisions. */
export function startSheet(draft: Draft, size: readonly [number, number], sheet: SheetTitle): Field {
  draft.page(size);
  const { pdf } = draft;
  const [width, height] = size;
  const margin = height / 48;
  const block = width / 9;
  const left = width - margin - block;
  pdf.lineWidth(2).rect(margin, margin, width - 2 * margin, height - 2 * margin).stroke();
  pdf.lineWidth(1.2).moveTo(left, margin).lineTo(left, height - margin).stroke();
  const unit = height / 100;
  const label = (text: string, y: number, points: number, font = 'Helvetica'): void =>
    void pdf.font(font).fontSize(points).text(text, left + unit, y, { width: block - 2 * unit, lineGap: 1 });
  label(sheet.project, margin + 2 * unit, 1.9 * unit, 'Helvetica-Bold');
  label(sheet.address, margin + 9 * unit, 1.1 * unit);
  revisions(draft, left, margin + 40 * unit, block, unit);
  pdf.lineWidth(0.8).moveTo(left, height - margin - 26 * unit).lineTo(width - margin, height - margin - 26 * unit).stroke();
  label(sheet.title, height - margin - 25 * unit, 1.5 * unit, 'Helvetica-Bold');
  label(`SCALE: ${sheet.scale}\nDATE: 03/02/2026\nISSUED FOR CONSTRUCTION`, height - margin - 17 * unit, unit);
  label(sheet.number, height - margin - 8 * unit, 4 * unit, 'Helvetica-Bold');
  return { x: margin + 2 * unit, y: margin + 2 * unit, width: left - margin - 4 * unit, height: height - 2 * margin - 4 * unit };
}

function revisions({ pdf, random }: Draft, left: number, top: number, width: number, unit: number): void {
  const rows = random.int(1, 4);
  pdf.lineWidth(0.4).font('Helvetica').fontSize(0.9 * unit);
  for (let row = 0; row <= rows; row += 1) {
    const y = top + row * 2 * unit;
    pdf.moveTo(left, y).lineTo(left + width, y).stroke();
    const text = row === 0 ? 'REV   DATE         DESCRIPTION' : `${row}     ${String(row + 1).padStart(2, '0')}/16/2026   ${row === rows ? 'CONSTRUCTION' : `ADDENDUM ${row}`}`;
    pdf.text(text, left + unit / 2, y + unit / 2, { lineBreak: false });
  }
}

/** The structural grid of a plan: where its lines run, in points. */
export interface Grid {
  columns: number[];
  rows: number[];
  bubble: number;
}

/** Draws grid lines with their bubbles: numbers along the top, letters down the left side. */
export function drawGrid(draft: Draft, field: Field): Grid {
  const { pdf, random } = draft;
  const bubble = field.height / 70;
  const columns = spread(random.int(5, 9), field.x + 6 * bubble, field.x + field.width - 2 * bubble);
  const rows = spread(random.int(4, 6), field.y + 6 * bubble, field.y + field.height - 4 * bubble);
  pdf.lineWidth(0.35).dash(12, { space: 4 });
  for (const x of columns) pdf.moveTo(x, field.y + 3 * bubble).lineTo(x, field.y + field.height - 2 * bubble).stroke();
  for (const y of rows) pdf.moveTo(field.x + 3 * bubble, y).lineTo(field.x + field.width, y).stroke();
  pdf.undash().lineWidth(0.8).font('Helvetica').fontSize(bubble);
  const mark = (text: string, x: number, y: number): void => {
    pdf.circle(x, y, bubble).stroke();
    pdf.text(text, x - bubble / 3, y - bubble / 2.5, { lineBreak: false });
  };
  columns.forEach((x, index) => mark(String(index + 1), x, field.y + 2 * bubble));
  rows.forEach((y, index) => mark(String.fromCharCode(65 + index), field.x + 2 * bubble, y));
  return { columns, rows, bubble };
}

function spread(count: number, from: number, to: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.round(from + ((to - from) * index) / (count - 1)));
}
