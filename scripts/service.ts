import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Child, Processes } from './processes';

/** A program that serves until it is stopped. */
export interface ServiceOptions {
  name: string;
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Both output streams go here. */
  log: string;
  /** The line that says it serves; without it the caller finds out. */
  ready?: RegExp;
  /** How long that line may take. Default 60,000 ms. */
  timeoutMs?: number;
}

/** A service that runs. */
export interface Service {
  child: Child;
  log: string;
  /** The line that matched `ready`; empty without `ready`. */
  line: string;
  /** Rejects when the service ends, with the end of its log; never resolves. */
  failure: Promise<never>;
}

/** Starts a service and waits until it says that it serves. @throws Error with the end of its log when it ends before that */
export async function startService(processes: Processes, { name, command, args, env, log, ready, timeoutMs = 60_000 }: ServiceOptions): Promise<Service> {
  const child = processes.start(name, command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const file = createWriteStream(log, { flags: 'a' });
  const line = new Promise<string>((resolve) => {
    if (!ready) resolve('');
    for (const stream of [child.process.stdout, child.process.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (text) => {
        file.write(`${text}\n`);
        if (ready?.test(text)) resolve(text);
      });
    }
  });
  const failure = child.ended.then(
    async ({ code, signal }) => {
      await new Promise((closed) => file.end(closed));
      throw new Error(`${name} ended (${signal ?? `exit code ${code}`})${await logEnd(log)}`);
    },
    (error: Error) => Promise.reject(new Error(`${name} cannot be started: ${error.message}`)),
  );
  failure.catch(() => undefined);
  const late = deadline(timeoutMs, `${name} did not serve within ${timeoutMs / 1000} s; see ${log}`);
  try {
    return { child, log, failure, line: await Promise.race([line, failure, late.passed]) };
  } finally {
    late.cancel();
  }
}

function deadline(ms: number, message: string): { passed: Promise<never>; cancel: () => void } {
  let timer: NodeJS.Timeout;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

async function logEnd(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8')).trim().split('\n').slice(-10).map((line) => `\n  ${line.slice(0, 300)}`);
  return `; the end of ${log}:${lines.join('')}`;
}
