import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { transpile } from '../support/transpiled';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-stages-'));
  await transpile(['run-tests', 'processes', 'system-tools', 'temporal-binaries', 'wheel'], join(folder, 'scripts'));
  await program('temporal', 'echo "temporal version 1.9.1"');
  await program('chromium', 'echo "Chromium 150.0.1 built on Debian"');
  // What jest leaves: numbers in the file that --outputFile names.
  await program('jest', `passed=$1 failed=$2; for flag in "$@"; do case $flag in --outputFile=*) echo "{\\"numPassedTests\\":$passed,\\"numFailedTests\\":$failed,\\"numRuntimeErrorTestSuites\\":0}" > "\${flag#--outputFile=}";; esac; done; exit $failed`);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(folder, name), 0o755);
}

async function start(scripts: Record<string, string>, stages: string[], more: Record<string, string> = {}) {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts }));
  const tools = { TEMPORAL_CLI_PATH: join(folder, 'temporal'), TEMPORAL_TEST_SERVER_PATH: join(folder, 'temporal') };
  const env = { ...process.env, ...tools, PLANGREP_API_KEY: 'pgk_foreign', TEMPORAL_ADDRESS: '127.0.0.1:1', CHROMIUM_PATH: join(folder, 'chromium'), CI: '', ...more };
  return spawn(process.execPath, ['scripts/run-tests.js', ...stages], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function run(scripts: Record<string, string>, stages: string[], env?: Record<string, string>): Promise<{ code: number; output: string }> {
  const child = await start(scripts, stages, env);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

const well = { lint: 'true', typecheck: 'true', build: 'true', 'test:replay': './jest 4 0', 'test:e2e': './jest 3 0' };
const stages = ['lint', 'build', 'replay', 'e2e'];

it('shows what stages say, the time of each, and one line that counts', async () => {
  const { code, output } = await run({ ...well, lint: 'echo linted' }, stages);
  expect(output).toContain('linted');
  expect(output).toMatch(/lint +ok +\d+\.\d s\nbuild +ok +\d+\.\d s\nreplay +ok +4 +\d+\.\d s\ne2e +ok +3 +\d+\.\d s\n/);
  expect(output.trim().split('\n').at(-1)).toBe('7 passed, 0 failed');
  expect(code).toBe(0);
});

it.each([
  ['failed tests', { 'test:replay': './jest 2 2' }, /replay +failed +4 /, '5 passed, 2 failed'],
  ['a stage that fails without a test', { lint: 'exit 1', 'test:replay': './jest 1 0' }, /lint +failed +1 /, '4 passed, 1 failed'],
  ['a test runner that dies', { 'test:replay': 'kill -9 $$' }, /replay +failed +1 /, '3 passed, 1 failed'],
])('goes on after %s, counts it, and fails', async (_, scripts, row, last) => {
  const { code, output } = await run({ ...well, ...scripts }, 'lint' in scripts ? stages : ['replay', 'e2e']);
  expect(output).toMatch(row);
  expect(output.trim().split('\n').at(-1)).toBe(last);
  expect(code).toBe(1);
});

it('does not run what needs a build that failed, and says so', async () => {
  const { code, output } = await run({ ...well, build: 'exit 2' }, ['build', 'e2e']);
  expect(output).toMatch(/e2e +not run /);
  expect(output).toContain('e2e was not run: the build failed.');
  expect(output.trim().split('\n').at(-1)).toBe('0 passed, 1 failed');
  expect(code).toBe(1);
});

it('hands its stages the programs it found, and nothing of the settings of the person who runs it', async () => {
  const { output } = await run({ ...well, 'test:e2e': 'env | grep -E "^(PLANGREP|TEMPORAL)_" | sort; echo "browser: $CHROMIUM_PATH"; ./jest 1 0' }, ['e2e']);
  expect(output.match(/^(PLANGREP|TEMPORAL)_.*$/gm)).toEqual([`TEMPORAL_CLI_PATH=${join(folder, 'temporal')}`, `TEMPORAL_TEST_SERVER_PATH=${join(folder, 'temporal')}`]);
  expect(output).toContain(`browser: ${join(folder, 'chromium')}\n`);
  expect(output).not.toContain('web UI');
});

it('runs two stages at the same time, and shows what they say one after the other', async () => {
  // Each waits for the other to have begun.
  const meet = (mine: string, other: string) => `echo ${mine} 1; touch ${mine}; while [ ! -e ${other} ]; do sleep 0.05; done; echo ${mine} 2`;
  const { code, output } = await run({ 'test:replay': `${meet('left', 'right')}; ./jest 4 0`, 'test:contract': `${meet('right', 'left')}; exit 3` }, ['replay', 'contract']);
  expect(output).toMatch(/── replay .*\nleft 1\nleft 2\n\n── contract .*\nright 1\nright 2\n/);
  expect(output).toMatch(/replay +ok +4 .*\ncontract +failed +1 /);
  expect(code).toBe(1);
});

describe('without a browser', () => {
  const missing = (): Record<string, string> => ({ CHROMIUM_PATH: join(folder, 'none') });
  const remark = (): string => `The web UI was not tested (test/e2e/web-ui.test.ts): that takes Chromium or Chrome; CHROMIUM_PATH names ${join(folder, 'none')}, which is none that runs.`;

  it('leaves out the one test that takes it, and says so in its last lines', async () => {
    await program('shown', 'echo "flags: $*"; exec ./jest 3 0 "$@"');
    const { code, output } = await run({ ...well, 'test:e2e': './shown' }, ['replay', 'e2e'], missing());
    expect(output).toMatch(/^flags: .* --testPathIgnorePatterns=\/e2e\/web-ui$/m);
    expect(output.trim().split('\n').slice(-3)).toEqual([remark(), '', '7 passed, 0 failed']);
    expect(code).toBe(0);
  });

  it('fails in CI, where it is always there', async () => {
    const { code, output } = await run(well, ['replay', 'e2e'], { ...missing(), CI: 'true' });
    expect(output).toMatch(/browser +failed +1 /);
    expect(output.trim().split('\n').slice(-3)).toEqual([remark(), '', '7 passed, 1 failed']);
    expect(code).toBe(1);
  });
});

it('names the stages when it does not know one', async () => {
  const { code, output } = await run(well, ['lint', 'speed']);
  expect(output).toBe('error: no stage speed; there are: lint, typecheck, build, audit, unit, workflow, replay, contract, e2e\n');
  expect(code).toBe(1);
});

it('ends the running stage on Ctrl-C', async () => {
  const child = await start({ ...well, lint: 'echo $$ > pid; sleep 60 & wait' }, ['lint']);
  const exited = once(child, 'exit');
  let pid = '';
  while (pid === '') {
    await pause(20);
    pid = (await readFile(join(folder, 'pid'), 'utf8').catch(() => '')).trim();
  }
  child.kill('SIGINT');
  expect(await exited).toEqual([130, null]);
  expect(() => process.kill(-Number(pid), 0)).toThrow('ESRCH');
});
