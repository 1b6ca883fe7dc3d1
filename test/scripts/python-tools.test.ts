import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transpile } from '../support/transpiled';

const run = promisify(execFile);
let scripts = '';
let folder = '';

beforeAll(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'python-tools-'));
  await transpile(['python-tools'], scripts);
});
afterAll(() => rm(scripts, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'python-tools-'));
  await mkdir(join(folder, 'bin'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Puts a program of this name on the PATH, which holds nothing else. */
async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'bin', name), 0o755);
}

// Answers for its version; as pip it writes down how it was called and "installs" one file into the folder after --target.
const goodPython = `
case "$1" in -c) echo "3 11 linux x86_64"; exit 0;; esac
echo "$@" >> "${'$'}CALLS"
while [ "$1" != --target ]; do shift; done
echo installed > "$2/tool.py"
echo noise; echo "WARNING: noise" >&2`;

/** Asks for the tools in a process of its own, since the PATH is the process's. */
async function ensure(...names: string[]): Promise<{ stdout: string; stderr: string }> {
  const code = `require('./python-tools').ensurePythonTools(${JSON.stringify(names)}, process.env.TOOLS)
    .then(({ python, env }) => console.log(JSON.stringify([python, env.PYTHONPATH])), (error) => { console.error(error.message); process.exitCode = 1; })`;
  const env = { PATH: join(folder, 'bin'), CALLS: join(folder, 'calls'), TOOLS: join(folder, 'tools') };
  return run(process.execPath, ['--eval', code], { cwd: scripts, env });
}

test('installs each tool once, pinned, as wheels, and quietly', async () => {
  await program('python3', goodPython);
  const first = await ensure('pikepdf', 'reportlab');
  const folders = ['pikepdf-9.11.0-py3.11-linux-x86_64', 'reportlab-5.1.0-py3.11-linux-x86_64'];
  expect(first).toEqual({ stdout: `${JSON.stringify(['python3', folders.map((name) => join(folder, 'tools', name)).join(':')])}\n`, stderr: '' });
  expect(await ensure('pikepdf', 'reportlab')).toEqual(first);
  expect((await readdir(join(folder, 'tools'))).sort()).toEqual(folders);
  const calls = (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n');
  expect(calls).toHaveLength(2);
  expect(calls[0]).toMatch(/-m pip install .*--only-binary :all: .*pikepdf==9\.11\.0$/);
});

test('several at once leave one whole folder', async () => {
  await program('python3', goodPython);
  const answers = await Promise.all([ensure('reportlab'), ensure('reportlab'), ensure('reportlab')]);
  expect(new Set(answers.map((answer) => answer.stdout)).size).toBe(1);
  expect(await readdir(join(folder, 'tools'))).toEqual(['reportlab-5.1.0-py3.11-linux-x86_64']);
});

test('an older Python gets the version made for it', async () => {
  await program('python3', goodPython.replace('3 11', '3 9'));
  await ensure('schemathesis');
  expect(await readdir(join(folder, 'tools'))).toEqual(['schemathesis-4.4.4-py3.9-linux-x86_64']);
});

test('without a Python that will do, the error names what was tried', async () => {
  await program('python3', 'echo "3 6 linux x86_64"');
  await expect(ensure('pikepdf')).rejects.toMatchObject({
    code: 1,
    stderr: 'No Python 3.9 or later was found (python3 is Python 3.6; python: not found). Install python3 with pip, and put it on the PATH.\n',
  });
});

test('without pip, the error says what was run, what came back and what to do; nothing is left behind', async () => {
  await program('python3', 'case "$1" in -c) echo "3 12 linux x86_64"; exit 0;; esac\necho "No module named pip" >&2; exit 1');
  await expect(ensure('pikepdf')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Tried "python3 -m pip install .*pikepdf==9\.11\.0": No module named pip\nInstall pip for this Python/) as string,
  });
  expect(await readdir(join(folder, 'tools'))).toEqual([]);
});
