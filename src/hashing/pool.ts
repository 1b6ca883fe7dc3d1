import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { HashingThread, type FileHash, type HashOptions, type ThreadOptions } from './thread';

/** How a {@link HashingPool} works. */
export interface HashingPoolOptions extends Partial<ThreadOptions> {
  /** Most threads. Default: one a processor, at most 4, since storage is seldom faster than that. */
  threads?: number;
  /** Files that a thread is at in turns; further files wait in their order. Default 4. */
  filesPerThread?: number;
  /** Threads are ended when none has had a file for this many milliseconds. Default 10,000. */
  idleMs?: number;
}

/** A file that waits for its place in a thread. */
interface Waiting {
  begin: (thread: HashingThread) => void;
}

/** Hashes files in a few threads of the process, which are started when they are needed and keep no process alive. */
export class HashingPool {
  readonly #threads = new Set<HashingThread>();
  /** In the order they came. */
  readonly #waiting = new Set<Waiting>();
  readonly #options: Required<Pick<HashingPoolOptions, 'threads' | 'filesPerThread' | 'idleMs'>>;
  readonly #threadOptions: Partial<ThreadOptions>;
  #idle: NodeJS.Timeout | null = null;
  #whenQuiet: (() => void)[] = [];

  constructor({ threads = Math.min(4, availableParallelism()), filesPerThread = 4, idleMs = 10_000, ...threadOptions }: HashingPoolOptions = {}) {
    this.#options = { threads, filesPerThread, idleMs };
    this.#threadOptions = threadOptions;
  }

  /** See `hashFile` in this folder's index. */
  hash(fd: number, options: HashOptions): Promise<FileHash> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      // Many files of one job listen to one signal, which is no leak.
      if (signal) setMaxListeners(0, signal);
      const waiting: Waiting = {
        begin: (thread) => {
          signal?.removeEventListener('abort', giveUp);
          resolve(thread.hash(fd, options).finally(() => this.#next()));
        },
      };
      const giveUp = (): void => {
        this.#waiting.delete(waiting);
        reject(signal!.reason as Error);
        this.#next();
      };
      signal?.addEventListener('abort', giveUp);
      this.#waiting.add(waiting);
      this.#next();
    });
  }

  /** Ends the threads once nothing is hashed any more. Can be repeated; a later file starts a new thread. */
  async close(): Promise<void> {
    while (this.#busy()) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    await this.#endThreads();
  }

  #busy(): boolean {
    return this.#waiting.size > 0 || [...this.#threads].some(({ files }) => files > 0);
  }

  #next(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    for (const waiting of this.#waiting) {
      const thread = this.#freeThread();
      if (thread === null) return;
      this.#waiting.delete(waiting);
      waiting.begin(thread);
    }
    if (this.#busy()) return;
    this.#idle = setTimeout(() => void this.#endThreads(), this.#options.idleMs).unref();
    for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }

  /** The thread with the fewest files; a new one before a second file goes to any; null when no thread has a place. */
  #freeThread(): HashingThread | null {
    for (const thread of this.#threads) if (thread.ended) this.#threads.delete(thread);
    const [least] = [...this.#threads].sort((a, b) => a.files - b.files);
    if (least?.files === 0) return least;
    if (least && this.#threads.size >= this.#options.threads) return least.files < this.#options.filesPerThread ? least : null;
    const thread = new HashingThread(this.#threadOptions);
    this.#threads.add(thread);
    return thread;
  }

  async #endThreads(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map((thread) => thread.end()));
  }
}
