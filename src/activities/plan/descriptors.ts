import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Descriptors that a worker has open for itself, about. */
const ownDescriptors = 40;
/** Of the others, documents take this share at most: sockets, the archive and new threads need some too, and a thread that gets none ends the process. */
const share = 1 / 4;
/** More are never open: all uploads of a process and a few plans need no more. */
const mostOpen = 256;
/** A wait when none of our own files is open that could be closed soon, in ms, and how many of them before the shortage is an error. */
const otherWaitMs = 100;
const maxOtherWaits = 30;

/** Too many open files: of this process, or of the whole machine. */
const isShortage = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');

/** How many documents may be open under this limit of open files. */
export const placesUnder = (limit: number): number => Math.max(2, Math.min(mostOpen, Math.floor((limit - ownDescriptors) * share)));

/** This process's limit of open files; endless where it cannot be told. */
function openFilesLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

/**
 * Opens what belongs to a source, and no more at once than leaves descriptors for the rest of the process. When there is none left all the same,
 * of this process or of the machine, that is no fault of the file and no reason to begin all over: ours are closed one after another, and the
 * next one to be closed lets a waiting open go on. A second exception to retries being the activity's policy's: a plan that opens more
 * files at once than it may would fail the same way each time.
 */
export class Descriptors {
  #open = 0;
  #opening = 0;
  #waiting: (() => void)[] = [];

  /** @param most files that are open at once */
  constructor(private readonly most: number) {}

  /** Files that are open. */
  get open(): number {
    return this.#open;
  }

  /** Opens a file that is closed later. @throws what `open` throws; a shortage only when it lasts for seconds while nothing of ours is open */
  async keep(open: () => Promise<FileHandle>): Promise<FileHandle> {
    while (this.#open + this.#opening >= this.most) await this.#change();
    this.#opening += 1;
    try {
      const handle = await this.patiently(open);
      this.#open += 1;
      // The handle is an emitter, which its type does not say.
      (handle as FileHandle & Pick<EventEmitter, 'once'>).once('close', () => {
        this.#open -= 1;
        this.#wake();
      });
      return handle;
    } finally {
      this.#opening -= 1;
      this.#wake();
    }
  }

  /** Calls something that needs a descriptor for its own time only. @throws as {@link keep} */
  async patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let otherWaits = 0; ; ) {
      try {
        return await call();
      } catch (error) {
        if (!isShortage(error)) throw error;
        if (this.#open > 0) await this.#change();
        else if ((otherWaits += 1) > maxOtherWaits) throw error;
        else await delay(otherWaitMs);
      }
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** Of this process. */
export const descriptors = new Descriptors(placesUnder(openFilesLimit()));
