/** Longest line of a list, in bytes. */
export const maxListLineBytes = 1024 * 1024;
/** What is wrong with a longer one. */
export const tooLongLine = `is longer than ${maxListLineBytes} bytes`;

const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** A line without its newline (a carriage return stays); null when it is longer than {@link maxListLineBytes}. */
export interface ListLine {
  /** From 1. */
  line: number;
  bytes: Buffer | null;
}

/** The bytes without a byte order mark at their start. */
export async function* withoutMark(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let start: Buffer | null = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (start === null) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.length < byteOrderMark.length) continue;
    yield afterMark(start);
    start = null;
  }
  if (start && start.length > 0) yield afterMark(start);
}

const afterMark = (start: Buffer): Buffer =>
  start.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? start.subarray(byteOrderMark.length) : start;

/** The lines of a list. Keeps one line in memory, and of one that is too long nothing. */
export async function* listLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<ListLine[]> {
  let line = 0;
  let pending = Buffer.alloc(0);
  let tooLong = false;
  for await (const chunk of bytes) {
    const lines: ListLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const rest = chunk.subarray(start, end);
      lines.push(listLine((line += 1), pending.length > 0 ? Buffer.concat([pending, rest]) : rest, tooLong));
      [pending, tooLong, start] = [Buffer.alloc(0), false, end + 1];
    }
    const open = pending.length + chunk.length - start;
    tooLong ||= open > maxListLineBytes;
    if (tooLong) pending = Buffer.alloc(0);
    else pending = Buffer.concat([pending, chunk.subarray(start)]);
    yield lines;
  }
  if (pending.length > 0 || tooLong) yield [listLine(line + 1, pending, tooLong)];
}

const listLine = (line: number, bytes: Buffer, tooLong: boolean): ListLine => ({
  line,
  bytes: tooLong || bytes.length > maxListLineBytes ? null : bytes,
});
