import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const root = resolve(__dirname, '../..');
/** What workflows are made of. */
const parts = ['contract', 'domain', 'workflows'];

/** Text in a file of `src/workflows`, and what stands there instead. */
export interface Alteration {
  file: string;
  from: string;
  to: string;
}

/** A copy of the workflows with other text in some places, in a new folder of `parent`. @throws Error when a text is not there exactly once */
async function copyAltered(parent: string, name: string, alterations: Alteration[]): Promise<string> {
  const folder = join(parent, name);
  await Promise.all(parts.map((part) => cp(join(root, 'src', part), join(folder, part), { recursive: true })));
  for (const { file, from, to } of alterations) {
    const path = join(folder, 'workflows', file);
    const source = await readFile(path, 'utf8');
    const times = source.split(from).length - 1;
    if (times !== 1) throw new Error(`src/workflows/${file} has this ${times} times instead of once: ${from}`);
    await writeFile(path, source.replace(from, () => to));
  }
  return join(folder, 'workflows/index.ts');
}

/** Gives `use` a folder, below the root so that packages are found, and removes it. */
async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(root, '.altered-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Calls `use` with the path of altered workflows. */
export const withAltered = <T>(alterations: Alteration[], use: (workflowsPath: string) => Promise<T>): Promise<T> =>
  inFolder(async (folder) => use(await copyAltered(folder, 'all', alterations)));

const bundle = (workflowsPath: string): Promise<WorkflowBundleWithSourceMap> => bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });

/** Altered workflows in a bundle. */
export const alteredBundle = (alterations: Alteration[]): Promise<WorkflowBundleWithSourceMap> => withAltered(alterations, bundle);

/** Many altered workflows in one bundle, which takes hardly longer than one: those of the third are `batchWorkflow2` and `jobWorkflow2`. */
export const alteredVariants = (variants: Alteration[][]): Promise<WorkflowBundleWithSourceMap> =>
  inFolder(async (folder) => {
    const copies = await Promise.all(variants.map((alterations, number) => copyAltered(folder, String(number), alterations)));
    const lines = copies.map((path, number) => `export { batchWorkflow as batchWorkflow${number}, jobWorkflow as jobWorkflow${number} } from '${path.replace(/\.ts$/, '')}';`);
    const index = join(folder, 'index.ts');
    await writeFile(index, lines.join('\n'));
    return bundle(index);
  });
