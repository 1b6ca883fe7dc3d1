import type { ZodType } from 'zod';
import { NotFoundError, wholeBytes } from './index';
import type { Store } from './index';

/** Longest line that is read, in bytes without its newline; a longer one is broken, so that memory stays bounded. */
export const maxLineBytes = 64 * 1024 * 1024;
/** Largest JSON file that {@link readJson} reads whole, in bytes. */
export const maxJsonBytes = 256 * 1024 * 1024;

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/** A file of ours in the store is not what it should be. The message names the key, and the line when there is one. */
export class BrokenFileError extends Error {
  override readonly name = 'BrokenFileError';
  constructor(
    readonly key: string,
    /** 1-based line of the file, or of the range that was read; null when the whole file is meant. */
    readonly line: number | null,
    problem: string,
  ) {
    super(`${key}${line === null ? '' : ` line ${line}`}: ${problem}`);
  }
}

/** A run of whole lines of a file, in bytes. */
export interface LineRange {
  offset: number;
  length: number;
}

/**
 * The lines of a stream, without their newlines; the last one may lack it. Keeps one line and one chunk in memory.
 * @throws BrokenFileError when a line is longer than {@link maxLineBytes}; `key` is for its message.
 */
export async function* splitLines(source: AsyncIterable<Uint8Array>, key: string): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let line = 0;
  for await (const bytes of source) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const rest = chunk.subarray(start, end);
      line += 1;
      yield pending.length === 0 ? rest : Buffer.concat([...pending, rest]);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > maxLineBytes) throw new BrokenFileError(key, line + 1, `is longer than ${maxLineBytes} bytes`);
    }
  }
  if (pendingBytes > 0) yield Buffer.concat(pending);
}

/**
 * Parses one JSON text of the file `key`.
 * @throws BrokenFileError naming key, line and what is wrong.
 */
export function parseJson<T>(text: string, schema: ZodType<T>, key: string, line: number | null): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which is nobody's business in a log.
    throw new BrokenFileError(key, line, 'is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 3).map((issue) => `${issue.path.map(String).join('.') || 'the value'}: ${issue.message}`);
  throw new BrokenFileError(key, line, issues.join('; '));
}

/**
 * The objects of a JSON Lines file in order, one at a time; of `range` only, when it is given.
 * Memory is bounded by the longest line. Leaving the loop early closes the file.
 * @throws NotFoundError, BrokenFileError (at the line in question)
 */
export async function* readJsonLines<T>(store: Store, key: string, schema: ZodType<T>, range?: LineRange): AsyncGenerator<T> {
  if (range?.length === 0) return;
  const whole = range ? null : await store.read?.(key, wholeBytes);
  if (whole) {
    yield* wholeJsonLines(whole.bytes, key, schema);
    return;
  }
  const stream = await store.openRead(key, range && { start: range.offset, end: range.offset + range.length - 1 });
  try {
    let line = 0;
    for await (const text of splitLines(stream, key)) {
      line += 1;
      yield parseJson(text.toString(), schema, key, line);
    }
  } finally {
    stream.destroy();
  }
}

function* wholeJsonLines<T>(bytes: Buffer, key: string, schema: ZodType<T>): Generator<T> {
  for (let start = 0, line = 1; start < bytes.length; line += 1) {
    const newlineAt = bytes.indexOf(newline, start);
    const end = newlineAt === -1 ? bytes.length : newlineAt;
    yield parseJson(bytes.toString('utf8', start, end), schema, key, line);
    start = end + 1;
  }
}

/**
 * A JSON file, whole.
 * @throws NotFoundError, BrokenFileError (also when it is larger than {@link maxJsonBytes})
 */
export async function readJson<T>(store: Store, key: string, schema: ZodType<T>): Promise<T> {
  return parseJson((await readBytes(store, key, maxJsonBytes)).toString(), schema, key, null);
}

/**
 * A JSON file, whole, or null when it is not there.
 * @throws BrokenFileError
 */
export async function findJson<T>(store: Store, key: string, schema: ZodType<T>): Promise<T | null> {
  try {
    return await readJson(store, key, schema);
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

/**
 * A file's bytes, whole.
 * @throws NotFoundError, BrokenFileError when it is larger than `maxBytes`
 */
export async function readBytes(store: Store, key: string, maxBytes: number): Promise<Buffer> {
  const whole = await store.read?.(key, Math.min(maxBytes, wholeBytes));
  if (whole) return whole.bytes;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of await store.openRead(key)) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) throw new BrokenFileError(key, null, `is larger than ${maxBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Objects as JSON Lines, in chunks that suit a write. What `objects` throws passes. */
export async function* jsonLines(objects: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Buffer> {
  let lines: string[] = [];
  let length = 0;
  for await (const object of objects) {
    const line = `${JSON.stringify(object)}\n`;
    lines.push(line);
    length += line.length;
    if (length >= chunkBytes) {
      yield Buffer.from(lines.join(''));
      lines = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.from(lines.join(''));
}

/** An object as our JSON files spell it: two spaces of indent, a newline at the end. */
export const jsonText = (object: unknown): string => `${JSON.stringify(object, null, 2)}\n`;
