import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Processes } from '../../scripts/processes';
import { transpile } from '../support/transpiled';

/** Whether a process runs; a zombie that nobody has collected yet does not. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits for a process to be gone; the test's time limit bounds it. */
async function gone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1);
  while (runs(pid)) await pause(20);
}

/** The first line that a child prints. */
async function firstLine(stream: NodeJS.ReadableStream | null): Promise<string> {
  const [chunk] = (await once(stream!, 'data')) as [Buffer];
  return chunk.toString().trim();
}

it('keeps output and exit code of a captured run', async () => {
  const processes = new Processes();
  expect(await processes.capture('sh', ['-c', 'echo out; echo err >&2; exit 3'], { timeoutMs: 10_000 })).toEqual({
    code: 3, signal: null, stdout: 'out\n', stderr: 'err\n', timedOut: false,
  });
  await processes.stop();
});

it('rejects when the program is not there', async () => {
  const processes = new Processes();
  await expect(processes.capture('/nowhere/program', [], { timeoutMs: 10_000 })).rejects.toThrow('ENOENT');
  await processes.stop();
});

it('kills the whole group of a run past its time', async () => {
  const processes = new Processes();
  const { stdout, timedOut } = await processes.capture('sh', ['-c', 'sleep 60 & echo $!; wait'], { timeoutMs: 300 });
  expect(timedOut).toBe(true);
  await gone(Number(stdout));
  await processes.stop();
});

it('stops what children started, also when they do not listen, and starts nothing more', async () => {
  const processes = new Processes(200);
  const child = processes.start('deaf', 'sh', ['-c', `trap '' TERM; sleep 60 & echo $!; wait; wait`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const grandchild = Number(await firstLine(child.process.stdout));
  await processes.stop();
  expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  await gone(grandchild);
  expect(() => processes.start('late', 'true', [])).toThrow('late was not started: the script is stopping');
});

it('stops the last started first', async () => {
  const processes = new Processes();
  const order: string[] = [];
  for (const name of ['server', 'worker']) {
    const child = processes.start(name, 'sh', ['-c', `trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done`], { stdio: ['ignore', 'pipe', 'ignore'] });
    await firstLine(child.process.stdout);
    void child.ended.then(() => order.push(name));
  }
  await processes.stop();
  expect(order).toEqual(['worker', 'server']);
});

describe('a script', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plangrep-processes-'));
    await transpile(['processes'], folder);
    await writeFile(
      join(folder, 'script.js'),
      `const { interruption, Processes } = require('./processes');
const processes = new Processes();
const interrupted = interruption(processes);
const child = processes.start('child', 'sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
// The number comes through the script, so that whoever reads it knows that the child has been started altogether.
child.process.stdout.pipe(process.stdout);
interrupted.addEventListener('abort', () => void processes.stop().then(() => process.exit(interrupted.reason)));
if (process.argv[2] === 'crash') setTimeout(() => { throw new Error('a bug'); }, 300);
setInterval(() => child, 1000);
`,
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = (...args: string[]) => spawn(process.execPath, [join(folder, 'script.js'), ...args], { stdio: ['ignore', 'pipe', 'ignore'] });

  it.each([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const)('ends everything on %s', async (signal, exitCode) => {
    const script = run();
    const grandchild = Number(await firstLine(script.stdout));
    script.kill(signal);
    expect(await once(script, 'exit')).toEqual([exitCode, null]);
    await gone(grandchild);
  });

  it('leaves nothing running when it is killed', async () => {
    const script = run();
    const grandchild = Number(await firstLine(script.stdout));
    script.kill('SIGKILL');
    await gone(grandchild);
  });

  it('leaves nothing running when it crashes', async () => {
    const script = run('crash');
    const grandchild = Number(await firstLine(script.stdout));
    await once(script, 'exit');
    await gone(grandchild);
  });
});
