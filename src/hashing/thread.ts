import { Worker } from 'node:worker_threads';
import { threadCode } from './thread-code';

/** What came out of hashing a file. */
export interface FileHash {
  /** Of the bytes read, lowercase hex. */
  sha256: string;
  /** Bytes read: fewer than asked for when the file has become shorter. */
  sizeBytes: number;
}

/** How a file is hashed. */
export interface HashOptions {
  /** Bytes from the start of the file; none beyond them is read. */
  sizeBytes: number;
  /** Gives it up soon, within one read. */
  signal?: AbortSignal;
  /** Called with all bytes read so far, at least every second while they move: when it is silent for longer, storage is. */
  onProgress?: (bytes: number) => void;
}

/** How a thread works. */
export interface ThreadOptions {
  /** Size of one read. Default 1 MiB. */
  bufferBytes: number;
  /** A file lets others pass after this many bytes. Default 32 MiB. */
  turnBytes: number;
  /** ... or after this many milliseconds. Default 250. */
  turnMs: number;
  /** The code of the thread. Default {@link threadCode}; tests replace it. */
  code: string;
}

const defaults: ThreadOptions = { bufferBytes: 2 ** 20, turnBytes: 32 * 2 ** 20, turnMs: 250, code: threadCode };

type Answer = { id: number } & ({ bytes: number } | FileHash | { stopped: true } | { error: { message: string; code: string } });

interface File {
  onProgress: HashOptions['onProgress'];
  signal: AbortSignal | undefined;
  settle: (outcome: FileHash | Error) => void;
}

/** A thread that hashes some files at the same time, in turns. */
export class HashingThread {
  /** It hashes nothing any more: it was ended, or it failed. */
  ended = false;
  readonly #worker: Worker;
  readonly #files = new Map<number, File>();
  #failure: Error | null = null;
  #lastId = 0;

  constructor(options: Partial<ThreadOptions> = {}) {
    const { code, ...workerData } = { ...defaults, ...options };
    // Not the process's own flags: a loader for TypeScript, say, would only make the thread slow to start.
    this.#worker = new Worker(code, { eval: true, execArgv: [], workerData });
    this.#worker.on('message', (answer: Answer) => this.#hear(answer));
    this.#worker.on('error', (error) => (this.#failure = error));
    this.#worker.on('exit', () => this.#die());
    this.#worker.unref();
  }

  /** Files that it is at. */
  get files(): number {
    return this.#files.size;
  }

  /** See `hashFile` in this folder's index. */
  hash(fd: number, { sizeBytes, signal, onProgress }: HashOptions): Promise<FileHash> {
    const id = (this.#lastId += 1);
    // The thread reads the descriptor until it says otherwise, so nothing is settled before.
    const stop = (): void => this.#worker.postMessage({ id, stop: true });
    return new Promise((resolve, reject) => {
      const settle = (outcome: FileHash | Error): void => {
        signal?.removeEventListener('abort', stop);
        this.#files.delete(id);
        if (this.#files.size === 0) this.#worker.unref();
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      this.#files.set(id, { onProgress, signal, settle });
      // Someone waits for this file, so until it is done the thread may keep the process alive.
      this.#worker.ref();
      signal?.addEventListener('abort', stop);
      this.#worker.postMessage({ id, fd, sizeBytes });
    });
  }

  /** Ends the thread; files that it is at fail. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #hear(answer: Answer): void {
    const file = this.#files.get(answer.id);
    if (file === undefined) return;
    if ('bytes' in answer) file.onProgress?.(answer.bytes);
    else if ('sha256' in answer) file.settle({ sha256: answer.sha256, sizeBytes: answer.sizeBytes });
    else if ('stopped' in answer) file.settle(file.signal!.reason as Error);
    else file.settle(Object.assign(new Error(answer.error.message), answer.error));
  }

  /** Only now nothing reads the descriptors any more. */
  #die(): void {
    this.ended = true;
    for (const { settle } of this.#files.values()) settle(new Error('the hashing thread ended', { cause: this.#failure }));
  }
}
