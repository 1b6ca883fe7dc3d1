import type { Discipline, SheetSet } from './drawings';
import { drawCover, drawSheets } from './drawings';
import type { Draft } from './pdf-file';
import { Random } from './random';
import { writeAddendum, writeGroundReport, writeSpecifications } from './specifications';
import type { paper } from './sheet';

/** A document of a project: where it lies and how it is drawn. */
export interface PlannedDocument {
  /** Relative path, `/` between parts. */
  path: string;
  draw: (draft: Draft) => void;
}

const projects = [
  ['Harbour Annex', '14 Quay Road\nPort Ellery'],
  ['Mill Creek Elementary School', '2200 Orchard Lane\nFairdale'],
  ['North Water Treatment Plant', '9 Basin Street\nLowmoor'],
  ['Civic Library Renovation', '1 Market Square\nAshby'],
  ['Ridgeview Medical Offices', '480 Summit Avenue\nRidgeview'],
  ['Depot Street Apartments', '77 Depot Street\nHalden'],
] as const;

const trades: readonly { folder: string; discipline: Discipline; first: number; title: string; size: keyof typeof paper }[] = [
  { folder: 'Civil', discipline: 'C', first: 101, title: 'Grading and Drainage', size: 'archD' },
  { folder: 'Architectural', discipline: 'A', first: 101, title: 'Floor Plans', size: 'archE1' },
  { folder: 'Architectural', discipline: 'A', first: 501, title: 'Door and Finish Schedules', size: 'archD' },
  { folder: 'Structural', discipline: 'S', first: 101, title: 'Framing', size: 'archD' },
  { folder: 'Structural', discipline: 'S', first: 501, title: 'Connections', size: 'ansiB' },
  { folder: 'Mechanical', discipline: 'M', first: 101, title: 'Ductwork', size: 'archD' },
  { folder: 'Plumbing', discipline: 'P', first: 101, title: 'Piping', size: 'a1' },
  { folder: 'Electrical', discipline: 'E', first: 101, title: 'Lighting and Power', size: 'archD' },
];

/** Name of project `index`, from 0: the first six have names of their own, later ones repeat them with a phase. */
export function projectName(index: number): string {
  const [name] = projects[index % projects.length] ?? projects[0];
  return index < projects.length ? name : `${name} Phase ${Math.floor(index / projects.length) + 1}`;
}

/**
 * The documents of a project: a cover sheet, eight sets of drawings (1 to 9 sheets; `large`: up to 40), two volumes of
 * specifications (10 to 40 pages; `large`: up to 300), addenda, a report on the ground.
 */
export function projectDocuments(index: number, seed: string, large: boolean): PlannedDocument[] {
  const random = new Random(`${seed}/project/${index}`);
  const project = projectName(index);
  const [, address] = projects[index % projects.length] ?? projects[0];
  const sets = trades.map((trade) => {
    const sheets = large ? random.int(2, 40) : random.int(1, 9);
    const set: SheetSet = { ...trade, project, address, sheets };
    return { path: `01 Drawings/${trade.folder}/${trade.discipline}-${trade.first} ${trade.title}.pdf`, set };
  });
  const list = sets.flatMap(({ set }) => Array.from({ length: set.sheets }, (_, at) => `${set.discipline}-${set.first + at}  ${set.title}`));
  const cover: SheetSet = { project, address, discipline: 'A', first: 1, title: 'Cover', sheets: 1, size: 'archD' };
  const documents: PlannedDocument[] = [
    { path: '01 Drawings/General/G-001 Cover Sheet and Index.pdf', draw: (draft) => drawCover(draft, cover, list) },
    ...sets.map(({ path, set }) => ({ path, draw: (draft: Draft) => drawSheets(draft, set) })),
    ...written(random, project, large),
  ];
  return documents.sort((one, other) => (one.path < other.path ? -1 : 1));
}

function written(random: Random, project: string, large: boolean): PlannedDocument[] {
  const books = [1, 2].map((volume) => {
    const pages = large ? random.int(60, 300) : random.int(10, 40);
    return { path: `02 Specifications/Project Manual Volume ${volume}.pdf`, draw: (draft: Draft) => writeSpecifications(draft, project, pages) };
  });
  const addenda = Array.from({ length: random.int(2, 4) }, (_, at) => {
    const items = random.int(4, 24);
    return { path: `00 Bidding/Addendum ${String(at + 1).padStart(2, '0')}.pdf`, draw: (draft: Draft) => writeAddendum(draft, project, at + 1, items) };
  });
  const borings = random.int(3, 8);
  return [...books, ...addenda, { path: '03 Reports/Geotechnical Report.pdf', draw: (draft: Draft) => writeGroundReport(draft, project, borings) }];
}
