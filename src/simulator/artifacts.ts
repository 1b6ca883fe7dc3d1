import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { isDrawingPage, successfulPages, type SimDocument, type SimJob } from './job';
import { Dice } from './words';

/** A file derived from a document; its bytes are made when they are asked for, the same ones every time. */
export interface SimArtifact {
  type: string;
  /** The last part of its path. */
  fileName: string;
  path: string;
  /** Page it shows, when it shows one. */
  pageNumber: number | null;
  chunks(): Iterable<Buffer>;
}

/** The artifacts of a document: none when no page came out, else a thumbnail, the text, and images of a few drawing sheets. */
export function artifactsOf(job: SimJob, document: SimDocument): SimArtifact[] {
  if (successfulPages(document) === 0) return [];
  const folder = `jobs/${job.id}/${document.id}`;
  const pages = goodPages(document);
  const artifact = (type: string, name: string, pageNumber: number | null, chunks: () => Iterable<Buffer>): SimArtifact => ({
    type, fileName: name.split('/').at(-1)!, path: `${folder}/${name}`, pageNumber, chunks,
  });
  const sheets = pages.filter((page) => isDrawingPage(document, page)).slice(0, job.sheetArtifacts);
  return [
    artifact('thumbnail', 'thumbnail.png', null, () => [picture(document, pages[0]!, 48)]),
    artifact('text', 'text.json', null, () => textChunks(document, pages)),
    ...sheets.map((page) => artifact('sheet_image', `sheets/${String(page).padStart(4, '0')}.png`, page, () => [picture(document, page, 96)])),
  ];
}

/** The artifact at a path that the job's result names. */
export function findArtifact(job: SimJob, path: string): SimArtifact | undefined {
  const document = job.documents.find(({ id, included }) => included && path.startsWith(`jobs/${job.id}/${id}/`));
  return document && artifactsOf(job, document).find((artifact) => artifact.path === path);
}

/** Pages that came out, in order. */
export function goodPages(document: SimDocument): number[] {
  const failed = new Set(document.failedPages);
  return Array.from({ length: document.donePages }, (_, index) => index + 1).filter((page) => !failed.has(page));
}

function* textChunks(document: SimDocument, pages: number[]): Generator<Buffer> {
  yield Buffer.from('{"pages":[');
  for (const [index, pageNumber] of pages.entries()) {
    const dice = new Dice(`${document.sha256} text ${pageNumber}`);
    const text = Array.from({ length: 8 + dice.below(16) }, () => dice.sentence()).join(' ');
    yield Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify({ pageNumber, text })}`);
  }
  yield Buffer.from(']}\n');
}

/** A real, small PNG in shades of grey. A batch asks for as many as it has documents, so they must cost little to make. */
function picture(document: SimDocument, page: number, side: number): Buffer {
  const rows = createHash('shake256', { outputLength: side * (side + 1) }).update(`${document.sha256} picture ${page}`).digest();
  // Each row starts with a byte that names its filter: none.
  for (let row = 0; row < side; row++) rows[row * (side + 1)] = 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', deflateSync(rows, { level: 0 })), pngChunk('IEND', Buffer.alloc(0))]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type), data]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
