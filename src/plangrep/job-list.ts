import { Transform } from 'node:stream';
import type { Readable, TransformCallback } from 'node:stream';
import { parser } from 'stream-json';
import Assembler from 'stream-json/Assembler';
import { ContractError } from './errors';

/** One entry of the list's `jobs`, unchecked, or the cursor of the next page. */
export type ListItem = { job: unknown } | { nextCursor: string };

/** Deepest nesting that is read; jobs have a handful of levels, and millions of brackets take minutes. */
const maxDepth = 256;

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

  constructor(private readonly onJob: () => void) {
    super({ objectMode: true });
  }

  override _transform(token: Token, _encoding: string, done: TransformCallback): void {
    if (this.inJobs) this.readJob(token);
    else this.readAround(token);
    const isDeep = this.depth + this.assembler.depth > maxDepth;
    done(isDeep ? new ContractError('List of jobs', [`jobs: nested deeper than ${maxDepth} levels`], { status: 200 }) : null);
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
    if (!this.assembler.done) return;
    this.onJob();
    this.push({ job: this.assembler.current as unknown });
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

/** Most bytes between two jobs of a list, and so of one job: what the answer about one job may have. */
export const maxJobBytes = 16 * 1024 * 1024;

/** Passes bytes on as long as jobs come out of them: a single one without end would fill the memory. */
class JobMeter extends Transform {
  private bytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > maxJobBytes) done(new ContractError('List of jobs', ['jobs: one is larger than 16 MiB'], { status: 200 }));
    else done(null, chunk);
  }

  /** A job came out. */
  came(): void {
    this.bytes = 0;
  }
}

/** The list's items, streamed. What breaks the body breaks the stream with the same error; broken JSON with a parser's error. */
export function readJobList(body: Readable): Readable {
  const tokens = parser({ packValues: true, streamValues: false });
  const meter = new JobMeter();
  const items = new JobListReader(() => meter.came());
  for (const step of [body, meter, tokens]) step.on('error', (error) => items.destroy(error));
  items.on('close', () => {
    for (const step of [body, meter, tokens]) step.destroy();
  });
  return body.pipe(meter).pipe(tokens).pipe(items);
}
