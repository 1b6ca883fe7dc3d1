import { InvalidArgumentError, type Command } from 'commander';
import { Output } from '../output';
import { wholeNumber } from '../input-flags';

/** Takes a command's exit code. */
export type Finish = (code: number) => void;

/** Adds an example to a command's help; `line` is what follows the program's name. */
export const example = (command: Command, line: string): Command => command.addHelpText('after', `\nExample:\n  $ plangrep-batch ${line}`);

/** Gives a command `--json`. */
export const withJson = (command: Command): Command => command.option('--json', 'one JSON object a line on standard output, all else on standard error');

/** Where a command's flags say that its output goes, and in which form. */
export const outputOf = ({ json }: { json?: boolean }): Output => new Output(json === true);

/** The value of a flag that names a port. */
export function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}
