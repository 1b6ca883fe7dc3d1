import { readFileSync, statSync } from 'node:fs';

/**
 * A reader of a key that lives in a file and may be rotated there: each call looks at the file's time and size and reads
 * it again when they changed. A file that vanishes for a moment, as during a rotation, leaves the last key in use.
 * @throws Error when the first read fails or the file is empty; the message holds the path and the system's error code
 */
export function keyFromFile(path: string): () => string {
  let seen = '';
  let key = '';
  const refresh = () => {
    const { mtimeMs, size, ino } = statSync(path);
    const version = `${mtimeMs}/${size}/${ino}`;
    if (version === seen) return;
    const fresh = readFileSync(path, 'utf8').trim();
    if (fresh === '') throw new Error(`${path} is empty`);
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
