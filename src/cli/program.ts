import { Command, InvalidArgumentError, Option } from 'commander';
import { addInputFlags, wholeNumber, type InputFlags } from './input-flags';
import { Output } from './output';
import type { SimulatorFlags } from './simulator';
import type { WorkerFlags } from './worker';
import { packageVersion } from '../version';

/** Takes a command's exit code. */
export type Finish = (code: number) => void;

/** What each command line is made of. Commands load their code when they run, so that `--help` is fast. */
export function buildProgram(finish: Finish, stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream): Command {
  const program = new Command('plangrep-batch')
    .description('Turns a set of construction documents into Plangrep jobs, runs them to their end, and archives every result.')
    .version(packageVersion)
    .exitOverride()
    // Errors are shown by the entry, in the form that was asked for.
    .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: (text) => void stderr.write(text), outputError: () => {} })
    .showSuggestionAfterError()
    .addHelpText('after', '\nExit codes: 0 all well, 1 usage or configuration (nothing was started), 2 batch failed or verify found damage,\n3 finished with documents that are not processed, 4 Temporal, Plangrep or archive not reachable, 130 Ctrl-C.');
  addBatchCommands(program, finish);
  addWatchingCommands(program, finish);
  addServices(program, finish);
  return program;
}

const example = (command: Command, line: string): Command => command.addHelpText('after', `\nExample:\n  $ plangrep-batch ${line}`);
const withJson = (command: Command): Command => command.option('--json', 'one JSON object a line on standard output, all else on standard error');

const sourceText = 'a folder, or a list file (.jsonl, .ndjson, .csv)';

function addBatchCommands(program: Command, finish: Finish): void {
  const plan = withJson(addInputFlags(program.command('plan').description('Dry run: what would become of SOURCE; counts pages, starts nothing.').argument('<source>', sourceText)));
  example(plan, 'plan ./drawings --include "**/*.pdf"').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('./plan.js')).plan(source, flags, outputOf(flags)));
  });
  const run = withJson(addInputFlags(program.command('run').description('Starts a batch over SOURCE, shows its progress and waits for its end.').argument('<source>', sourceText)));
  example(run, 'run ./drawings --project "Harbour Tower" --classify "specs/**=specifications"').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('./run.js')).run(source, flags, outputOf(flags)));
  });
  const start = withJson(addInputFlags(program.command('start').description('Starts a batch over SOURCE and leaves it to the workers.').argument('<source>', sourceText)));
  example(start, 'start ./list.jsonl --id tower-2026-11 --json').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('./run.js')).start(source, flags, outputOf(flags)));
  });
}

function addWatchingCommands(program: Command, finish: Finish): void {
  const list = withJson(program.command('list').description('The newest batches.'))
    .option('--status <status>', 'only batches of this status')
    .option('--limit <n>', 'at most so many; default 100', wholeNumber);
  example(list, 'list --status running').action(async (flags: { status?: string; limit?: number; json?: boolean }) => {
    finish(await (await import('./status.js')).list(flags, outputOf(flags)));
  });
  const status = withJson(program.command('status').description('What a batch is doing or how it ended.').argument('<id>', 'the batch id'));
  example(status, 'status tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('./status.js')).status(id, outputOf(flags)));
  });
  const watch = withJson(program.command('watch').description('Follows a batch to its end; exits as run does.').argument('<id>', 'the batch id'));
  example(watch, 'watch tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('./status.js')).watch(id, outputOf(flags)));
  });
  const verify = withJson(program.command('verify').description('Re-reads a batch in the archive and checks every hash and count; needs neither Temporal nor a key.').argument('<id>', 'the batch id'));
  example(verify.option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE'), 'verify tower-2026-11 --archive ./plangrep-archive').action(
    async (id: string, flags: { archive?: string; json?: boolean }) => {
      finish(await (await import('./verify.js')).verify(id, flags, outputOf(flags)));
    },
  );
}

function addServices(program: Command, finish: Finish): void {
  const worker = withJson(program.command('worker').description('Does the work: serves the task queues until Ctrl-C or SIGTERM.'))
    .addOption(new Option('--only <role>', 'serve one kind of work; default: all').choices(['api', 'transfer', 'archive']))
    .option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE')
    .option('--metrics-port <port>', 'Prometheus metrics on 127.0.0.1 at this port; default: none', portNumber);
  example(worker, 'worker --archive /srv/plangrep-archive').action(async (flags: WorkerFlags & { json?: boolean }) => {
    finish(await (await import('./worker.js')).worker(flags, outputOf(flags)));
  });
  const simulator = withJson(program.command('simulator').description('A stand-in for Plangrep on this machine, to develop and rehearse against. Its first line says where it listens.'))
    .option('--port <port>', 'port of the API; default 0: any', portNumber)
    .option('--storage-port <port>', 'port of the storage; default 0: any', portNumber)
    .option('--control-port <port>', 'port of the control interface; default 0: any', portNumber)
    .option('--credits <n>', 'credits at the start; default 1000000', wholeNumber)
    .option('--page-limit <n>', 'pages a job; default: no limit', wholeNumber)
    .option('--job-ms <n>', 'time a job takes beside its pages; default 500', wholeNumber)
    .option('--page-ms <n>', 'time each page adds; default 2', wholeNumber)
    .option('--part-threshold <bytes>', 'files above this size are sent in parts; default 5000000000', wholeNumber)
    .option('--scripted-clock', 'time moves only by the control interface')
    .option('--verbose', 'one line a request on standard error');
  example(simulator, 'simulator --port 8080').action(async ({ json: _always, ...flags }: SimulatorFlags & { json?: boolean }) => {
    finish(await (await import('./simulator.js')).simulator(flags));
  });
  const doctor = withJson(program.command('doctor').description('Checks Temporal, key, project, archive and workers, and says what to do.'))
    .option('--fix', 'registers search attributes and removes working files of finished batches')
    .option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE');
  example(doctor, 'doctor --fix').action(async (flags: { fix?: boolean; archive?: string; json?: boolean }) => {
    finish(await (await import('./doctor.js')).doctor(flags, outputOf(flags)));
  });
}

const outputOf = ({ json }: { json?: boolean }): Output => new Output(json === true);

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}
