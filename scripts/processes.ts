import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import type { Socket } from 'node:net';

/** How a child is started. */
export interface StartOptions {
  /** The child's whole environment. Default: the script's own. */
  env?: NodeJS.ProcessEnv | undefined;
  cwd?: string | undefined;
  /** Default: no standard input, and the script's own output streams. */
  stdio?: StdioOptions;
}

/** How a child ended. */
export interface Ended {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child and its end; `ended` rejects when it could not be started. */
export interface Child {
  name: string;
  process: ChildProcess;
  ended: Promise<Ended>;
}

/** What a captured run left. */
export interface Captured extends Ended {
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

/**
 * Reads `+ GROUP` and `- GROUP` lines; when the script that writes them is gone, even by kill -9, ends the groups left.
 * A shell and a pipe: nothing else notices every way a process can die.
 */
const reaperScript = `
groups=
while read -r sign group; do
  rest=
  for known in $groups; do [ "$known" = "$group" ] || rest="$rest $known"; done
  groups=$rest
  [ "$sign" = + ] && groups="$groups $group"
done
[ -z "$groups" ] && exit 0
for group in $groups; do kill -TERM -"$group" 2>/dev/null; done
sleep 3
for group in $groups; do kill -KILL -"$group" 2>/dev/null; done
exit 0
`;

/**
 * The processes that a script starts. Each leads a group of its own, so that ending it ends what it started,
 * and a terminal's Ctrl-C reaches the script alone, which then stops the others in order.
 */
export class Processes {
  readonly #children: Child[] = [];
  #reaper: ChildProcess | null = null;
  #stopping = false;

  /** @param graceMs - Time from SIGTERM to SIGKILL for each child. Default 5,000. */
  constructor(readonly graceMs = 5_000) {}

  /** Whether the children are being stopped: nothing more will start. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Starts a program. @throws when the script is stopping already. */
  start(name: string, command: string, args: string[], options: StartOptions = {}): Child {
    if (this.#stopping) throw new Error(`${name} was not started: the script is stopping`);
    const { env, cwd, stdio = ['ignore', 'inherit', 'inherit'] } = options;
    this.#reaper ??= startReaper();
    const child = spawn(command, args, { detached: true, stdio, env: env ?? process.env, ...(cwd ? { cwd } : {}) });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    ended.catch(() => undefined);
    if (child.pid === undefined) return { name, process: child, ended };
    const group = child.pid;
    const entry = { name, process: child, ended };
    this.#tellReaper(`+ ${group}`);
    this.#children.push(entry);
    child.once('exit', () => {
      signalGroup(group, 'SIGKILL');
      this.#tellReaper(`- ${group}`);
      this.#children.splice(this.#children.indexOf(entry), 1);
    });
    return entry;
  }

  /** Runs a program to its end and keeps its output; past `timeoutMs` its whole group is killed. @throws when it cannot be started. */
  async capture(command: string, args: string[], options: Omit<StartOptions, 'stdio'> & { timeoutMs: number }): Promise<Captured> {
    const { process: child, ended } = this.start(command, command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid) signalGroup(child.pid, 'SIGKILL');
    }, options.timeoutMs);
    try {
      return { ...(await ended), ...output, timedOut };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops every child, the last started first, and waits. Nothing can be started afterwards. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children.toReversed()) await this.end(child);
    this.#reaper?.stdin?.end();
  }

  /** Stops one child: SIGTERM, then SIGKILL after the time of grace. */
  async end({ process: child, ended }: Child): Promise<void> {
    const group = child.pid;
    if (!group || child.exitCode !== null || child.signalCode !== null) return;
    signalGroup(group, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(group, 'SIGKILL'), this.graceMs);
    await ended.catch(() => undefined);
    clearTimeout(timer);
  }

  /** Kills every child at once, without waiting. */
  kill(): void {
    this.#stopping = true;
    for (const { process: child } of this.#children) if (child.pid) signalGroup(child.pid, 'SIGKILL');
  }

  #tellReaper(line: string): void {
    this.#reaper?.stdin?.write(`${line}\n`);
  }
}

function startReaper(): ChildProcess {
  const reaper = spawn('/bin/sh', ['-c', reaperScript], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  reaper.on('error', () => undefined);
  reaper.stdin.on('error', () => undefined);
  reaper.unref();
  (reaper.stdin as Socket).unref();
  return reaper;
}

/** The signals by which people and supervisors end a script, and the exit code each asks for. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Aborts at the first Ctrl-C (or SIGTERM, SIGHUP) with the exit code as its reason; at the second one kills the children and exits at once.
 */
export function interruption(processes: Processes): AbortSignal {
  const controller = new AbortController();
  for (const [signal, exitCode] of Object.entries(endings)) {
    process.on(signal, () => {
      if (controller.signal.aborted) {
        processes.kill();
        process.exit(exitCode);
      }
      controller.abort(exitCode);
    });
  }
  return controller.signal;
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group is gone already, which is what was wanted.
  }
}
