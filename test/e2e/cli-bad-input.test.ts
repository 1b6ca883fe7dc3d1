import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { doctor } from '../../src/cli/doctor';
import { start } from '../../src/cli/run';
import { status } from '../../src/cli/status';
import { batchWorkflowId } from '../../src/contract/messages';
import { answerOf, errorOf, runCli, type CliResult } from '../support/cli';
import { answerHere, runHere } from '../support/cli-output';
import { startCliStack, type CliStack } from '../support/cli-stack';

let stack: CliStack;
let source: string;
/** Nothing listens there. */
const nobody = '127.0.0.1:9';
let unanswered: Record<'temporal' | 'plangrep' | 'worker', Promise<CliResult>>;

beforeAll(async () => {
  stack = await startCliStack({ simulator: { projects: ['Quickstart', 'Harbour Tower', 'Harbor Annex'] } });
  source = await stack.documents('source', [1, 1]);
  // They take 15 s each, so they wait while the other tests run.
  const run = (args: string[], env: Record<string, string>) => runCli([...args, '--json'], { ...stack.env, ...env });
  unanswered = {
    temporal: run(['start', source], { TEMPORAL_ADDRESS: nobody }),
    plangrep: run(['start', source, '--id', 'unheard'], { PLANGREP_BASE_URL: `http://${nobody}` }),
    worker: run(['worker'], { TEMPORAL_ADDRESS: nobody }),
  };
});
afterAll(() => stack.stop());

/** Every workflow of the server; visibility may lag behind, so a batch that must not exist is also looked for by its id. */
const workflows = async (): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { workflowId } of stack.temporal.client.workflow.list()) ids.push(workflowId);
  return ids;
};
const exists = (id: string): Promise<boolean> =>
  stack.temporal.client.workflow.getHandle(batchWorkflowId(id)).describe().then(() => true, () => false);

/** Runs the command, sees that it exits with 1, and that nothing was started or created. */
async function refused(args: string[], env: Record<string, string> = {}, id = 'refused'): Promise<ReturnType<typeof errorOf>> {
  const [before, projects] = [await workflows(), stack.simulator.state.projects.size];
  const result = await runHere([...args, '--id', id, '--json'], { ...stack.env, ...env });
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 1, stderr: '' });
  expect(await workflows()).toEqual(before);
  expect(await exists(id)).toBe(false);
  expect(stack.simulator.state.projects.size).toBe(projects);
  expect(stack.simulator.state.jobs.size).toBe(0);
  return errorOf(result);
}

test('start refuses as run does', async () => expect(await refused(['start', source, '--project', 'nothing near'])).toMatchObject({ code: 'project_not_found' }));

describe('run refuses', () => {
  const command = 'run';

  it('a folder that does not exist', async () => expect(await refused([command, join(stack.folder, 'nowhere')])).toMatchObject({ code: 'source_missing' }));

  it('a folder without a matching file', async () => expect(await refused([command, source, '--include', '*.dwg'])).toMatchObject({ code: 'source_empty' }));

  it('a list with broken lines, and names them', async () => {
    const list = join(stack.folder, 'broken.jsonl');
    await writeFile(list, '{"path":"a.pdf"}\n{"path":5}\nno json\n');
    const { code, message } = await refused([command, list]);
    expect(code).toBe('list_broken');
    expect(message).toMatch(/line 2: .*line 3: /);
  });

  it('a wrong key', async () => {
    const { code, message } = await refused([command, source], { PLANGREP_API_KEY: 'pgk_sim_wrong' });
    expect(code).toBe('unauthorized');
    expect(message).not.toContain('pgk_sim_wrong');
  });

  it('an unknown project, and lists near names', async () => {
    const { code, message } = await refused([command, source, '--project', 'Harbor Tower']);
    expect(code).toBe('project_not_found');
    expect(message).toContain('"Harbour Tower"');
    expect(message).not.toContain('Quickstart');
  });

  it('a project that nobody named', async () => expect(await refused([command, source], { PLANGREP_PROJECT: '' })).toMatchObject({ code: 'configuration' }));

  it('an archive that cannot be written', async () => {
    const archive = join(stack.folder, 'source', 'part 0', 'sheet 0.pdf', 'archive');
    expect(await refused([command, source], { PLANGREP_ARCHIVE: archive })).toMatchObject({ code: 'archive_unavailable', fix: expect.any(String) as string });
  });

  it.each(['..', 'a/b'])('the id %s', async (id) => {
    const { code, message } = await refused([command, source], {}, id);
    expect(code).toBe('invalid_input');
    expect(message).toMatch(/^--id must have/);
  });

  it('flags out of bounds, all at once', async () => {
    const { message } = await refused([command, source, '--max-files', '101', '--priority', '6', '--classify', '**=drawings', '--max-concurrent-jobs', '0']);
    for (const flag of ['--max-files', '--priority', '--classify', '--max-concurrent-jobs']) expect(message).toContain(flag);
  });
});

it('an id in use by another input is refused, one of a terminated batch is free', async () => {
  expect(await answerHere(stack.env, (output) => start(source, { id: 'mine' }, output))).toMatchObject({ code: 0 });
  const other = await runHere(['run', source, '--id', 'mine', '--label', 'a=b', '--json'], stack.env);
  expect(other.code).toBe(1);
  expect(errorOf(other)).toMatchObject({ code: 'batch_id_in_use', fix: expect.stringContaining('watch mine') as string });
  await stack.temporal.client.workflow.getHandle(batchWorkflowId('mine')).terminate();
  expect(await answerHere(stack.env, (output) => start(source, { id: 'mine', label: ['a=b'] }, output))).toMatchObject({ code: 0 });
});

describe('start and status without a worker', () => {
  it('answer all the same', async () => {
    const started = await runCli(['start', source, '--id', 'lonely', '--json'], stack.env);
    expect(started.code).toBe(0);
    expect(answerOf(started)).toMatchObject({ type: 'summary', batchId: 'lonely', workflowId: 'batch/lonely', status: 'planning', gate: null, documents: 0, closedAt: null, error: null });
    const again = await runCli(['start', source, '--id', 'lonely'], stack.env);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('running already with this very input');
    const asked = await answerHere(stack.env, (output) => status('lonely', output));
    expect(asked.code).toBe(0);
    expect(answerOf(asked)).toMatchObject({ batchId: 'lonely', error: { code: 'no_worker' } });
  });

  it('status and watch know no batch that never was', async () => {
    for (const command of ['status', 'watch']) {
      const result = await runHere([command, 'never', '--json'], stack.env);
      expect(result.code).toBe(1);
      expect(errorOf(result).code).toBe('batch_not_found');
    }
  });
});

describe('who does not answer', () => {
  it.each([['temporal', 'temporal_unreachable'], ['worker', 'temporal_unreachable'], ['plangrep', 'plangrep_unreachable']] as const)('%s exits with 4 and is named', async (name, code) => {
    const result = await unanswered[name];
    expect(result.code).toBe(4);
    expect(errorOf(result)).toMatchObject({ code, message: expect.stringContaining(nobody) as string });
    expect(await exists('unheard')).toBe(false);
  });
});

describe('doctor', () => {
  const checksOf = (result: CliResult) => Object.fromEntries(answerOf<{ checks: { name: string; ok: boolean; message: string; fix: string | null }[] }>(result).checks.map((check) => [check.name, check]));

  it('says what is wrong and what to do', async () => {
    const result = await answerHere({ ...stack.env, PLANGREP_API_KEY: 'wrong', PLANGREP_SECRET_KEY: '', PLANGREP_ARCHIVE: '/proc/archive' }, (output) => doctor({}, output));
    expect(result.code).toBe(1);
    const checks = checksOf(result);
    expect(checks).toMatchObject({
      temporal: { ok: true },
      'search attributes': { ok: true },
      workers: { ok: false, fix: 'plangrep-batch worker' },
      key: { ok: false },
      'secret key': { ok: false, fix: expect.stringContaining('openssl') as string },
      archive: { ok: false },
    });
  });

  it('finds an unknown project and a configuration that cannot be read', async () => {
    expect(checksOf(await answerHere({ ...stack.env, PLANGREP_PROJECT: 'Quickstrat' }, (output) => doctor({}, output)))).toMatchObject({ project: { ok: false, message: expect.stringContaining('"Quickstart"') as string } });
    const broken = await answerHere({ ...stack.env, PLANGREP_BASE_URL: 'nonsense' }, (output) => doctor({}, output));
    expect(broken.code).toBe(1);
    expect(checksOf(broken)).toMatchObject({ configuration: { ok: false }, temporal: { ok: true } });
  });
});
