import { Transform } from 'node:stream';
import type { Readable, TransformCallback } from 'node:stream';
import { parser } from 'stream-json';
import Assembler from 'stream-json/Assembler';

/** One entry of the list's `jobs`, unchecked, or the cursor of the next page. */
export type ListItem = { job: unknown } | { nextCursor: string };

interface Token {
  name: string;
  value?: string;
}

/**
 * Picks the entries of `jobs` and a top-level `nextCursor` out of a list's JSON as it arrives, so that a list of any
 * length takes the memory of one job. Fails when there is no `jobs` array. /api-reference/jobs/list-jobs
 */
class JobListReader extends Transform {
  private depth = 0;
  private key = '';
  private inJobs = false;
  private found = false;
  // The assembler sets keys by assignment, where this one would change the object's prototype.
  private readonly assembler = new Assembler({ reviver: (key, value: unknown) => (key === '__proto__' ? undefined : value) });

  constructor() {
    super({ objectMode: true });
  }

  override _transform(token: Token, _encoding: string, done: TransformCallback): void {
    if (this.inJobs) this.readJob(token);
    else this.readAround(token);
    done();
  }

  override _flush(done: TransformCallback): void {
    done(this.found ? null : new SyntaxError('jobs: missing'));
  }

  private readJob(token: Token): void {
    if (token.name === 'endArray' && this.assembler.done) {
      this.inJobs = false;
      this.depth -= 1;
      return;
    }
    this.assembler.consume(token);
    if (this.assembler.done) this.push({ job: this.assembler.current as unknown });
  }

  private readAround({ name, value }: Token): void {
    const opens = name === 'startObject' || name === 'startArray';
    if (this.depth === 1 && name === 'keyValue') this.key = value ?? '';
    if (this.depth === 1 && name === 'startArray' && this.key === 'jobs') this.found = this.inJobs = true;
    if (this.depth === 1 && name === 'stringValue' && this.key === 'nextCursor' && value) this.push({ nextCursor: value });
    if (opens) this.depth += 1;
    if (name === 'endObject' || name === 'endArray') this.depth -= 1;
  }
}

/** The list's items, streamed. What breaks the body breaks the stream with the same error; broken JSON with a parser's error. */
export function readJobList(body: Readable): Readable {
  const tokens = parser({ packValues: true, streamValues: false });
  const items = new JobListReader();
  body.on('error', (error) => items.destroy(error));
  tokens.on('error', (error) => items.destroy(error));
  items.on('close', () => {
    body.destroy();
    tokens.destroy();
  });
  return body.pipe(tokens).pipe(items);
}
