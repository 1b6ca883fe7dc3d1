import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import type { CsvError } from 'csv-parse';
import { listedDocumentSchema } from '../../contract/batch';
import type { BrokenLines } from './broken-lines';
import { listLines, maxListLineBytes, tooLongLine } from './list-lines';

/** Records that are handed on together. */
const portion = 512;
const columns = new Set(Object.keys(listedDocumentSchema.shape));
/** After these nobody can tell where the next record starts. */
const lost: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: 'has a quote that is not closed',
  CSV_MAX_RECORD_SIZE: `has a quote that is not closed within ${maxListLineBytes} bytes`,
  CSV_INVALID_CLOSING_QUOTE: 'has a quote inside a quoted field that is not doubled',
};

/** A record of a CSV list. */
export interface CsvRecord {
  /** Its first line, from 1. */
  line: number;
  /** The columns, in the order of `fields`. */
  header: string[];
  /** The fields, their bytes as characters. */
  fields: string[];
}

/** The records of a CSV file with a header. What is broken is left out and reported; after a lost quote the rest is not read. */
export async function* csvRecords(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<CsvRecord[]> {
  let header: string[] | null = null;
  let records: CsvRecord[] = [];
  for await (const { line, fields } of parsed(bytes, broken)) {
    if (header === null) {
      header = readHeader(line, fields, broken);
      if (header === null) return;
    } else if (fields.length !== header.length) {
      broken.add(line, `has ${fields.length} fields, and the header ${header.length}`);
    } else {
      records.push({ line, header, fields });
    }
    if (records.length < portion) continue;
    yield records;
    records = [];
  }
  yield records;
}

/** Records with the lines they start at; the parser could tell the lines too, at twice the time. */
async function* parsed(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<{ line: number; fields: string[] }> {
  const parser = parse({
    encoding: 'latin1',
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_records_with_error: true,
    max_record_size: maxListLineBytes,
  });
  // The parser works ahead of this loop, so what it skips waits for its turn.
  const skipped: { afterRecord: number; error: CsvError }[] = [];
  parser.on('skip', (error: CsvError) => skipped.push({ afterRecord: parser.info.records, error }));
  const source = Readable.from(shortLines(bytes, broken), { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  let record = 0;
  let lines = 0;
  const passSkipped = (): boolean => {
    for (let next = skipped[0]; next && next.afterRecord <= record; next = skipped[0]) {
      const problem = lost[next.error.code];
      broken.add(problem === undefined ? linesOf(next.error) : lines + 1, problem ?? next.error.message);
      if (problem !== undefined) return true;
      lines = linesOf(next.error);
      skipped.shift();
    }
    return false;
  };
  for await (const fields of source.pipe(parser) as AsyncIterable<string[]>) {
    if (passSkipped()) return;
    record += 1;
    if (fields.length > 1 || fields[0] !== '') yield { line: lines + 1, fields };
    lines += 1;
    for (const field of fields) if (field.includes('\n')) lines += field.split('\n').length - 1;
  }
  passSkipped();
}

const linesOf = (error: CsvError): number => Number(error['lines']);

/** The same lines, with an empty one in place of each that is too long, so that the parser goes on after it. */
async function* shortLines(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<Buffer> {
  const end = Buffer.from('\n');
  for await (const lines of listLines(bytes)) {
    for (const { line, bytes: text } of lines) if (text === null) broken.add(line, tooLongLine);
    if (lines.length > 0) yield Buffer.concat(lines.flatMap(({ bytes: text }) => (text ? [text, end] : [end])));
  }
}

/** The names of the columns, or null when the list cannot be read by them. */
function readHeader(line: number, fields: string[], broken: BrokenLines): string[] | null {
  const header = fields.map((name) => name.trim());
  const unknown = header.filter((name) => !columns.has(name));
  const problem =
    (unknown.length > 0 && `has columns that are not known: ${unknown.join(', ')}`) ||
    (new Set(header).size < header.length && 'names a column twice') ||
    (!header.includes('path') && 'has no column "path"');
  if (problem) broken.add(line, problem);
  return problem ? null : header;
}
