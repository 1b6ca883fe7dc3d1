import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';

/** A value that goes into a header or is compared with one. */
export const oneLine = z.string().trim().regex(/^[\x21-\x7e]+$/, 'must be one word of printable characters');

/**
 * A reader of a key that lives in a file and may be rotated there: each call looks at the file's time and size and reads
 * it again when they changed. A file that vanishes for a moment, as during a rotation, leaves the last key in use.
 * @throws Error when the first read fails or the file is empty; the message holds the system's error code; it never holds the key
 */
export function keyFromFile(path: string): () => string {
  let seen = '';
  let key = '';
  const refresh = () => {
    const { mtimeMs, size, ino } = statSync(path);
    const version = `${mtimeMs}/${size}/${ino}`;
    if (version === seen) return;
    const fresh = readFileSync(path, 'utf8').trim();
    if (fresh === '') throw new Error('the file is empty');
    [seen, key] = [version, fresh];
  };
  refresh();
  return () => {
    try {
      refresh();
    } catch {
      // A rotation replaces the file in two steps on some systems; the old key is still the best one there is.
    }
    return key;
  };
}

/**
 * A variable that names a file. `take` gets the reader of the file's key, or reads it at once. What is wrong is said without the variable's value:
 * somebody may have put the key itself there.
 */
export const fromFile = <T>(take: (read: () => string) => T) =>
  z.string().transform((path, context) => {
    try {
      return take(keyFromFile(path.trim()));
    } catch (error) {
      context.addIssue({ code: 'custom', message: `cannot be read: ${reasonOf(error as NodeJS.ErrnoException)}` });
      return z.NEVER;
    }
  });

const reasons: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'this user may not read it', EISDIR: 'it is a folder' };
const reasonOf = ({ code, message }: NodeJS.ErrnoException): string => (code === undefined ? message : `${code}: ${reasons[code] ?? 'the system refuses it'}`);
