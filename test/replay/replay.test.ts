import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflows, quietRuntime } from '../support/workflow-runner';

const root = resolve(__dirname, '../..');
const folder = join(__dirname, 'histories');

/** A history as scripts/record-history.ts saves it. */
interface Recorded {
  workflowId: string;
  history: unknown;
}

const names = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
const recorded = async (name: string): Promise<Recorded> => JSON.parse(await readFile(join(folder, name), 'utf8')) as Recorded;
const replay = async (workflowBundle: WorkflowBundleWithSourceMap, name: string): Promise<void> => {
  const { workflowId, history } = await recorded(name);
  await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
};

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

/** Each history stays for ever, so that what runs in production can go on under new code. */
describe('replay of recorded histories', () => {
  beforeAll(quietRuntime);
  // A replay that was refused leaves the runtime running.
  afterAll(() => Runtime.instance().shutdown());

  test('there is one of each kind to replay', async () => {
    const jobs = ['plain', 'webhook', 'blocked', 'cancelled', 'split'];
    const expected = [...jobs.flatMap((kind) => [`${kind}-batch.json`, `${kind}-job.json`]), 'lowered-batch.json'];
    expect(await names()).toEqual(expect.arrayContaining(expected));
  });

  test('every recorded history replays under today\'s workflows', async () => {
    const workflowBundle = await bundleWorkflows();
    for (const name of await names()) await replay(workflowBundle, name);
  });

  test('a job whose stages changed their order does not replay', async () => {
    const workflowBundle = await alteredBundle('workflows/job.ts', (source) =>
      source.replace("await step(job, () => onRemote(job).complete.completeUploads(refOf(job)));", '').replace("showJob(job, 'archiving');", 'await step(job, () => onRemote(job).complete.completeUploads(refOf(job)));'),
    );
    await expect(replay(workflowBundle, 'plain-job.json')).rejects.toThrow(DeterminismViolationError);
  });

  test('a job that no longer cancels its remote job does not replay', async () => {
    const workflowBundle = await alteredBundle('workflows/job.ts', (source) => source.replace("showJob(job, 'cancelling');", "if (job.remote) return close(job, cancelled);"));
    await expect(replay(workflowBundle, 'cancelled-job.json')).rejects.toThrow(DeterminismViolationError);
  });

  test('a batch that finds its project before it plans does not replay', async () => {
    const workflowBundle = await alteredBundle('workflows/batch.ts', (source) => source.replace('input.skipProcessed ? await findProject(batch) : null', 'await findProject(batch)'));
    await expect(replay(workflowBundle, 'plain-batch.json')).rejects.toThrow(DeterminismViolationError);
  });
});
