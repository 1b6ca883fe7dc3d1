import { once } from 'node:events';
import { parse } from 'csv-parse';
import type { CsvError } from 'csv-parse';
import { listedDocumentSchema } from '../../contract/batch';
import type { BrokenLines } from './broken-lines';
import { maxListLineBytes, tooLongLine, wholeLines } from './list-lines';

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
  for await (const parsed of parsedRecords(bytes, broken)) {
    const records: CsvRecord[] = [];
    for (const { line, fields } of parsed) {
      if (header === null) {
        header = readHeader(line, fields, broken);
        if (header === null) return;
      } else if (fields.length !== header.length) {
        broken.add(line, `has ${fields.length} fields, and the header ${header.length}`);
      } else {
        records.push({ line, header, fields });
      }
    }
    yield records;
  }
}

interface ParsedRecord {
  line: number;
  fields: string[];
}

/** Records with the lines they start at, as many at once as a chunk has; the parser could tell the lines too, at twice the time. */
async function* parsedRecords(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<ParsedRecord[]> {
  const parser = parse({
    encoding: 'latin1',
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_records_with_error: true,
    max_record_size: maxListLineBytes,
  });
  const place = new Place(broken);
  let parsed: string[][] = [];
  parser.on('data', (fields: string[]) => parsed.push(fields));
  // The parser works ahead of the records' lines, so what it skips waits for its turn.
  parser.on('skip', (error: CsvError) => place.skipped.push({ afterRecord: parser.info.records, error }));
  const take = (): string[][] => {
    const taken = parsed;
    parsed = [];
    return taken;
  };
  for await (const chunk of shortLines(bytes, broken)) {
    await new Promise<void>((resolve, reject) => parser.write(chunk, (error) => (error ? reject(error) : resolve())));
    yield place.locate(take());
    if (place.lost) return;
  }
  const ended = once(parser, 'end');
  parser.end();
  await ended;
  yield place.locate(take());
}

/** How far the lines of the records are known. */
class Place {
  /** After these nobody can tell where the next record starts. */
  lost = false;
  readonly skipped: { afterRecord: number; error: CsvError }[] = [];
  private record = 0;
  private lines = 0;

  constructor(private readonly broken: BrokenLines) {}

  /** Finds the lines of the next records, and reports what was skipped between them. */
  locate(records: string[][]): ParsedRecord[] {
    const located: ParsedRecord[] = [];
    for (const fields of records) {
      this.passSkipped();
      if (this.lost) return located;
      this.record += 1;
      if (fields.length > 1 || fields[0] !== '') located.push({ line: this.lines + 1, fields });
      this.lines += 1;
      for (const field of fields) if (field.includes('\n')) this.lines += field.split('\n').length - 1;
    }
    this.passSkipped();
    return located;
  }

  private passSkipped(): void {
    for (let next = this.skipped[0]; next && next.afterRecord <= this.record && !this.lost; next = this.skipped[0]) {
      const problem = lost[next.error.code];
      this.lost = problem !== undefined;
      this.broken.add(this.lost ? this.lines + 1 : linesOf(next.error), problem ?? next.error.message);
      if (!this.lost) this.lines = linesOf(next.error);
      this.skipped.shift();
    }
  }
}

const linesOf = (error: CsvError): number => Number(error['lines']);

/** The same lines, with an empty one in place of each that is too long, so that the parser goes on after it. */
async function* shortLines(bytes: AsyncIterable<Buffer>, broken: BrokenLines): AsyncGenerator<Buffer> {
  let lines = 0;
  for await (const some of wholeLines(bytes)) {
    if (some === null) broken.add(lines + 1, tooLongLine);
    lines += some === null ? 1 : newlinesIn(some);
    yield some ?? Buffer.from('\n');
  }
}

function newlinesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf('\n'); at !== -1; at = bytes.indexOf('\n', at + 1)) count += 1;
  return count;
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
