import { exitCodes } from './exit-codes';

/** An error for the person at the terminal: what is wrong, what to do about it, and the exit code it ends with. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** For scripts: a word with underscores that never changes. */
  readonly code: string;
  /** What to do, as one or more sentences; null when the message says it. */
  readonly fix: string | null;
  readonly exitCode: number;

  constructor({ code, message, fix = null, exitCode = exitCodes.usage }: { code: string; message: string; fix?: string | null; exitCode?: number }) {
    super(message);
    this.code = code;
    this.fix = fix;
    this.exitCode = exitCode;
  }
}
