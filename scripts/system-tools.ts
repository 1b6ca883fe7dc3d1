import { execFile } from 'node:child_process';
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
  if (found !== null || process.getuid?.() !== 0) return found;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'poppler-utils'], { env, maxBuffer: 64 * 2 ** 20 });
  } catch {
    // No apt-get, no network, a held lock: all the same to a caller that can go on without.
    return null;
  }
  return pdfinfoVersion();
}

async function pdfinfoVersion(): Promise<string | null> {
  try {
    // It writes its version to the error stream.
    const { stdout, stderr } = await run('pdfinfo', ['-v']);
    return /version (\S+)/.exec(stdout + stderr)?.[1] ?? null;
  } catch {
    return null;
  }
}
