import type { Draft } from './pdf-file';
import { drawGrid, type Field, type Grid, paper, type SheetTitle, startSheet } from './sheet';

/** The trades that draw, by the letter their sheet numbers start with. */
export type Discipline = 'A' | 'S' | 'M' | 'E' | 'P' | 'C';

/** A set of sheets in one file. */
export interface SheetSet {
  project: string;
  address: string;
  discipline: Discipline;
  /** Number of the first sheet, e.g. 101 for A-101. */
  first: number;
  title: string;
  sheets: number;
  size: keyof typeof paper;
}

const levels = ['LEVEL 1', 'LEVEL 2', 'LEVEL 3', 'LEVEL 4', 'MEZZANINE', 'ROOF'];
const rooms = ['OFFICE', 'CORRIDOR', 'LOBBY', 'CONFERENCE', 'STORAGE', 'MECHANICAL', 'ELEC.', 'STAIR', 'WORKSHOP', 'JAN.'];
const beams = ['W12x19', 'W16x26', 'W18x35', 'W21x44', 'W24x55', 'HSS8x4x1/4'];

/** Draws the sheets of a set: plans over a grid, every fourth sheet details, schedules at the end of a long set. */
export function drawSheets(draft: Draft, set: SheetSet): void {
  for (let index = 0; index < set.sheets; index += 1) {
    const kind = kindOf(index, set.sheets);
    const title = `${set.title} - ${kind === 'plan' ? levels[index % levels.length] : kind.toUpperCase()}`;
    const number = `${set.discipline}-${set.first + index}`;
    const field = startSheet(draft, paper[set.size], titleBlock(set, title, number, kind));
    if (kind === 'details') drawDetails(draft, field);
    else if (kind === 'schedule') drawSchedule(draft, field, set.discipline);
    else drawPlan(draft, field, set.discipline);
  }
}

/** Draws a cover sheet with the list of the set's sheets. */
export function drawCover(draft: Draft, set: SheetSet, sheets: readonly string[]): void {
  const { pdf } = draft;
  const field = startSheet(draft, paper[set.size], titleBlock(set, 'COVER SHEET AND INDEX', `G-${set.first}`, 'cover'));
  const line = field.height / 60;
  pdf.font('Helvetica-Bold').fontSize(4 * line).text(set.project, field.x + 2 * line, field.y + 3 * line);
  pdf.font('Helvetica').fontSize(1.5 * line).text(set.address, field.x + 2 * line, field.y + 9 * line);
  pdf.font('Courier').fontSize(line);
  sheets.forEach((sheet, index) => pdf.text(sheet, field.x + 2 * line + Math.floor(index / 38) * 34 * line, field.y + (14 + (index % 38) * 1.15) * line, { lineBreak: false }));
}

type SheetKind = 'plan' | 'details' | 'schedule' | 'cover';

function kindOf(index: number, sheets: number): SheetKind {
  if (index % 4 === 3) return 'details';
  return sheets > 5 && index === sheets - 1 ? 'schedule' : 'plan';
}

function titleBlock(set: SheetSet, title: string, number: string, kind: SheetKind): SheetTitle {
  const scale = kind === 'plan' ? (set.discipline === 'C' ? '1" = 20\'' : '1/8" = 1\'-0"') : kind === 'details' ? 'AS NOTED' : 'NONE';
  return { project: set.project, address: set.address, title, number, scale };
}

function drawPlan(draft: Draft, field: Field, discipline: Discipline): void {
  const grid = drawGrid(draft, field);
  if (discipline === 'A') return drawRooms(draft, grid);
  if (discipline === 'S') return drawFraming(draft, grid);
  if (discipline === 'C') return drawContours(draft, field);
  drawRuns(draft, grid, discipline);
}

function eachBay(grid: Grid, visit: (x: number, y: number, width: number, height: number, bay: number) => void): void {
  for (let row = 0; row + 1 < grid.rows.length; row += 1) {
    for (let column = 0; column + 1 < grid.columns.length; column += 1) {
      const x = grid.columns[column] ?? 0;
      const y = grid.rows[row] ?? 0;
      visit(x, y, (grid.columns[column + 1] ?? x) - x, (grid.rows[row + 1] ?? y) - y, row * 100 + column + 1);
    }
  }
}

function drawRooms({ pdf, random }: Draft, grid: Grid): void {
  const wall = grid.bubble / 3;
  pdf.font('Helvetica').fontSize(0.6 * grid.bubble);
  eachBay(grid, (x, y, width, height, bay) => {
    pdf.lineWidth(1.1).rect(x, y, width, height).stroke();
    pdf.lineWidth(0.5).rect(x + wall, y + wall, width - 2 * wall, height - 2 * wall).stroke();
    const split = x + width * (0.35 + random.next() * 0.3);
    pdf.moveTo(split, y).lineTo(split, y + height).stroke();
    const door = Math.min(width, height) / 6;
    pdf.moveTo(split, y + height).lineTo(split + door, y + height - door).stroke();
    pdf.path(`M ${split} ${y + height - door} A ${door} ${door} 0 0 1 ${split + door} ${y + height}`).stroke();
    for (const [at, side] of [[x, 0], [split, 1]] as const) {
      const text = `${random.pick(rooms)}\n${1000 + bay * 2 + side}`;
      pdf.text(text, at + 2 * wall, y + height / 2.4, { width: width / 2, align: 'left' });
    }
  });
}

function drawFraming({ pdf, random }: Draft, grid: Grid): void {
  const column = grid.bubble / 2;
  pdf.font('Helvetica').fontSize(0.7 * grid.bubble);
  eachBay(grid, (x, y, width, height) => {
    pdf.lineWidth(2).moveTo(x + column, y).lineTo(x + width - column, y).stroke();
    pdf.text(`${random.pick(beams)} (${random.int(8, 36)})`, x + width / 4, y - grid.bubble, { lineBreak: false });
    pdf.lineWidth(1);
    const joists = random.int(3, 6);
    for (let joist = 1; joist <= joists; joist += 1) {
      const at = x + (width * joist) / (joists + 1);
      pdf.moveTo(at, y + column).lineTo(at, y + height - column).stroke();
    }
    pdf.rect(x - column / 2, y - column, column, 2 * column).fillAndStroke('#444444', 'black').fillColor('black');
  });
}

function drawRuns({ pdf, random }: Draft, grid: Grid, discipline: Discipline): void {
  pdf.font('Helvetica').fontSize(0.7 * grid.bubble);
  eachBay(grid, (x, y, width, height, bay) => {
    const middle = y + height * (0.3 + random.next() * 0.4);
    pdf.lineWidth(discipline === 'M' ? 1.6 : 0.7).moveTo(x, middle).lineTo(x + width, middle).stroke();
    for (let device = 1; device <= random.int(2, 5); device += 1) {
      const at = x + (width * device) / 6;
      const end = device % 2 === 0 ? y + height / 8 : y + (height * 7) / 8;
      pdf.lineWidth(0.5).moveTo(at, middle).lineTo(at, end).stroke();
      if (discipline === 'M') pdf.rect(at - grid.bubble / 2, end - grid.bubble / 2, grid.bubble, grid.bubble).stroke();
      else pdf.circle(at, end, grid.bubble / 3).stroke();
    }
    const tag = { M: `SA-${bay} ${random.int(100, 900)} CFM`, E: `LP-${(bay % 4) + 1}/${random.int(1, 42)}`, P: `${random.pick(['CW', 'HW', 'SAN', 'V'])} ${random.int(1, 4)}"` }[discipline as 'M' | 'E' | 'P'];
    pdf.text(tag, x + width / 3, middle + 2, { lineBreak: false });
  });
}

function drawContours({ pdf, random }: Draft, field: Field): void {
  pdf.lineWidth(0.5).font('Helvetica').fontSize(field.height / 100);
  for (let level = 0; level < 14; level += 1) {
    const y = field.y + (field.height * (level + 1)) / 16;
    pdf.moveTo(field.x, y);
    for (let step = 1; step <= 6; step += 1) {
      const x = field.x + (field.width * step) / 6;
      const sway = (field.height / 18) * (random.next() - 0.5);
      pdf.bezierCurveTo(x - field.width / 9, y + sway, x - field.width / 18, y - sway, x, y + sway / 2);
    }
    pdf.stroke().text(`${112 + level}.0`, field.x + field.width / 3, y, { lineBreak: false });
  }
}

function drawDetails({ pdf, random }: Draft, field: Field): void {
  const width = field.width / 3;
  const height = field.height / 2;
  for (let index = 0; index < 6; index += 1) {
    const x = field.x + (index % 3) * width + width / 12;
    const y = field.y + Math.floor(index / 3) * height + height / 12;
    pdf.lineWidth(1.4).rect(x, y, width * 0.7, height * 0.12).stroke();
    pdf.rect(x + width * (0.1 + random.next() * 0.3), y + height * 0.12, width * 0.12, height * 0.5).stroke();
    pdf.lineWidth(0.3);
    for (let hatch = 0; hatch < 24; hatch += 1) {
      pdf.moveTo(x + (width * 0.7 * hatch) / 24, y).lineTo(x + (width * 0.7 * (hatch + 1)) / 24, y + height * 0.12).stroke();
    }
    pdf.font('Helvetica-Bold').fontSize(field.height / 90).text(`${index + 1}  ${random.pick(['BASE PLATE', 'PARAPET', 'SLAB EDGE', 'JAMB', 'SILL', 'PIPE SUPPORT'])} DETAIL`, x, y + height * 0.75, { lineBreak: false });
  }
}

function drawSchedule({ pdf, random }: Draft, field: Field, discipline: Discipline): void {
  const line = field.height / 50;
  pdf.font('Courier').fontSize(0.8 * line).lineWidth(0.4);
  for (let row = 0; row < 40; row += 1) {
    const y = field.y + (row + 2) * line;
    const entry = `${discipline}${100 + row}   ${random.pick(beams)}   ${random.int(1, 9)}'-${random.int(0, 11)}"   TYPE ${random.int(1, 12)}   SEE DETAIL ${random.int(1, 6)}`;
    pdf.text(entry, field.x + line, y, { lineBreak: false }).moveTo(field.x, y - line * 0.2).lineTo(field.x + field.width, y - line * 0.2).stroke();
  }
}
