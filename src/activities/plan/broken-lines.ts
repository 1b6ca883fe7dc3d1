import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../contract/failures';
import { visibleText } from '../../domain/visible-text';

/** How many broken lines an error names, and how many characters of each message: a failure should stay below 4 KB. */
const namedLines = 10;
const messageLength = 200;

/** An input that cannot be planned. */
export const invalidInput = (message: string, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type: failureTypes.invalidInput, message, nonRetryable: true, details });

/** Collects what is wrong with a list while it is read to its end. */
export class BrokenLines {
  private readonly first: { line: number; message: string }[] = [];
  private count = 0;

  add(line: number, message: string): void {
    this.count += 1;
    // A parser that works ahead reports its own findings early; the lowest lines are kept.
    this.first.push({ line, message: visibleText(message).slice(0, messageLength) });
    this.first.sort((a, b) => a.line - b.line).splice(namedLines);
  }

  /** @throws InvalidInput that names the first ten; its details hold them as `{line, message}` */
  throwIfAny(list: string): void {
    if (this.count === 0) return;
    const lines = this.first.map(({ line, message }) => `line ${line}: ${message}`);
    if (this.count > this.first.length) lines.push(`and ${this.count - this.first.length} more`);
    throw invalidInput(`The list ${list} has ${this.count} broken ${this.count === 1 ? 'line' : 'lines'}: ${lines.join('; ')}`, this.first);
  }
}
