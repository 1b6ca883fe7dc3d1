import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderPdf } from '../documents/pdf-file';
import { sequence, Sizes } from './sizes';

/** Documents of one folder. */
const folderFiles = 250;
/** Sizes of the documents, in bytes. */
const [smallestBytes, largestBytes] = [1_024, 4_096];

/**
 * Writes `count` small PDFs of one page each, 1 to 4 KiB, no two alike, in folders of 250. They share one page: what differs is a
 * comment behind the end, which PDF allows, so that 100,000 of them are written within seconds.
 */
export async function writeSmallPdfs(root: string, count: number): Promise<void> {
  const { bytes } = await renderPdf('Sheet', '1', ({ pdf, page }) => {
    page([612, 792], 72);
    pdf.text('Sheet');
  });
  const sizes = new Sizes(sequence(7));
  let folder = '';
  for (let number = 0; number < count; number += 1) {
    if (number % folderFiles === 0) {
      folder = join(root, `set-${String(number / folderFiles + 1).padStart(4, '0')}`);
      await mkdir(folder, { recursive: true });
    }
    const comment = `\n% sheet ${number + 1} `;
    const padding = sizes.between(Math.max(smallestBytes, bytes.length + comment.length), largestBytes) - bytes.length - comment.length;
    await writeFile(join(folder, `sheet-${String(number + 1).padStart(6, '0')}.pdf`), Buffer.concat([bytes, Buffer.from(comment.padEnd(comment.length + padding, '.'))]));
  }
}
