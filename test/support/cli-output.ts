import { PassThrough } from 'node:stream';
import { Output } from '../../src/cli/output';

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
