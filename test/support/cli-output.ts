import { PassThrough } from 'node:stream';
import { main } from '../../src/cli';
import { Output } from '../../src/cli/output';
import { cliEnvironment, type CliResult } from './cli';

/** An output whose lines a test reads, for commands that run in the test's own process. */
export interface Listening {
  output: Output;
  stdout(): string;
  stderr(): string;
  /** The JSON lines of standard output so far. */
  lines(): Record<string, unknown>[];
  /** Resolves once either stream matches. */
  seen(pattern: RegExp): Promise<void>;
}

/** See {@link Listening}. */
export function listening(json = false): Listening {
  const said = { stdout: '', stderr: '' };
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const looks = new Set<() => void>();
  for (const [name, stream] of [['stdout', stdout], ['stderr', stderr]] as const) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      for (const look of looks) look();
    });
  }
  return {
    output: new Output(json, stdout, stderr),
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    lines: () => said.stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>),
    seen: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          if (pattern.test(said.stdout) || pattern.test(said.stderr)) resolve();
        };
        looks.add(look);
        look();
      }),
  };
}

/** Does something with the variables of a command line's environment; one at a time in a test file. */
export async function withEnvironment<T>(given: Record<string, string>, body: () => Promise<T>): Promise<T> {
  const before = process.env;
  process.env = cliEnvironment(given);
  try {
    return await body();
  } finally {
    process.env = before;
  }
}

/** Runs a command line that comes to an error in the test's own process: a fraction of what a process costs. Answers go to the process's own output. */
export function runHere(args: string[], given: Record<string, string> = {}): Promise<CliResult> {
  const { output, stdout, stderr } = listening();
  return withEnvironment(given, async () => ({ code: await main(args, output.stdout, output.stderr), stdout: stdout(), stderr: stderr() }));
}

/** Runs a command in the test's own process, with `--json` unless told otherwise. */
export function answerHere(given: Record<string, string>, command: (output: Output) => Promise<number>, json = true): Promise<CliResult> {
  const { output, stdout, stderr } = listening(json);
  return withEnvironment(given, async () => ({ code: await command(output), stdout: stdout(), stderr: stderr() }));
}
