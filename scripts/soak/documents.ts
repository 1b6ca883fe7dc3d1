import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Source } from '../../src/client';
import { makePdf } from '../../test/support/documents';
import { ignored, type FamilyPlan, type SoakDocument } from './plan';

/** A document that lies on the disk, or should. */
export interface WrittenDocument extends SoakDocument {
  /** Absolute. */
  file: string;
  sizeBytes: number;
  /** Null when it is not there, or nothing is in it. */
  sha256: string | null;
}

/** Writes the documents below a folder, one after another: a large one is in memory while it is written. */
export async function writeDocuments(folder: string, documents: readonly SoakDocument[]): Promise<WrittenDocument[]> {
  const written: WrittenDocument[] = [];
  await mkdir(join(folder, ignored), { recursive: true });
  await writeFile(join(folder, ignored, 'notes.pdf'), 'no input');
  for (const document of documents) {
    const file = join(folder, document.path);
    if (document.kind === 'gone') {
      written.push({ ...document, file, sizeBytes: 0, sha256: null });
      continue;
    }
    const bytes = bytesOf(document);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
    written.push({ ...document, file, sizeBytes: bytes.length, sha256: bytes.length === 0 ? null : createHash('sha256').update(bytes).digest('hex') });
  }
  return written;
}

function bytesOf({ kind, pages, sizeBytes, marker }: SoakDocument): Buffer {
  if (kind === 'empty') return Buffer.alloc(0);
  if (kind === 'text') return Buffer.from(`This is no PDF: ${marker}`);
  return makePdf({ pages, sizeBytes, marker });
}

/** Makes the source of a batch over these documents, which lie in `folder`; a list is written there first. */
export async function sourceOver(folder: string, { source }: FamilyPlan, documents: readonly WrittenDocument[]): Promise<Source> {
  if (source === 'documents') return { documents: documents.map(({ file }) => ({ path: file })) };
  if (source === 'jsonl') {
    const list = join(folder, 'list.jsonl');
    // Half of it says nothing but the path, so that planning looks itself.
    const lines = documents.map(({ path, kind, sizeBytes }, index) => JSON.stringify({ path, ...(kind !== 'gone' && index % 2 === 0 && { sizeBytes }) }));
    await writeFile(list, `${lines.join('\n')}\n`);
    return { list };
  }
  if (source === 'csv') {
    const list = join(folder, 'list.csv');
    await writeFile(list, `path,fileName\n${documents.map(({ path }) => `${path},${path.split('/').at(-1)}`).join('\n')}\n`);
    return { list };
  }
  return { folder, exclude: [`${ignored}/**`] };
}
