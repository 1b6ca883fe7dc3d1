import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import type { CsvError, Info } from 'csv-parse';
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
  /** Fields by column, their bytes as characters. */
  fields: Record<string, string>;
}

/** The records of a CSV file with a header. What is broken is left out and reported; after a lost quote the rest is not read. */
export async function* csvRecords(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<CsvRecord[]> {
  let header: string[] | null = null;
  let records: CsvRecord[] = [];
  for await (const { line, record } of parsed(bytes, broken)) {
    if (header === null) {
      header = readHeader(line, record, broken);
      if (header === null) return;
    } else if (record.length !== header.length) {
      broken.add(line, `has ${record.length} fields, and the header ${header.length}`);
    } else {
      records.push({ line, fields: Object.fromEntries(header.map((name, at) => [name, record[at]!])) });
    }
    if (records.length < portion) continue;
    yield records;
    records = [];
  }
  yield records;
}

async function* parsed(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<{ line: number; record: string[] }> {
  let end = 0;
  let lostAt = Infinity;
  const parser = parse({
    encoding: 'latin1',
    info: true,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: maxListLineBytes,
    on_record: (record: string[], { lines }) => {
      end = lines;
      return record;
    },
  });
  parser.on('skip', (error: CsvError) => {
    const line = error.code in lost ? end + 1 : Number(error['lines']);
    if (line < lostAt) broken.add(line, lost[error.code] ?? error.message);
    if (error.code in lost) lostAt = Math.min(lostAt, line);
  });
  const source = Readable.from(shortLines(bytes, broken), { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  for await (const { record, info } of source.pipe(parser) as AsyncIterable<{ record: string[]; info: Info }>) {
    // A quoted field may hold line ends; the record is named by its first line.
    const line = info.lines - record.reduce((count, field) => count + field.split('\n').length - 1, 0);
    if (line >= lostAt) break;
    yield { line, record };
  }
}

/** The same lines, with an empty one in place of each that is too long, so that the parser goes on after it. */
async function* shortLines(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<Buffer> {
  const end = Buffer.from('\n');
  for await (const lines of listLines(bytes)) {
    for (const { line, bytes: text } of lines) if (text === null) broken.add(line, tooLongLine);
    if (lines.length > 0) yield Buffer.concat(lines.flatMap(({ bytes: text }) => (text ? [text, end] : [end])));
  }
}

/** The names of the columns, or null when the list cannot be read by them. */
function readHeader(line: number, record: string[], broken: BrokenLines): string[] | null {
  const header = record.map((name) => name.trim());
  const unknown = header.filter((name) => !columns.has(name));
  const problem =
    (unknown.length > 0 && `has columns that are not known: ${unknown.join(', ')}`) ||
    (new Set(header).size < header.length && 'names a column twice') ||
    (!header.includes('path') && 'has no column "path"');
  if (problem) broken.add(line, problem);
  return problem ? null : header;
}
