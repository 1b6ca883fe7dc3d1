/** Longest line of a list, in bytes. */
export const maxListLineBytes = 1024 * 1024;
/** What is wrong with a longer one. */
export const tooLongLine = `is longer than ${maxListLineBytes} bytes`;

const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const none = Buffer.alloc(0);

/** Whole lines, each with its newline; null for one line that is longer than {@link maxListLineBytes}. */
export type WholeLines = Buffer | null;

/** The bytes without a byte order mark at their start. */
export async function* withoutMark(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let start: Buffer | null = none;
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

/**
 * The lines of a list, as many at once as a chunk has, since each step for itself takes longer than to read a line. Keeps one line in
 * memory, and of one that is too long nothing. The last line gets a newline when it has none.
 */
export async function* wholeLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<WholeLines> {
  let pending: Buffer = none;
  let tooLong = false;
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end > 0) {
      const first = tooLong ? chunk.indexOf(newline) + 1 : 0;
      if (tooLong) yield null;
      yield* withinBound(Buffer.concat([pending, chunk.subarray(first, end)]));
      [pending, tooLong] = [none, false];
    }
    tooLong ||= pending.length + chunk.length - end > maxListLineBytes;
    pending = tooLong ? none : Buffer.concat([pending, chunk.subarray(end)]);
  }
  if (tooLong) yield null;
  else if (pending.length > 0) yield Buffer.concat([pending, Buffer.of(newline)]);
}

/** The same lines, with null in place of each that is too long. */
function* withinBound(lines: Buffer): Generator<WholeLines> {
  let start = 0;
  // Few chunks are so large that a line in them can be.
  for (let at = 0; lines.length - start > maxListLineBytes; ) {
    const end = lines.indexOf(newline, at) + 1;
    if (end === 0) break;
    if (end - 1 - at > maxListLineBytes) {
      if (at > start) yield lines.subarray(start, at);
      yield null;
      start = end;
    }
    at = end;
  }
  if (start < lines.length) yield lines.subarray(start);
}
