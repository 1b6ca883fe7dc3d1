import { appendFile, copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { doctor } from '../../src/cli/doctor';
import type { Output } from '../../src/cli/output';
import { plan } from '../../src/cli/plan';
import { run, start } from '../../src/cli/run';
import { list, status, watch } from '../../src/cli/status';
import { verify } from '../../src/cli/verify';
import { batchWorkflowId } from '../../src/contract/messages';
import { answerOf, errorOf, runCli, startCli } from '../support/cli';
import { answerHere, runHere } from '../support/cli-output';
import { startCliStack, type CliStack } from '../support/cli-stack';

let stack: CliStack;
let source: string;

beforeAll(async () => {
  stack = await startCliStack();
  source = await stack.documents('source', [1, 2, 3, 1]);
});
afterAll(() => stack.stop());

/** What has to be seen from outside runs as a process; other commands run in this one. */
const here = (command: (output: Output) => Promise<number>) => answerHere(stack.env, command);
const refused = async (...args: string[]) => {
  const result = await runHere([...args, '--json'], stack.env);
  expect(result.code).toBe(1);
  return errorOf(result);
};
const escape = String.fromCharCode(27);

/** Keeps batches from getting on until the faults are cleared; they then go on within a second. */
const holdBack = () => stack.simulator.state.faults.add({ kind: 'request', operation: 'createJob', status: 503, headers: { 'retry-after': '1' }, times: 0 });

test('run without a worker says how to start one, waits for it, and ends well', async () => {
  const first = startCli(['run', source, '--id', 'first', '--max-files', '2', '--label', 'owner=ann'], stack.env);
  await first.seen(/plangrep-batch worker/);
  expect(first.output.stderr).toContain('No worker polls plangrep-batch, plangrep-api, plangrep-transfer, plangrep-archive.');
  await stack.startWorker();
  const { code, stdout, stderr } = await first.ended;
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^Batch first: completed\n/);
  expect(stdout).toContain('4 of 4 done: 4 processed');
  expect(stdout).toContain(stack.archive);
  // Under a pipe the progress is plain lines.
  expect(stderr).toContain('Started batch first.\n');
  expect(stderr).toMatch(/^completed: 4 of 4 documents \(100 %\), jobs: 2 done, 0 open$/m);
  expect(stderr + stdout).not.toContain(escape);
});

describe('the batch afterwards', () => {
  it('is complete in the archive, which needs neither Temporal nor a key', async () => {
    const result = await runCli(['verify', 'first', '--json'], { PLANGREP_ARCHIVE: stack.archive });
    expect({ code: result.code, ...answerOf(result) }).toMatchObject({ code: 0, batchId: 'first', ok: true, documents: 4, problems: [] });
  });

  it('has a status and a place in the list', async () => {
    const asked = await here((output) => status('first', output));
    expect({ code: asked.code, ...answerOf(asked) }).toMatchObject({
      code: 0, type: 'summary', batchId: 'first', workflowId: 'batch/first', status: 'completed', gate: null, documents: 4, documentsDone: 4, counts: { processed: 4 },
      jobs: { planned: 2, open: 0, done: 2 }, pages: 7, nextExpiresAt: null, closedAt: expect.any(String) as string, archive: stack.archive, error: null,
    });
    const listed = await here((output) => list({}, output));
    expect(listed.code).toBe(0);
    expect(answerOf<{ batches: object[] }>(listed).batches).toContainEqual(expect.objectContaining({ batchId: 'first', documents: 4, documentsDone: 4 }));
  });

  it('keeps its id: a run and a start are refused', async () => {
    for (const command of ['run', 'start']) expect(await refused(command, source, '--id', 'first')).toMatchObject({ code: 'batch_id_finished' });
  });

  it('keeps it even when Temporal has forgotten the batch', async () => {
    const [before, forgotten] = ['first', 'forgotten'].map((id) => join(stack.archive, 'batches', id));
    await mkdir(forgotten!, { recursive: true });
    await copyFile(join(before!, 'manifest.json'), join(forgotten!, 'manifest.json'));
    expect(await refused('run', source, '--id', 'forgotten')).toMatchObject({ code: 'batch_id_finished' });
  });

  it('is found damaged by verify when it is, with exit code 2', async () => {
    const [job] = await readdir(join(stack.archive, 'batches', 'first', 'jobs'));
    await appendFile(join(stack.archive, 'batches', 'first', 'jobs', job!, 'result.json'), ' ');
    const result = await answerHere({}, (output) => verify('first', { archive: stack.archive }, output));
    expect(result.code).toBe(2);
    expect(answerOf<{ ok: boolean; problems: { path: string }[] }>(result)).toMatchObject({ ok: false, problems: expect.arrayContaining([expect.objectContaining({ path: expect.stringContaining('result.json') as string })]) as object[] });
  });
});

test('--json gives progress lines and the summary, and nothing else on standard output', async () => {
  const result = await runCli(['run', source, '--id', 'json', '--json'], stack.env);
  expect(result.code).toBe(0);
  const lines = result.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  const summary = lines.pop();
  expect(summary).toMatchObject({ type: 'summary', batchId: 'json', status: 'completed', counts: { processed: 4 } });
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(Object.keys(line)).toEqual(['type', 'at', 'status', 'documentsDone', 'documents', 'jobs']);
  expect(lines.at(-1)).toMatchObject({ type: 'progress', status: 'completed', documentsDone: 4, documents: 4 });
});

describe('under a pseudo-terminal', () => {
  const onTerminal = (...args: string[]) => startCli(args, { ...stack.env, TERM: 'xterm' }, { terminal: true });

  it('run draws a bar that ends full, and shows the cursor again', async () => {
    const { code, stdout: screen } = await onTerminal('run', source, '--id', 'terminal').ended;
    expect(code).toBe(0);
    expect(screen).toContain('█');
    expect(screen).toContain(`${'█'.repeat(30)} completed: 4 of 4 documents (100 %)`);
    expect(screen.lastIndexOf(`${escape}[?25h`)).toBeGreaterThan(screen.lastIndexOf(`${escape}[?25l`));
    expect(screen).toMatch(/Batch terminal: completed/);
  });

  it('Ctrl-C in run leaves the batch running, says so, and exits with 130', async () => {
    const slow = await stack.documents('slow', [1]);
    stack.simulator.state.faults.add({ kind: 'request', operation: 'createJob', status: 503, times: 2 });
    const terminal = onTerminal('run', slow, '--id', 'interrupted');
    await terminal.seen(/Started batch interrupted/);
    await terminal.seen(/planning|running/);
    terminal.child.kill('SIGINT');
    const { code, stdout: screen } = await terminal.ended;
    expect(code).toBe(130);
    expect(screen).toContain('Batch interrupted goes on without this command. See it again: plangrep-batch watch interrupted');
    const watched = await here((output) => watch('interrupted', output));
    expect({ code: watched.code, ...answerOf(watched) }).toMatchObject({ code: 0, type: 'summary', status: 'completed', counts: { processed: 1 } });
  });
});

test('run of a running batch with its very input attaches, start says so, another input is refused', async () => {
  const folder = await stack.documents('twice', [1, 1]);
  holdBack();
  const started = await here((output) => start(folder, { id: 'twice' }, output));
  expect(answerOf(started)).toMatchObject({ batchId: 'twice', closedAt: null });
  const attached = startCli(['run', folder, '--id', 'twice'], stack.env);
  await attached.seen(/Batch twice is running already with this very input; following it/);
  const again = await answerHere(stack.env, (output) => start(folder, { id: 'twice' }, output), false);
  expect({ code: again.code, said: again.stdout.split('\n')[0] }).toEqual({ code: 0, said: 'Batch twice is running already with this very input.' });
  expect(await refused('run', folder, '--id', 'twice', '--max-files', '1')).toMatchObject({ code: 'batch_id_in_use' });
  stack.simulator.state.faults.clear();
  expect(await attached.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Batch twice: completed') as string });
});

test('a document over every limit is rejected, not an error: exit code 3', async () => {
  const folder = await stack.documents('over', [1, 5]);
  const result = await here((output) => run(folder, { id: 'over', maxPages: 2 }, output));
  expect({ code: result.code, ...answerOf(result) }).toMatchObject({ code: 3, status: 'completed_with_errors', documents: 2, documentsDone: 2, counts: { processed: 1, rejected: 1 } });
  expect((await answerHere({}, (output) => verify('over', { archive: stack.archive }, output))).code).toBe(0);
  const planned = await answerHere({}, (output) => plan(folder, { maxPages: 2 }, output));
  expect({ code: planned.code, ...answerOf(planned) }).toMatchObject({
    code: 0, documents: 2, rejected: 1, duplicates: 0, jobs: 1, lowerBoundJobs: 1, pages: 1, credits: { min: 1, max: 10 }, rejections: [{ reason: { code: 'too_many_pages' } }],
  });
});

test('a terminated batch is a failed one: exit code 2', async () => {
  const folder = await stack.documents('terminated', [1]);
  holdBack();
  const watched = startCli(['run', folder, '--id', 'terminated'], stack.env);
  await watched.seen(/Started batch terminated/);
  await stack.temporal.client.workflow.getHandle(batchWorkflowId('terminated')).terminate('by hand');
  stack.simulator.state.faults.clear();
  expect(await watched.ended).toMatchObject({ code: 2, stdout: expect.stringContaining('terminated') as string });
});

test('doctor has nothing to say', async () => {
  const result = await here((output) => doctor({}, output));
  expect({ code: result.code, ...answerOf(result) }).toMatchObject({ code: 0, ok: true });
});
