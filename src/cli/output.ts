import { visibleJson, visibleLines } from '../domain/visible-text';
import type { CliError } from './cli-error';

/**
 * Answers go to standard output, all else to standard error; with `--json` every line of standard output is one JSON object. Names of files
 * may hold anything: no terminal is given what it would obey.
 */
export class Output {
  constructor(
    readonly json: boolean,
    readonly stdout: NodeJS.WritableStream = process.stdout,
    readonly stderr: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
  ) {}

  /** The answer, in the form that was asked for. */
  answer(data: object, text: string): void {
    this.stdout.write(this.json ? jsonLine(data) : `${visibleLines(text)}\n`);
  }

  /** One JSON line for programs that follow along; people get theirs through {@link note} or a progress bar. */
  event(data: object): void {
    if (this.json) this.stdout.write(jsonLine(data));
  }

  /** A remark for people. */
  note(text: string): void {
    this.stderr.write(`${visibleLines(text)}\n`);
  }

  /** An error, in the form that was asked for. */
  error({ code, message, fix }: Pick<CliError, 'code' | 'message' | 'fix'>): void {
    if (this.json) this.stdout.write(jsonLine({ error: { code, message, fix } }));
    else this.note(`error: ${message}${fix === null ? '' : `\n${fix}`}`);
  }
}

const jsonLine = (data: object): string => `${visibleJson(JSON.stringify(data))}\n`;
