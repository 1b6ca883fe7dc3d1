#!/usr/bin/env node
import { CommanderError } from 'commander';
import { CliError } from './cli/cli-error';
import { exitCodes } from './cli/exit-codes';
import { Output } from './cli/output';
import { buildProgram } from './cli/program';

/** Runs one command line and gives its exit code; whatever goes wrong is shown, never thrown. */
export async function main(argv: readonly string[], stdout: NodeJS.WritableStream = process.stdout, stderr: NodeJS.WritableStream = process.stderr): Promise<number> {
  let code: number = exitCodes.ok;
  const program = buildProgram((finished) => {
    code = finished;
  }, stdout, stderr);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    const shown = await toShown(error);
    new Output(argv.includes('--json'), stdout, stderr).error(shown);
    return shown.exitCode;
  }
}

async function toShown(error: unknown): Promise<CliError> {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return usageError(error);
  // Knows the errors of every part, so it is loaded only when there is one.
  return (await import('./cli/failure.js')).toCliError(error);
}

function usageError({ code, message }: CommanderError): CliError {
  // Without a command commander shows the help as an error with a message for programs only.
  const text = code === 'commander.help' ? 'no command was given' : message.replace(/^error: /, '');
  return new CliError({ code: 'usage', message: text, fix: 'See plangrep-batch --help, or --help after a command.' });
}

if (require.main === module) {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader such as `head` that had enough is no fault of ours.
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    throw error;
  });
  // What a command leaves behind, such as a long poll that was given up, must not keep the process alive.
  void main(process.argv.slice(2)).then((code) => process.stdout.write('', () => process.exit(code)));
}
