import { randomFillSync } from 'node:crypto';
import { link, mkdir, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { renderPdf } from '../documents/pdf-file';

const letter = [612, 792] as const;

/** Writes `count` real PDFs of `pages` pages each, all different, into a folder, which is made. They are one PDF with another comment at its end. */
export async function writeSheetSets(folder: string, count: number, pages: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bytes } = await renderPdf('Sheet set', '1', ({ pdf, page }) => {
    for (let number = 1; number <= pages; number += 1) {
      page(letter, 72);
      pdf.text(`Sheet ${number}`);
    }
  });
  for (let number = 1; number <= count; number += 1) {
    await writeFile(join(folder, `sheet-set-${String(number).padStart(3, '0')}.pdf`), Buffer.concat([bytes, Buffer.from(`%${number}\n`)]));
  }
}

/** Writes a file of zeros that takes no room on the disk, into a folder, which is made. */
export async function writeSparseFile(folder: string, sizeBytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'point-cloud.bin');
  await writeFile(file, '');
  await truncate(file, sizeBytes);
}

/** Links files into further folders, which are made. */
export async function linkFiles(files: readonly string[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of files) await link(file, join(folder, basename(file)));
}

/** Writes `count` real PDFs of one page each, all different, into a folder, which is made. */
export async function writePdfs(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let number = 1; number <= count; number += 1) {
    const { bytes } = await renderPdf(`Sheet ${number}`, '1', ({ pdf, page }) => {
      page(letter, 72);
      pdf.text(`Sheet ${number}`);
    });
    await writeFile(join(folder, `sheet-${String(number).padStart(4, '0')}.pdf`), bytes);
  }
}

/**
 * Writes `count` files of random bytes into a folder, which is made: nothing that anybody looks into, so that sending alone counts. Each
 * is by `shorterBytes` (0) shorter than the one before: files that share their size are hashed while planning.
 */
export async function writeRandomFiles(folder: string, count: number, sizeBytes: number, shorterBytes = 0): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const bytes = Buffer.allocUnsafe(sizeBytes);
  const paths: string[] = [];
  for (let number = 1; number <= count; number += 1) {
    const path = join(folder, `scan-${String(number).padStart(3, '0')}.bin`);
    await writeFile(path, randomFillSync(bytes).subarray((number - 1) * shorterBytes));
    paths.push(path);
  }
  return paths;
}
