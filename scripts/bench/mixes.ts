import type { Documents } from '../../src/domain/plan-pieces';
import { sequence, Sizes } from './sizes';

/** A document of a mix. */
export interface MixDocument {
  /** Bytes. */
  size: number;
  /** Number of its folder. */
  folder: number;
  /** Absent when pages are not counted. */
  pages?: number | undefined;
}

/** Documents as they come in practice. */
export interface Mix {
  /** For people. */
  title: string;
  /** Pages a job, for the mix that counts pages. */
  maxPages?: number;
  /** The same documents each time. */
  documents(): MixDocument[];
}

const MB = 1_000_000;
const seed = 20240611;

/** Folders in order, each with as many documents as `count` says. */
function folders(number: number, count: (sizes: Sizes) => number, document: (sizes: Sizes, folder: number, at: number) => Omit<MixDocument, 'folder'>): MixDocument[] {
  const sizes = new Sizes(sequence(seed));
  return Array.from({ length: number }, (_, folder) => Array.from({ length: count(sizes) }, (_each, at) => ({ folder, ...document(sizes, folder, at) }))).flat();
}

/** The realistic mixes that packing is judged by. */
export const mixes: Record<string, Mix> = {
  sheetSets: {
    title: 'sheet sets: one PDF a sheet, a folder a discipline',
    documents: () => folders(300, (sizes) => sizes.between(5, 90), (sizes) => ({ size: sizes.around(3 * MB, 0.9) })),
  },
  specBooks: {
    title: 'spec books: large volumes, a few a project, pages limited',
    maxPages: 3000,
    documents: () => folders(500, (sizes) => sizes.between(1, 12), (sizes) => ({ size: sizes.around(35 * MB, 0.8), pages: Math.min(1500, Math.floor(sizes.around(180_000, 0.7) / 1000)) })),
  },
  mixedTender: {
    title: 'a mixed tender: plans, specifications, and scans of gigabytes',
    documents: () => folders(250, (sizes) => sizes.between(3, 60), (sizes) => ({ size: sizes.random() < 0.015 ? sizes.between(1000 * MB, 6000 * MB) : sizes.around(18 * MB, 1.2) })),
  },
  manyTiny: {
    title: 'many tiny: details and requests of a few kilobytes, deep folders',
    documents: () => folders(4000, (sizes) => sizes.between(1, 9), (sizes) => ({ size: sizes.between(2000, 200_000) })),
  },
  nearTheLimit: {
    title: 'near the limit: whole-building models among ordinary sets',
    documents: () => folders(200, (sizes) => sizes.between(10, 50), (sizes, folder, at) => ({ size: at === 0 && folder % 2 === 0 ? sizes.between(7000 * MB, 9500 * MB) : sizes.around(30 * MB, 1) })),
  },
};

/** Documents as the packer takes them. */
export const packable = (documents: readonly MixDocument[]): Documents => ({
  sizes: Float64Array.from(documents, ({ size }) => size),
  folders: Uint32Array.from(documents, ({ folder }) => folder),
  pages: documents.some(({ pages }) => pages !== undefined) ? Int32Array.from(documents, ({ pages }) => pages ?? -1) : null,
});
