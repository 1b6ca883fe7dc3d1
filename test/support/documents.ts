import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export { type GeneratedDocument, generateDocuments } from '../../scripts/generate-documents';

/** What {@link makePdf} makes. */
export interface PdfShape {
  /** Default 1. */
  pages?: number;
  /** Printed on the pages; documents with different markers have different content. Default empty. */
  marker?: string;
  /** Grows the file to at least this many bytes, with a stream that no page uses. Default: nothing is added. */
  sizeBytes?: number;
}

/** A real PDF in well under a millisecond: correct offsets, a font, one line of text a page. Pure: the same shape, the same bytes. */
export function makePdf({ pages = 1, marker = '', sizeBytes = 0 }: PdfShape = {}): Buffer {
  const kids = Array.from({ length: pages }, (_, index) => 5 + 2 * index);
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${pages} /Kids [${kids.map((kid) => `${kid} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    stream(''),
  ];
  kids.forEach((kid, index) => {
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> >> /Contents ${kid + 1} 0 R >>`);
    objects.push(stream(`BT /F 12 Tf 72 700 Td (${escaped(marker)} page ${index + 1}) Tj ET`));
  });
  const body = assemble(objects);
  if (body.length >= sizeBytes) return body;
  objects[3] = stream(' '.repeat(sizeBytes - body.length));
  return assemble(objects);
}

function stream(content: string): string {
  return `<< /Length ${content.length} >>\nstream\n${content}\nendstream`;
}

// Everything is one byte a character, so that string lengths are offsets.
function escaped(marker: string): string {
  return marker.replace(/[^\x20-\x7e]|[()\\]/g, (char) => `<${char.codePointAt(0)?.toString(16)}>`);
}

function assemble(objects: readonly string[]): Buffer {
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  const end = `xref\n0 ${size}\n0000000000 65535 f \n${table}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(text + end, 'latin1');
}

/** A file of a batch: its path relative to the batch's folder, as bytes because names need not be UTF-8. */
export interface TestFile {
  path: Buffer;
  content: Buffer;
}

/** `count` documents of 1 to 4 pages, all different, ten a folder: `set-001/drawing-0001.pdf` and so on. */
export function manyDocuments(count: number): TestFile[] {
  return Array.from({ length: count }, (_, index) => {
    const number = String(index + 1).padStart(4, '0');
    const folder = String(Math.floor(index / 10) + 1).padStart(3, '0');
    const content = makePdf({ pages: (index % 4) + 1, marker: `drawing ${number}` });
    return { path: Buffer.from(`set-${folder}/drawing-${number}.pdf`), content };
  });
}

/** Names that Linux allows and that something usually stumbles over; each file is a good PDF of one page, all different. */
export function oddlyNamedDocuments(): TestFile[] {
  const names = [
    Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x2e, 0x70, 0x64, 0x66]), // café.pdf in Latin-1: not UTF-8
    Buffer.from([0xff, 0xfe, 0x2e, 0x70, 0x64, 0x66]),
    Buffer.from(`${'x'.repeat(251)}.pdf`), // 255 bytes, the longest
    Buffer.from(`${'é'.repeat(125)}.pdf`), // 254 bytes, 129 characters
    Buffer.from('line\nbreak.pdf'),
    Buffer.from('tab\tand "quotes".pdf'),
    Buffer.from('100% done %41.pdf'),
    Buffer.from('caf\u0065\u0301.pdf'), // decomposed (NFD)
    Buffer.from('caf\u00e9.pdf'), // composed (NFC): its twin
    Buffer.from('Twin.pdf'),
    Buffer.from('TWIN.pdf'),
    Buffer.from(' leading space.pdf'),
    Buffer.from('trailing dot.pdf.'),
    Buffer.from('back\\slash.pdf'),
    Buffer.from('-rf.pdf'),
    Buffer.from('.hidden.pdf'),
    Buffer.from('emoji \u{1f3d7}.pdf'),
    Buffer.from('no extension'),
  ];
  return names.map((path, index) => ({ path, content: makePdf({ marker: `odd ${index}` }) }));
}

/** Writes the files below `folder`, which is created. */
export async function writeDocuments(folder: string, files: readonly TestFile[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const made = new Set<string>();
  for (const { path, content } of files) {
    const target = Buffer.concat([Buffer.from(`${folder}/`), path]);
    // Latin-1 keeps every byte, so that dirname can be had of a name that is not UTF-8.
    const parent = dirname(target.toString('latin1'));
    if (!made.has(parent)) await mkdir(Buffer.from(parent, 'latin1'), { recursive: true });
    made.add(parent);
    await writeFile(target, content);
  }
}
