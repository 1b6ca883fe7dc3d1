import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Python tools that scripts and tests use. */
export type PythonTool = 'schemathesis' | 'pikepdf' | 'reportlab';

// Newest first: the first whose Python is not newer than the one at hand. All of them and what they need exist as wheels.
const pins: Record<PythonTool, readonly { python: readonly [number, number]; version: string }[]> = {
  schemathesis: [
    { python: [3, 11], version: '4.32.5' },
    { python: [3, 9], version: '4.4.4' },
  ],
  pikepdf: [{ python: [3, 9], version: '9.11.0' }],
  reportlab: [{ python: [3, 9], version: '5.1.0' }],
};

/** A Python that can import the tools asked for. */
export interface PythonTools {
  /** The interpreter to run, e.g. with `-m schemathesis.cli`. */
  python: string;
  /** The process's environment with `PYTHONPATH` set; pass it as a whole. */
  env: NodeJS.ProcessEnv;
}

/** Where the tools are kept, below the project's folder; git-ignored. */
export const pythonFolder = join(dirname(__dirname), '.cache', 'python');

/**
 * Makes the pinned tools importable, without root and without a virtual environment: each goes into a folder of its own below
 * {@link pythonFolder} that appears whole or not at all, so it can be repeated, interrupted, and run by several at once.
 *
 * @throws Error that says what was tried and what to do when there is no Python 3.9 or later with pip, or pip fails
 */
export async function ensurePythonTools(names: readonly PythonTool[], folder = pythonFolder): Promise<PythonTools> {
  const found = await findPython();
  const paths: string[] = [];
  for (const name of names) paths.push(await ensureTool(found, name, folder));
  return { python: found.command, env: { ...process.env, PYTHONPATH: paths.join(delimiter), PYTHONDONTWRITEBYTECODE: '1' } };
}

interface FoundPython {
  command: string;
  minor: number;
  /** Wheels depend on all of these, so folders are named by them. */
  tag: string;
}

async function findPython(): Promise<FoundPython> {
  const tried: string[] = [];
  for (const command of ['python3', 'python']) {
    try {
      const program = 'import sys,platform;print(sys.version_info[0],sys.version_info[1],sys.platform,platform.machine())';
      const { stdout } = await run(command, ['-c', program]);
      const [major, minor, ...platform] = stdout.trim().split(' ');
      if (Number(major) === 3 && Number(minor) >= 9) {
        return { command, minor: Number(minor), tag: `py${major}.${minor}-${platform.join('-')}` };
      }
      tried.push(`${command} is Python ${major}.${minor}`);
    } catch (error) {
      tried.push(`${command}: ${reasonOf(error)}`);
    }
  }
  throw new Error(`No Python 3.9 or later was found (${tried.join('; ')}). Install python3 with pip, and put it on the PATH.`);
}

async function ensureTool(found: FoundPython, name: PythonTool, folder: string): Promise<string> {
  const pin = pins[name].find((candidate) => candidate.python[1] <= found.minor);
  const requirement = `${name}==${pin?.version}`;
  const target = join(folder, `${name}-${pin?.version}-${found.tag}`);
  if (await exists(target)) return target;
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, 'installing.tmp-'));
  try {
    await install(found.command, requirement, unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Someone else was faster: rename does not replace a folder with something in it.
    if (!(await exists(target))) throw error;
  }
  return target;
}

async function install(python: string, requirement: string, target: string): Promise<void> {
  const args = ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-warn-script-location', '--disable-pip-version-check'];
  args.push('--no-compile', '--only-binary', ':all:', '--target', target, requirement);
  // The user's own pip settings (index, certificates) hold, except those that exclude --target.
  const env = { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0' };
  try {
    await run(python, args, { env, maxBuffer: 64 * 2 ** 20 });
  } catch (error) {
    throw new Error(
      `Tried "${python} ${args.join(' ')}": ${reasonOf(error)}\n` +
        `Install pip for this Python (Debian: apt-get install python3-pip) and check that it reaches its package index, then try again.`,
      { cause: error },
    );
  }
}

function reasonOf(error: unknown): string {
  const { code, stderr, message } = error as { code?: string | number; stderr?: string; message: string };
  if (code === 'ENOENT') return 'not found';
  const lines = (stderr ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('WARNING'));
  return lines.length > 0 ? lines.slice(-3).join(' ') : message;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
