import type { CliError } from './cli-error';

/** Answers go to standard output, all else to standard error; with `--json` every line of standard output is one JSON object. */
export class Output {
  constructor(
    readonly json: boolean,
    readonly stdout: NodeJS.WritableStream = process.stdout,
    readonly stderr: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
  ) {}

  /** The answer, in the form that was asked for. */
  answer(data: object, text: string): void {
    this.stdout.write(this.json ? `${JSON.stringify(data)}\n` : `${text}\n`);
  }

  /** One JSON line for programs that follow along; people get theirs through {@link note} or a progress bar. */
  event(data: object): void {
    if (this.json) this.stdout.write(`${JSON.stringify(data)}\n`);
  }

  /** A remark for people. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** An error, in the form that was asked for. */
  error({ code, message, fix }: Pick<CliError, 'code' | 'message' | 'fix'>): void {
    if (this.json) this.stdout.write(`${JSON.stringify({ error: { code, message, fix } })}\n`);
    else this.stderr.write(`error: ${message}\n${fix === null ? '' : `${fix}\n`}`);
  }
}
