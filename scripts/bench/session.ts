import { join } from 'node:path';
import type { Processes } from '../processes';
import type { Figures } from './figures';

/** What a benchmark runs in. */
export interface Session {
  processes: Processes;
  /** A folder of this benchmark's own; removed after it. */
  folder: string;
  /** Sizes so small that only the counts mean something. */
  smoke: boolean;
  /** The sizes of the design's budgets where the usual ones are smaller, for they take long: never together with `smoke`. */
  full: boolean;
  /** The Temporal CLI; there for benchmarks that need it. */
  temporal: string | null;
  /** Says on stderr what is done. */
  progress: (line: string) => void;
}

/** Measures. @throws when it cannot be measured, or when what was done is not what should have been done */
export type Run = (session: Session) => Promise<Figures>;

/** A child that takes longer hangs, unless its benchmark knows better. */
const childLimitMs = 5 * 60_000;

/**
 * Runs a program of `children/` in a process of its own, so that its memory is only what it measures, and takes its answer: the last line.
 * @throws Error with the end of its error output when it fails
 */
export async function runChild<T>({ processes }: Session, program: string, request: object, limitMs = childLimitMs): Promise<T> {
  const args = ['--import', 'tsx', join(__dirname, 'children', `${program}.ts`), JSON.stringify(request)];
  const { code, signal, stdout, stderr, timedOut } = await processes.capture(process.execPath, args, { timeoutMs: limitMs });
  const end = stderr.trim().split('\n').slice(-5).join('\n');
  if (code !== 0) throw new Error(`${program} ${timedOut ? `did not end within ${limitMs / 1000} s` : `ended with ${signal ?? `code ${code}`}`}: ${end}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
}
