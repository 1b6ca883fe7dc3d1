import { execFile } from 'node:child_process';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Finds `pdfinfo` (poppler-utils), which tests compare page counts with; installs it with apt-get when this is Debian or a relative of
 * it and we are root. Can be repeated.
 *
 * @returns the version, or null when it is not there and cannot be installed: the recorded expectations do without it
 */
export async function ensurePdfinfo(): Promise<string | null> {
  const found = await pdfinfoVersion();
  if (found !== null || !(await install('poppler-utils'))) return found;
  return pdfinfoVersion();
}

async function pdfinfoVersion(): Promise<string | null> {
  // It writes its version to the error stream.
  return /version (\S+)/.exec((await outputOf('pdfinfo', '-v')) ?? '')?.[1] ?? null;
}

/** Names under which systems have a browser that tests can drive. */
const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * Finds Chromium or Chrome, with which tests look at the web UI: the program that `CHROMIUM_PATH` names, else one on PATH.
 *
 * @returns the program's path, or null when there is none that runs; another than the named one is not taken
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const { CHROMIUM_PATH: named, PATH = '' } = env;
  const folders = PATH.split(delimiter).filter(isAbsolute);
  for (const program of named ? [named] : browsers.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (/Chrom(e|ium)\D* \d+\./.test((await outputOf(program, '--version')) ?? '')) return program;
  }
  return null;
}

/**
 * {@link findChromium}; installs Debian's `chromium` with apt-get when there is none and we are root, which takes half a minute.
 * Can be repeated.
 */
export async function ensureChromium(): Promise<string | null> {
  const found = await findChromium();
  if (found !== null || process.env.CHROMIUM_PATH || !(await install('chromium'))) return found;
  return findChromium();
}

/** Installs a package of Debian's. False: no apt-get, not root, no network, a held lock: all the same to a caller that can go on without. */
async function install(name: string): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], { env, maxBuffer: 64 * 2 ** 20 });
    return true;
  } catch {
    return false;
  }
}

/** What a program writes; null when it does not run. */
async function outputOf(program: string, flag: string): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(program, [flag]);
    return stdout + stderr;
  } catch {
    return null;
  }
}
