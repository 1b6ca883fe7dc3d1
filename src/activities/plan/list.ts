import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { inputProblems, listedDocumentSchema } from '../../contract/batch';
import type { ListedDocument } from '../../contract/batch';
import { parsePath } from '../../domain/source-path';
import type { BrokenLines } from './broken-lines';
import { csvRecords } from './list-csv';
import type { CsvRecord } from './list-csv';
import { descriptors } from './descriptors';
import { tooLongLine, wholeLines, withoutMark } from './list-lines';
import { explain, sourceUnavailable } from './root';

const notUtf8 = 'is not UTF-8';
const chunkBytes = 64 * 1024;

/**
 * The documents of a list file, in its order: CSV when its name ends in `.csv`, else JSON Lines. Broken lines are left out
 * and reported to `broken`; empty ones mean nothing. @throws SourceUnavailable when the list cannot be read, is no file, or changed while it was read
 */
export async function* readList(path: string, broken: BrokenLines): AsyncGenerator<ListedDocument[]> {
  let handle: FileHandle | null = null;
  try {
    // Without O_NONBLOCK a pipe would wait for a writer for ever.
    handle = await descriptors.keep(() => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
    const before = await handle.stat();
    if (!before.isFile()) throw sourceUnavailable(path, 'it is not a regular file');
    if (await isUtf16(handle)) {
      broken.add(1, 'is UTF-16, and a list must be UTF-8');
      return;
    }
    const bytes = withoutMark(chunksOf(handle));
    if (/\.csv$/i.test(path)) for await (const records of csvRecords(bytes, broken)) yield records.flatMap((record) => csvDocument(record, broken) ?? []);
    else yield* jsonDocuments(bytes, broken);
    // Whoever writes into a list that is being read makes one that nobody meant; another attempt reads all of it.
    if (isAnother(before, await handle.stat())) throw sourceUnavailable(path, 'it changed while it was read');
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall ? sourceUnavailable(path, explain(error)) : error;
  } finally {
    await handle?.close();
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

const isAnother = (before: Stats, { size, mtimeMs }: Stats): boolean => size !== before.size || mtimeMs !== before.mtimeMs;

async function isUtf16(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  return bytesRead === 2 && [0xfeff, 0xfffe].includes(buffer.readUInt16BE(0));
}

async function* jsonDocuments(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<ListedDocument[]> {
  let line = 0;
  for await (const lines of wholeLines(bytes)) {
    if (lines === null) {
      broken.add((line += 1), tooLongLine);
      continue;
    }
    const documents: ListedDocument[] = [];
    for (const text of linesOf(lines)) {
      const document = jsonDocument((line += 1), text, broken);
      if (document !== null) documents.push(document);
    }
    yield documents;
  }
}

/** The text of each line; null for one that is not UTF-8. */
function linesOf(lines: Buffer): (string | null)[] {
  const texts = isUtf8(lines) ? lines.toString().split('\n') : lines.toString('latin1').split('\n').map(utf8Text);
  // Behind the last newline there is no line.
  texts.pop();
  return texts;
}

function jsonDocument(line: number, text: string | null, broken: BrokenLines): ListedDocument | null {
  if (text === null) return report(broken, line, notUtf8);
  if (text.trim() === '') return null;
  try {
    return listedDocument(line, JSON.parse(text), broken);
  } catch {
    return report(broken, line, 'is not JSON');
  }
}

function listedDocument(line: number, value: unknown, broken: BrokenLines): ListedDocument | null {
  const parsed = listedDocumentSchema.safeParse(value);
  if (!parsed.success) {
    const problems = inputProblems(parsed.error).map(({ field, message }) => (field === '(input)' ? message : `${field}: ${message}`));
    return report(broken, line, problems.join(', '));
  }
  return parsePath(parsed.data.path).includes('\0') ? report(broken, line, 'path: must not contain a NUL character') : parsed.data;
}

function report(broken: BrokenLines, line: number, message: string): null {
  broken.add(line, message);
  return null;
}

/** A field that is empty is not given. */
function csvDocument({ line, header, fields }: CsvRecord, broken: BrokenLines): ListedDocument | null {
  const values: Record<string, string | number> = {};
  for (const [at, name] of header.entries()) {
    const text = utf8Text(fields[at]!);
    if (text === null) return report(broken, line, notUtf8);
    if (text !== '') values[name] = name === 'sizeBytes' && /^\s*\d+\s*$/.test(text) ? Number(text) : text;
  }
  return listedDocument(line, values, broken);
}

/** The text that bytes as characters are; null when they are not UTF-8. */
function utf8Text(characters: string): string | null {
  if (/^[\x00-\x7f]*$/.test(characters)) return characters;
  const bytes = Buffer.from(characters, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : null;
}
