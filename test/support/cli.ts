import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isBuilt } from './build';

const root = join(__dirname, '../..');
/** Node's arguments for the command line itself. */
const cliCommand = isBuilt() ? [join(root, 'lib/cli.js')] : ['--import', 'tsx', join(root, 'src/cli.ts')];

/** No test's command line outlives this, whatever becomes of the test. */
const longestMs = 200_000;

/** Meaning of the fields: see each. */
export interface CliOptions {
  /** Runs it under a pseudo-terminal; all it shows is standard output then, and SIGINT is typed as Ctrl-C. Default false. */
  terminal?: boolean;
  /** When it is killed. */
  limitMs?: number;
}

/** How a command line ended. */
export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command line that runs. */
export interface RunningCli {
  child: ChildProcessWithoutNullStreams;
  /** Standard output and error so far. */
  output: { stdout: string; stderr: string };
  ended: Promise<CliResult>;
  /** Resolves once either output matches. @throws Error when the command ends before */
  seen(pattern: RegExp): Promise<void>;
}

/** The environment of a command line: what is given, and nothing else of ours or Temporal's from outside. */
export function cliEnvironment(given: Record<string, string>): NodeJS.ProcessEnv {
  const foreign = /^(PLANGREP_|TEMPORAL_|FORCE_COLOR$|NO_COLOR$)/;
  const outer = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(outer), TEMPORAL_CONFIG_FILE: join(root, 'no-such-file.toml'), ...given };
}

/** Starts a command line as a process of its own. */
export function startCli(args: string[], given: Record<string, string> = {}, { terminal = false, limitMs = longestMs }: CliOptions = {}): RunningCli {
  const node = [process.execPath, ...cliCommand, ...args];
  const [file, ...rest] = terminal ? ['python3', join(__dirname, 'pseudo_terminal.py'), ...node] : node;
  const child = spawn(file!, rest, { cwd: root, env: cliEnvironment(given), timeout: limitMs, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  const seen = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (pattern.test(output.stdout) || pattern.test(output.stderr)) resolve();
      };
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      void ended.then(({ code }) => reject(new Error(`ended with ${code} before ${pattern} was seen:\n${output.stdout}${output.stderr}`)));
      look();
    });
  return { child, output, ended, seen };
}

/** Runs a command line to its end. */
export function runCli(args: string[], given: Record<string, string> = {}): Promise<CliResult> {
  const { child, ended } = startCli(args, given);
  child.stdin.end();
  return ended;
}

/** The one JSON line that `--json` commands answer with. */
export const answerOf = <T = Record<string, unknown>>({ stdout }: CliResult): T => {
  const lines = stdout.trim().split('\n');
  return JSON.parse(lines.at(-1)!) as T;
};
/** The error that `--json` commands answer with. */
export const errorOf = (result: CliResult): { code: string; message: string; fix: string | null } => answerOf<{ error: { code: string; message: string; fix: string | null } }>(result).error;
