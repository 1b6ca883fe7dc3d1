/** Ways to damage an archive by hand, and to cover it up. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { manifestBodyText, manifestText } from '../../src/domain/manifest';
import { NotFoundError, type Store, type StoredObject } from '../../src/store';
import { sha256 } from '../../src/store/digest';

/** Every file below a folder, relative to it. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

/** Every folder below a folder and itself, relative to it. */
export async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return ['', ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))].sort();
}

/** Places of all numbers in a value, as paths. */
export function numbersIn(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value === 'number') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(inner, [...path, Array.isArray(value) ? Number(key) : key]));
}

/** The same value with one number raised by one. */
export function raised<T>(value: T, path: (string | number)[]): T {
  const copy = structuredClone(value);
  const last = path.at(-1)!;
  const holder = path.slice(0, -1).reduce<unknown>((inner, key) => (inner as Record<string | number, unknown>)[key], copy) as Record<string | number, number>;
  holder[last]! += 1;
  return copy;
}

/** A JSON or JSON Lines file as its values, one for JSON, and back in the same spelling. */
export function parseFile(path: string, text: string): { values: unknown[]; spell: (values: unknown[]) => string } {
  if (path.endsWith('.jsonl')) {
    return { values: text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as unknown), spell: (values) => values.map((value) => `${JSON.stringify(value)}\n`).join('') };
  }
  const isPretty = text.includes('\n ');
  return { values: [JSON.parse(text)], spell: ([value]) => (isPretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value)) };
}

/** Makes every recorded hash fit the files as they are now: what someone would do who wants to hide a change. */
export function coverUp(files: Map<string, Buffer>): Map<string, Buffer> {
  const covered = new Map(files);
  const plan = parseFile('plan.json', covered.get('plan.json')!.toString());
  const [planValue] = plan.values as [{ sha256: string }];
  covered.set('plan.json', Buffer.from(plan.spell([{ ...planValue, sha256: sha256(covered.get('plan.jsonl')!) }])));
  const { checksum: _, ...body } = JSON.parse(covered.get('manifest.json')!.toString()) as { checksum: string; sha256: Record<string, string> };
  for (const path of Object.keys(body.sha256)) body.sha256[path] = sha256(covered.get(path)!);
  return covered.set('manifest.json', Buffer.from(manifestText(body, sha256(manifestBodyText(body)))));
}

/** Every file below a folder with its bytes. */
export async function readFiles(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const path of await filesBelow(folder)) files.set(path, await readFile(join(folder, path)));
  return files;
}

/** A store that holds these files below a prefix and cannot be written: thousands of changes are looked at without touching a disk. */
export function storeOf(files: Map<string, Buffer>, prefix: string): Store {
  const find = (key: string) => files.get(key.slice(prefix.length + 1));
  const refuse = () => Promise.reject(new Error('this store is read only'));
  const keys = [...files.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map((path) => `${prefix}/${path}`);
  const describe = (key: string): StoredObject => ({ key, sizeBytes: find(key)!.length, version: '' });
  return {
    location: 'memory',
    list: (below) => Readable.from(keys.filter((key) => key.startsWith(`${below}/`)).map(describe)),
    openRead: (key, range = { start: 0 }) => {
      const bytes = find(key);
      return bytes ? Promise.resolve(Readable.from([bytes.subarray(range.start, (range.end ?? Infinity) + 1)], { objectMode: false })) : Promise.reject(new NotFoundError(key));
    },
    stat: (key) => Promise.resolve(find(key) ? describe(key) : null),
    write: refuse,
    createIfAbsent: refuse,
    replaceIf: refuse,
    remove: refuse,
    removeAll: refuse,
  };
}
