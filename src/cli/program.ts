import { Command } from 'commander';
import { addBatchCommands } from './program/batches';
import type { Finish } from './program/command-line';
import { addOperatorCommands } from './program/operating';
import { addScheduleCommands } from './program/schedules';
import { addServices } from './program/services';
import { addWatchingCommands } from './program/watching';
import { packageVersion } from '../version';

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
  addScheduleCommands(program, finish);
  addOperatorCommands(program, finish);
  addServices(program, finish);
  return program;
}
