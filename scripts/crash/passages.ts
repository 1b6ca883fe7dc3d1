import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Which process a kill hits; `worker`: the one that passes the point, or the first one. */
export type Target = 'worker' | 'receiver' | 'server';

/** One kill -9 at a named point, as the processes read it. */
export interface ArmedKill {
  id: number;
  point: string;
  /** Of all passages of one process and those before it in its place, counted from 1. */
  nth: number;
  targets: Target[];
}

/** What whoever strikes leaves behind, before it does. */
export interface Strike {
  by: string;
  pids: number[];
}

/** Files of a run through which its processes and the harness know of one another. */
export const crashFiles = (folder: string) => ({
  /** The {@link ArmedKill}s, as JSON. */
  kills: join(folder, 'kills.json'),
  /** The points that the processes in this place have passed, one a line. */
  passed: (role: string) => join(folder, `passed-${role}`),
  /** The process in this place. */
  pid: (role: string) => join(folder, `pid-${role}`),
  /** A {@link Strike}, made once. */
  struck: (id: number) => join(folder, `struck-${id}`),
});

/** Counts the points that a process passes, and kills at those where it is said. */
export class Passages {
  /** The role without its number. */
  readonly kind: string;
  readonly #files: ReturnType<typeof crashFiles>;
  readonly #log: number;
  readonly #counts = new Map<string, number>();
  readonly #kills: ArmedKill[];

  constructor(folder: string, private readonly role: string) {
    this.kind = role.replace(/-\d+$/, '');
    this.#files = crashFiles(folder);
    this.#kills = JSON.parse(readFileSync(this.#files.kills, 'utf8')) as ArmedKill[];
    this.#log = openSync(this.#files.passed(role), 'a+');
    // Those who were killed in this place count too: the n-th passage is that of the run.
    for (const point of readFileSync(this.#log, 'utf8').split('\n')) if (point) this.#count(point);
  }

  /** Says that a point is reached; may not return. */
  pass(point: string): void {
    writeSync(this.#log, `${point}\n`);
    const count = this.#count(point);
    for (const kill of this.#kills) if (kill.point === point && kill.nth === count) this.#strike(kill);
  }

  #count(point: string): number {
    const count = (this.#counts.get(point) ?? 0) + 1;
    this.#counts.set(point, count);
    return count;
  }

  #strike({ id, targets }: ArmedKill): void {
    const pids = targets.flatMap((target) => this.#pidOf(target));
    if (pids.length === 0 || !strikeOnce(this.#files.struck(id), { by: this.role, pids })) return;
    // Itself last: nothing comes after that.
    for (const pid of pids.sort((a, b) => Number(a === process.pid) - Number(b === process.pid))) kill(pid);
  }

  #pidOf(target: Target): number[] {
    if (target === this.kind) return [process.pid];
    return readPid(this.#files.pid(target === 'worker' ? 'worker-1' : target));
  }
}

/** False: another one was first. */
export function strikeOnce(file: string, strike: Strike): boolean {
  try {
    writeFileSync(file, JSON.stringify(strike), { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

/** Writes down who is in a place. */
export function writePid(file: string, pid: number): void {
  writeFileSync(file, `${pid} ${startedAt(pid)}`);
}

/** Who is in a place, or nobody: a number that another process has got since is none. */
export function readPid(file: string): number[] {
  try {
    const [pid, started] = readFileSync(file, 'utf8').split(' ');
    return startedAt(Number(pid)) === started ? [Number(pid)] : [];
  } catch {
    return [];
  }
}

/** When a process began, in the kernel's ticks. The name before it may hold anything, also brackets and spaces. */
function startedAt(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}

/** Kill -9. One that is gone already is no error. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // As was wanted.
  }
}
