import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
let folder: string;
let bin: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-prepare-'));
  bin = join(folder, 'bin');
  for (const part of ['bin', 'project/src', 'project/scripts', 'project/lib', 'project/node_modules']) await mkdir(join(folder, part), { recursive: true });
  for (const file of ['prepare.bash', 'installed.js', 'bundle-workflows.ts']) await cp(join(root, 'scripts', file), join(folder, 'project/scripts', file));
  for (const file of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json']) await cp(join(root, file), join(folder, 'project', file));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}

/** Runs one of the functions in a copy of the project, where programs of `bin` go before the system's. */
function run(call: string, path = `${bin}:${process.env.PATH}`): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['--norc', '-c', `set -euo pipefail; . scripts/prepare.bash; ${call}`], {
    cwd: join(folder, 'project'), env: { PATH: path }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status, output: stdout + stderr };
}

const installed = (): Promise<void> => cp(join(root, 'node_modules/.package-lock.json'), join(folder, 'project/node_modules/.package-lock.json'));

it.each([
  ['18.20.8', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['21.0.0', true],
  ['26.1.0', true],
])('Node %s: fits %s', async (version, fits) => {
  // The version is told by a real Node, to a check that reads its own.
  await program('node', `[ "$1" = --version ] && echo v${version} && exit\nexec "${process.execPath}" -e "Object.defineProperty(process.versions, 'node', { value: '${version}' }); $2"`);
  await program('npm', 'true');
  const { status, output } = run('need_node');
  expect({ status, output }).toEqual({
    status: fits ? 0 : 1,
    output: fits ? '' : `error: Node 20.19 or later is needed; ${bin}/node is v${version}. Get a newer one from https://nodejs.org or your package manager.\n`,
  });
});

it('says what to do when there is no Node, or no npm', async () => {
  expect(run('need_node', bin).output).toBe('error: Node 20.19 or later is needed and "node" is not on PATH. Get it from https://nodejs.org or your package manager.\n');
  await program('node', 'true');
  expect(run('need_node', bin).output).toBe('error: npm is needed and "npm" is not on PATH. It comes with Node: https://nodejs.org\n');
});

it('installs when something is missing, and only then', async () => {
  await program('npm', 'echo "npm $*" >> ../calls');
  expect(run('install_packages')).toEqual({ status: 0, output: expect.stringMatching(/^Installing packages \.\.\. \d+ s\n$/) });
  await installed();
  expect(run('install_packages')).toEqual({ status: 0, output: '' });
  await writeFile(join(folder, 'project/package-lock.json'), JSON.stringify({ packages: { '': {}, 'node_modules/undici': { version: '0.0.1' } } }));
  expect(run('install_packages').output).toContain('Installing packages');
});

it('shows what a failed step said', async () => {
  await program('npm', 'echo "ERR no network" >&2; exit 7');
  const { status, output } = run('install_packages');
  expect(status).toBe(1);
  expect(output).toMatch(/^Installing packages \.\.\. failed\nERR no network\nerror: "npm ci .*" failed; what it said is above and in \.cache\/install\.log\n$/);
});

it('builds when a source is newer than the build, or was removed, and only then', async () => {
  // Dated back, because times of files are coarse, and what follows comes at once.
  await program('npm', ': > lib/workflow-bundle.js; find . -exec touch -d "2 minutes ago" {} +; touch -d "1 minute ago" lib/workflow-bundle.js');
  await writeFile(join(folder, 'project/src/a.ts'), '');
  expect(run('build_when_changed').output).toMatch(/^Building \.\.\. \d+ s\n$/);
  expect(run('build_when_changed').output).toBe('');
  await writeFile(join(folder, 'project/src/a.ts'), 'changed');
  expect(run('build_when_changed').output).toContain('Building');
  await rm(join(folder, 'project/src/a.ts'));
  expect(run('build_when_changed').output).toContain('Building');
  expect(run('build_when_changed').output).toBe('');
});
