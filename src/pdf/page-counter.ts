import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { workerCode } from './worker-code';

/** Why a document has no page count. */
export type PageProblem =
  /** It needs a password (or a certificate) that we do not have. */
  | 'encrypted'
  /** It starts as a PDF, but has no page that can be found, or reading it did not end. */
  | 'damaged'
  /** Nothing at its start says that it is a PDF. */
  | 'not_pdf'
  /** It is larger than what fits into memory at once. */
  | 'too_large';

/** The number of pages of a document (at least 1), or why there is none; `message` is for people. */
export type PageCount = { pages: number } | { problem: PageProblem; message: string };

/** How a {@link PageCounter} treats its thread. */
export interface PageCounterOptions {
  /** Largest document in bytes; above it the answer is `too_large`. Default 1 GiB; PDFium's memory ends at 2 GiB. */
  maxBytes?: number;
  /** After this many milliseconds with one document the thread is stopped and the document is `damaged`. Default 60,000. */
  hangMs?: number;
  /** A stopped thread that has not ended after this many milliseconds is in a read that does not end, as of a mount that is gone. Default 5,000. */
  endMs?: number;
  /** The thread is replaced after this many documents, so that no leak of PDFium's adds up. Default 1,000. */
  documentsPerThread?: number;
  /** ... or when PDFium's memory has grown beyond this many bytes, since it never shrinks. Default 128 MiB. */
  heapBytesPerThread?: number;
  /** An idle thread is stopped after this many milliseconds. Default 10,000. */
  idleMs?: number;
  /** The code of the thread. Default {@link workerCode}; tests replace it. */
  code?: string;
}

/** One document: the bytes of its path, or its bytes. */
export type CountRequest = { path: Buffer } | { bytes: Uint8Array<ArrayBuffer> };

type Answer = { heapBytes: number } & (
  | { pages: number }
  | { invented: number }
  | { error: number; header: boolean }
  | { tooLarge: number }
  | { io: { code: string; message: string } }
  | { crash: string }
  | { hang: number }
  | { broken: string }
);

const defaults = {
  maxBytes: 2 ** 30,
  hangMs: 60_000,
  endMs: 5_000,
  documentsPerThread: 1_000,
  heapBytesPerThread: 128 * 2 ** 20,
  idleMs: 10_000,
  code: workerCode,
};

// PDFium believes the page tree's own count. A large one is checked by looking for its last page, which takes time that
// grows with it: a false count beyond this would be paid for in estimates and simulated results.
const believedPages = 10_000;

// PDFium's FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY (public/fpdfview.h).
const passwordErrors = new Set([4, 5]);

/**
 * Counts pages with PDFium in a thread. A document can neither block the event loop nor take the process down: whatever
 * it does to the thread, the thread is replaced and the document, when it does so in a fresh thread too, is `damaged`.
 */
export class PageCounter {
  readonly #options: Required<PageCounterOptions>;
  #thread: Worker | null = null;
  #answer: (answer: Answer) => void = ignore;
  #documents = 0;
  #idle: NodeJS.Timeout | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: PageCounterOptions = {}) {
    this.#options = { ...defaults, ...options };
  }

  /**
   * Counts one document, after those asked for earlier.
   *
   * @throws the file system's error when it cannot be read, ETIMEDOUT when reading does not end; Error when PDFium itself cannot be started
   */
  count(request: CountRequest): Promise<PageCount> {
    return this.#enqueue(async () => {
      const used = this.#thread !== null;
      // Bytes are handed over to the thread, and may be needed once more.
      const again = used && 'bytes' in request ? { bytes: new Uint8Array(request.bytes) } : request;
      const answer = await this.#ask(request);
      // Earlier documents may have left the thread in a bad way: only in a fresh one a crash is this document's own.
      return toPageCount('crash' in answer && used ? await this.#ask(again) : answer);
    });
  }

  /** Stops the thread after the counts already asked for. Can be repeated; a later count starts a new thread. */
  close(): Promise<void> {
    return this.#enqueue(() => this.#stop());
  }

  #enqueue<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #ask(request: CountRequest): Promise<Answer> {
    const answer = await this.#send(request);
    if ('hang' in answer && !(await this.#stopsSoon())) return { io: { code: 'ETIMEDOUT', message: `reading did not end within ${answer.hang} ms` }, heapBytes: 0 };
    await this.#recycle(answer);
    return answer;
  }

  /** A thread that computes without end can be stopped; one that is in a call of the kernel ends after that call, if ever. */
  async #stopsSoon(): Promise<boolean> {
    const decided = new AbortController();
    try {
      return await Promise.race([this.#stop().then(() => true), delay(this.#options.endMs, false, { signal: decided.signal })]);
    } finally {
      decided.abort();
    }
  }

  #send(request: CountRequest): Promise<Answer> {
    const thread = this.#start();
    return new Promise((resolve) => {
      const { hangMs } = this.#options;
      const timer = setTimeout(() => this.#answer({ hang: hangMs, heapBytes: 0 }), hangMs);
      this.#answer = (answer) => {
        this.#answer = ignore;
        clearTimeout(timer);
        thread.unref();
        resolve(answer);
      };
      // Someone waits for this answer, so until it is there the thread may keep the process alive.
      thread.ref();
      thread.postMessage(request, 'bytes' in request ? [request.bytes.buffer] : []);
    });
  }

  #start(): Worker {
    if (this.#idle !== null) clearTimeout(this.#idle);
    if (this.#thread !== null) return this.#thread;
    const thread = new Worker(this.#options.code, {
      eval: true,
      // Not the process's own flags: a loader for TypeScript, say, would only make the thread slow to start.
      execArgv: [],
      workerData: { modulePath: require.resolve('@hyzyla/pdfium'), maxBytes: this.#options.maxBytes, believedPages },
    });
    // A thread that was given up may still speak; only the current one is heard.
    const hear = (answer: Answer): void => (thread === this.#thread ? this.#answer(answer) : undefined);
    thread.on('message', hear);
    thread.on('error', (error) => hear({ crash: error.message, heapBytes: 0 }));
    thread.on('exit', () => {
      hear({ crash: 'the counting thread ended', heapBytes: 0 });
      if (thread === this.#thread) this.#thread = null;
    });
    this.#thread = thread;
    return thread;
  }

  async #recycle(answer: Answer): Promise<void> {
    this.#documents += 1;
    const worn = this.#documents >= this.#options.documentsPerThread || answer.heapBytes > this.#options.heapBytesPerThread;
    if (worn || 'crash' in answer || 'hang' in answer || 'broken' in answer) return this.#stop();
    this.#idle = setTimeout(() => void this.close(), this.#options.idleMs).unref();
  }

  async #stop(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#documents = 0;
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }
}

const ignore = (): void => undefined;

function toPageCount(answer: Answer): PageCount {
  if ('pages' in answer && answer.pages > 0) return { pages: answer.pages };
  if ('pages' in answer) return { problem: 'damaged', message: 'the document is a PDF without a page' };
  if ('invented' in answer) return { problem: 'damaged', message: `the document claims ${answer.invented} pages and does not have them` };
  if ('tooLarge' in answer) return { problem: 'too_large', message: `${answer.tooLarge} bytes are too many to count pages in` };
  if ('io' in answer) throw Object.assign(new Error(answer.io.message), { code: answer.io.code });
  if ('broken' in answer) throw new Error(`PDFium could not be started: ${answer.broken}`);
  if ('hang' in answer) return { problem: 'damaged', message: `reading the document did not end within ${answer.hang} ms` };
  if ('crash' in answer) return { problem: 'damaged', message: `the document makes PDFium fail: ${answer.crash}` };
  if (passwordErrors.has(answer.error)) return { problem: 'encrypted', message: 'the document is encrypted and needs a password' };
  if (!answer.header) return { problem: 'not_pdf', message: 'the file is not a PDF' };
  return { problem: 'damaged', message: 'the document is a PDF, but too damaged to find its pages' };
}
