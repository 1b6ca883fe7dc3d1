import { rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { cli, startStack } from './local-stack';
import { interruption, Processes } from './processes';
import { newRunFolder, quickstartCache, writeEnvironment } from './run-folder';
import { findTemporalCli } from './temporal-binaries';

const root = resolve(__dirname, '..');

const help = `Usage: scripts/quickstart [FOLDER] [--keep]

Runs one batch over FOLDER, or over the example documents, with everything on this machine: Temporal, a
simulator in place of Plangrep, a webhook receiver and a worker. It installs and builds what is missing, can
be repeated, and reaches neither the paid service nor another Temporal, whatever the environment says.

  --keep   leave all running until Ctrl-C, to look around in Temporal's web UI

The archive is ./plangrep-archive, all other data ./.cache. Exit codes are those of "plangrep-batch run".
`;

/** What the run has come to so far. */
interface Quickstart {
  source: string;
  keep: boolean;
  processes: Processes;
  /** Resolves with an exit code when somebody ends the script. */
  stopped: Promise<number>;
  /** The batch's exit code, once it has one. */
  code: number | null;
}

/** A command line that makes no sense. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const print = (line: string): void => console.log(line);

async function main(caller: string, args: string[]): Promise<number> {
  const options = { keep: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length > 1) throw new UsageError(`one folder at a time, not ${positionals.length}`);
  const source = positionals[0] === undefined ? join(root, 'examples/harbour-annex') : resolve(caller, positionals[0]);
  if (!(await stat(source).catch(() => null))) throw new UsageError(`${source} does not exist`);
  const processes = new Processes();
  const interrupted = interruption(processes);
  const stopped = new Promise<number>((done) => interrupted.addEventListener('abort', () => done(interrupted.reason as number)));
  return toItsEnd({ source, keep: values.keep, processes, stopped, code: null });
}

/** Runs the batch and stops everything, whichever comes first: its end, a failure, or Ctrl-C. */
async function toItsEnd(quickstart: Quickstart): Promise<number> {
  const { processes, stopped } = quickstart;
  const running = runOnce(quickstart);
  try {
    const signalled = await Promise.race([stopped, running]);
    if (signalled !== null) print('stopping');
    return quickstart.code ?? signalled ?? 1;
  } finally {
    await processes.stop();
    // What was cut short cleans up after itself.
    await running.catch(() => undefined);
  }
}

async function runOnce(quickstart: Quickstart): Promise<null> {
  const { processes, source, keep, stopped } = quickstart;
  const folder = await newRunFolder();
  const temporal = await findTemporalCli({ processes, print });
  const stack = await startStack({ processes, temporal: temporal.path, folder, archive: join(root, 'plangrep-archive'), secretKeyFile: join(quickstartCache, 'secret-key'), print });
  const run = processes.start('run', process.execPath, [cli, 'run', source], { env: stack.env });
  const { code } = await Promise.race([run.ended, stack.failure]);
  if (code === null) return null;
  quickstart.code = code;
  if (keep) {
    print(`Running until Ctrl-C. Web UI: ${stack.webUi}. For commands of your own, in another terminal:`);
    print(`  . ${await writeEnvironment(folder, stack.env)}; node ${cli} list`);
    await Promise.race([stopped, stack.failure]);
  } else if (process.stdin.isTTY && process.stdout.isTTY) {
    await waitForEnter(stopped);
  } else {
    print('stopped; run again with --keep to open it');
  }
  await processes.stop();
  const wentWell = code === 0 || code === 3;
  if (wentWell) await rm(folder, { recursive: true, force: true });
  else print(`Logs: ${folder}`);
  return null;
}

async function waitForEnter(stopped: Promise<number>): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const entered = terminal.question('Press Enter to stop everything (--keep leaves it running). ');
  const ended = new Promise((closed) => terminal.once('close', closed));
  await Promise.race([stopped, entered, ended]);
  terminal.close();
}

main(process.argv[2]!, process.argv.slice(3)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const { message, code } = error as NodeJS.ErrnoException;
    console.error(`error: ${message}`);
    if (error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS')) console.error('See scripts/quickstart --help');
    process.exit(1);
  },
);
