import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflows, quietRuntime } from '../support/workflow-runner';

const root = resolve(__dirname, '../..');
const folder = join(__dirname, 'histories');

/** Recorded histories by name; each stays for ever, so that what runs in production can go on under new code. */
async function histories(): Promise<{ name: string; history: unknown }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(names.map(async (name) => ({ name, history: JSON.parse(await readFile(join(folder, name), 'utf8')) as unknown })));
}

/** The workflows with one change, in a bundle of their own. */
async function alteredBundle(file: string, change: (source: string) => string) {
  const copy = await mkdtemp(join(root, '.altered-'));
  try {
    await cp(join(root, 'src'), join(copy, 'src'), { recursive: true });
    const path = join(copy, 'src', file);
    const source = await readFile(path, 'utf8');
    const altered = change(source);
    expect(altered).not.toBe(source);
    await writeFile(path, altered);
    return await bundleWorkflowCode({ workflowsPath: join(copy, 'src/workflows/index.ts'), logger: new DefaultLogger('ERROR') });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

describe('replay of recorded histories', () => {
  beforeAll(quietRuntime);

  test('there is a batch and a job to replay', async () => {
    expect((await histories()).map(({ name }) => name)).toEqual(expect.arrayContaining(['plain-batch.json', 'plain-job.json']));
  });

  test('every recorded history replays under today\'s workflows', async () => {
    const workflowBundle = await bundleWorkflows();
    for (const { name, history } of await histories()) {
      await expect(Worker.runReplayHistory({ workflowBundle }, history, name)).resolves.toBeUndefined();
    }
  });

  test('a job whose stages changed their order does not replay', async () => {
    const workflowBundle = await alteredBundle('workflows/job.ts', (source) =>
      source.replace('await activities.urgent.completeUploads(ref);', '').replace('await activities.archive.archiveJob(ref);', 'await activities.archive.archiveJob(ref);\n  await activities.urgent.completeUploads(ref);'),
    );
    const job = (await histories()).find(({ name }) => name === 'plain-job.json')!;
    await expect(Worker.runReplayHistory({ workflowBundle }, job.history, 'altered')).rejects.toThrow(DeterminismViolationError);
  });

  test('a batch that finds its project before it plans does not replay', async () => {
    const workflowBundle = await alteredBundle('workflows/batch.ts', (source) => source.replace('await plan(batch);', 'await findProject(batch);\n      await plan(batch);'));
    const batch = (await histories()).find(({ name }) => name === 'plain-batch.json')!;
    await expect(Worker.runReplayHistory({ workflowBundle }, batch.history, 'altered')).rejects.toThrow(DeterminismViolationError);
  });
});
