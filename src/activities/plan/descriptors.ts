import type { EventEmitter } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** A wait when none of our own files is open that could be closed soon, in ms, and how many of them before the shortage is an error. */
const otherWaitMs = 100;
const maxOtherWaits = 30;

/** Too many open files: of this process, or of the whole machine. */
const isShortage = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * Opens what belongs to a source. A process, or a machine, that has no descriptor left is no fault of the file, and no reason to begin all
 * over: ours are closed one after another, and the next one to be closed lets a waiting open go on. A second exception to retries
 * being the activity's policy's: a plan that opens more files at once than it may would fail the same way each time.
 */
export class Descriptors {
  #open = 0;
  readonly #waiting: (() => void)[] = [];

  /** Files that are open now. */
  get open(): number {
    return this.#open;
  }

  /** Opens a file that is closed later. @throws what `open` throws; a shortage only when it lasts for seconds while nothing of ours is open */
  async keep(open: () => Promise<FileHandle>): Promise<FileHandle> {
    const handle = await this.patiently(open);
    this.#open += 1;
    // The handle is an emitter, which its type does not say.
    (handle as FileHandle & Pick<EventEmitter, 'once'>).once('close', () => {
      this.#open -= 1;
      this.#waiting.shift()?.();
    });
    return handle;
  }

  /** Calls something that needs a descriptor for its own time only. @throws as {@link keep} */
  async patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let otherWaits = 0; ; ) {
      try {
        return await call();
      } catch (error) {
        if (!isShortage(error)) throw error;
        if (this.#open > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        else if ((otherWaits += 1) > maxOtherWaits) throw error;
        else await delay(otherWaitMs);
      }
    }
  }
}

/** Of this process. */
export const descriptors = new Descriptors();
