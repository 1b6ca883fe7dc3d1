import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

const root = resolve(__dirname, '../..');

/** Writes scripts of ours as JavaScript into a folder, so that a process which runs one needs no loader: that would be most of its time. */
export async function transpile(names: readonly string[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const options = { swcrc: false, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } } as const;
  await Promise.all(names.map(async (name) => writeFile(join(folder, `${name}.js`), (await transformFile(join(root, `scripts/${name}.ts`), options)).code)));
}
