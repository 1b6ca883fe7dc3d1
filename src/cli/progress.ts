import { Format, SingleBar } from 'cli-progress';
import type { BatchSummary } from '../client';
import { visibleText } from '../domain/visible-text';
import type { Output } from './output';
import { counted } from './text';

/** Shows how a batch gets on until `stop` is called. */
export interface Progress {
  update(summary: BatchSummary): void;
  /** A remark that leaves the progress intact. */
  note(text: string): void;
  stop(): void;
}

/** A bar on a terminal, plain lines elsewhere, JSON lines with `--json`. All but the last go to standard error. */
export function createProgress(output: Output): Progress {
  if (output.json) return new JsonProgress(output);
  return output.stderr.isTTY ? new BarProgress(output) : new LineProgress(output);
}

const shown = ({ status, documentsDone, documents, jobs }: BatchSummary) => ({ status, documentsDone, documents, jobs });

function lineOf({ status, documentsDone, documents, jobs, error }: BatchSummary): string {
  if (error) return visibleText(`${status}: ${error.message}`);
  if (documents === 0) return status;
  const percent = Math.floor((documentsDone / documents) * 100);
  return `${status}: ${documentsDone} of ${counted(documents, 'document')} (${percent} %), jobs: ${jobs.done} done, ${jobs.open} open`;
}

class JsonProgress implements Progress {
  #last = '';
  constructor(readonly output: Output) {}

  update(summary: BatchSummary): void {
    const line = JSON.stringify(shown(summary));
    if (line === this.#last) return;
    this.#last = line;
    this.output.event({ type: 'progress', at: new Date().toISOString(), ...shown(summary) });
  }

  note(text: string): void {
    this.output.note(text);
  }

  stop(): void {}
}

class LineProgress implements Progress {
  #last = '';
  constructor(readonly output: Output) {}

  update(summary: BatchSummary): void {
    const line = lineOf(summary);
    if (line === this.#last) return;
    this.#last = line;
    this.output.note(line);
  }

  note(text: string): void {
    this.output.note(text);
  }

  stop(): void {}
}

class BarProgress implements Progress {
  readonly #bar: SingleBar;
  #shown = false;

  constructor(readonly output: Output) {
    const format = (options: Parameters<typeof Format.BarFormat>[1], params: { progress: number; value: number; total: number }, payload: { line: string }) =>
      `${Format.BarFormat(params.progress, options)} ${payload.line}`;
    // The bar writes escape sequences of its own; a pipe never gets here.
    this.#bar = new SingleBar({ format: format as never, stream: output.stderr, hideCursor: true, barsize: 30, barCompleteChar: '█', barIncompleteChar: '░', linewrap: false, gracefulExit: false });
  }

  update(summary: BatchSummary): void {
    const total = Math.max(1, summary.documents);
    const payload = { line: lineOf(summary) };
    if (!this.#shown) {
      this.#bar.start(total, summary.documentsDone, payload);
      this.#shown = true;
      return;
    }
    this.#bar.setTotal(total);
    this.#bar.update(summary.documentsDone, payload);
  }

  note(text: string): void {
    this.stop();
    this.output.note(text);
  }

  /** Leaves the last state on the screen; a later update starts a bar below. */
  stop(): void {
    if (this.#shown) this.#bar.stop();
    this.#shown = false;
  }
}
