/** Ways to damage an archive by hand, and to cover it up. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestBodyText, manifestText } from '../../src/domain/manifest';
import { sha256 } from '../../src/store/digest';

/** Every file below a folder, relative to it. */
export async function filesBelow(folder: string): Promise<string[]> {
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
export async function coverUp(batchFolder: string): Promise<void> {
  const read = (path: string) => readFile(join(batchFolder, path));
  const plan = parseFile('plan.json', (await read('plan.json')).toString());
  const [planValue] = plan.values as [{ sha256: string }];
  await writeFile(join(batchFolder, 'plan.json'), plan.spell([{ ...planValue, sha256: sha256(await read('plan.jsonl')) }]));
  const { checksum: _, ...body } = JSON.parse((await read('manifest.json')).toString()) as { checksum: string; sha256: Record<string, string> };
  for (const path of Object.keys(body.sha256)) body.sha256[path] = sha256(await read(path));
  await writeFile(join(batchFolder, 'manifest.json'), manifestText(body, sha256(manifestBodyText(body))));
}
