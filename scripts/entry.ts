/**
 * Runs a script: its arguments in, its exit code out, 0 when it names none. An error is one line on standard error, and the exit code 1.
 * The process ends by itself, when nothing is left open.
 */
export function runScript(main: (args: string[]) => number | void | Promise<number | void>): void {
  Promise.resolve()
    .then(() => main(process.argv.slice(2)))
    .then(
      (code) => {
        process.exitCode = code ?? 0;
      },
      (error: unknown) => {
        console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
      },
    );
}
