import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sequence, Sizes } from './sizes';

/** Documents of one folder. */
const folderFiles = 80;
/** Lines that are written together. */
const portion = 5_000;
/** Files that are made at the same time. */
const filesAtOnce = 64;

/** A list as JSON Lines, with sizes. */
export const writeJsonLines = (path: string, documents: number): Promise<void> =>
  writeLines(path, documents, (document, sizeBytes) => JSON.stringify({ path: pathOf(document), sizeBytes }));

/** The same list as CSV. */
export const writeCsv = (path: string, documents: number): Promise<void> =>
  writeLines(path, documents, (document, sizeBytes) => `${pathOf(document)},${sizeBytes}`, 'path,sizeBytes\n');

/** Real files under the same paths, that have their sizes and take no room on the disk. */
export async function writeTree(folder: string, files: number): Promise<void> {
  const sizeOf = distinctSizes();
  for (let from = 0; from < files; from += folderFiles) await mkdir(join(folder, dirname(pathOf(from))), { recursive: true });
  for (let from = 0; from < files; from += filesAtOnce) {
    await Promise.all(Array.from({ length: Math.min(filesAtOnce, files - from) }, (_, at) => writeHole(join(folder, pathOf(from + at)), sizeOf())));
  }
}

async function writeHole(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w', 0o644);
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}

async function writeLines(path: string, documents: number, lineOf: (document: number, sizeBytes: number) => string, header = ''): Promise<void> {
  const file = createWriteStream(path);
  const sizeOf = distinctSizes();
  file.write(header);
  for (let from = 0; from < documents; from += portion) {
    const lines = Array.from({ length: Math.min(portion, documents - from) }, (_, at) => `${lineOf(from + at, sizeOf())}\n`);
    if (!file.write(lines.join(''))) await once(file, 'drain');
  }
  await new Promise<void>((resolve, reject) => file.once('error', reject).end(resolve));
}

function pathOf(document: number): string {
  const folder = String(Math.floor(document / folderFiles)).padStart(5, '0');
  return `project-${folder.slice(0, 3)}/set-${folder}/sheet-${String(document).padStart(7, '0')}.pdf`;
}

/** Sizes as sheets have them, each one once. */
function distinctSizes(): () => number {
  const sizes = new Sizes(sequence(1_000_003));
  const taken = new Set<number>();
  return () => {
    let size = sizes.around(3_000_000, 0.9);
    while (taken.has(size)) size += 1;
    taken.add(size);
    return size;
  };
}
