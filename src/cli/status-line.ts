import type { Output } from './output';

/** How often the line changes, in ms. */
const everyMs = 250;

/** One line on a terminal that says how far a command is; on anything else nothing. */
export class StatusLine {
  readonly #shown: boolean;
  #last = 0;

  constructor(readonly output: Output) {
    this.#shown = !output.json && output.stderr.isTTY === true;
  }

  /** May be called as often as there is news. */
  say(text: () => string): void {
    if (!this.#shown || Date.now() - this.#last < everyMs) return;
    this.#last = Date.now();
    this.output.stderr.write(`\r\x1b[K${text()}`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.output.stderr.write('\r\x1b[K');
  }
}
