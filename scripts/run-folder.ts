import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** What the quick start and `npm run dev` keep between runs. */
export const quickstartCache = resolve(__dirname, '../.cache/quickstart');

/** An empty folder for this process's database and logs; those of processes that are gone are removed. */
export async function newRunFolder(cache = quickstartCache): Promise<string> {
  await mkdir(cache, { recursive: true });
  for (const name of await readdir(cache)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid && !isRunning(Number(pid))) await rm(join(cache, name), { recursive: true, force: true });
  }
  const folder = join(cache, `run-${process.pid}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  return folder;
}

/** Writes a file for a shell to source: it sets our variables as in `env` and unsets all others of ours and Temporal's. */
export async function writeEnvironment(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const file = join(folder, 'environment');
  const forget = `for name in $(env | sed -nE 's/^((PLANGREP|TEMPORAL)_[A-Z_]+)=.*/\\1/p'); do unset "$name"; done\n`;
  const lines = Object.entries(env).filter(([name]) => /^(PLANGREP|TEMPORAL)_/.test(name)).map(([name, value = '']) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`);
  await writeFile(file, forget + lines.join(''), { mode: 0o600 });
  return file;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
