import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The licences of the packages whose code a bundle holds, by its inline source map: who hands the bundle on hands on their code.
 * @throws Error for a bundle without a source map, or a package without a licence file
 */
export async function bundledLicences(code: string, root: string): Promise<string> {
  const names = new Set(sourcesOf(code).flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  const parts = await Promise.all([...names].sort().map((name) => licenceOf(name, root)));
  return `The workflow bundle holds code of these packages.\n${parts.map((part) => `\n${part}`).join('')}`;
}

function sourcesOf(code: string): string[] {
  const [, map] = /sourceMappingURL=data:application\/json;[^,]*base64,([A-Za-z0-9+/=]+)/.exec(code) ?? [];
  if (map === undefined) throw new Error('The workflow bundle has no source map, which says what it holds');
  return (JSON.parse(Buffer.from(map, 'base64').toString()) as { sources: string[] }).sources;
}

async function licenceOf(name: string, root: string): Promise<string> {
  const folder = join(root, 'node_modules', name);
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} is in the workflow bundle and has no licence file`);
  return `## ${name} ${version}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`;
}
