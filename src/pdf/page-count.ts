import { PageCounter, type PageCount } from './page-counter';

export type { PageCount, PageProblem } from './page-counter';

// One thread for the whole process: counting takes milliseconds, and its memory should exist once.
const counter = new PageCounter();

/**
 * Counts the pages of a PDF file. Calls are served one after another, in a thread of their own; the event loop stays free.
 * A Buffer is taken as the bytes of the path, for names that are not UTF-8.
 *
 * @throws the file system's error (`code` ENOENT, EACCES, ...; EINVAL for anything but a regular file) when it cannot be read
 */
export function countPages(path: string | Buffer): Promise<PageCount> {
  return counter.count({ path: Buffer.from(path) });
}

/** Counts the pages of a PDF in memory. The bytes are copied first, so the caller may reuse them at once. */
export function countPagesOf(bytes: Uint8Array): Promise<PageCount> {
  return counter.count({ bytes: new Uint8Array(bytes) });
}

/**
 * Stops the counting thread once nothing is being counted. An idle thread keeps no process alive and stops by itself after
 * a while, so this is only for those who want its memory back now. The next count starts it again.
 */
export function closePageCounter(): Promise<void> {
  return counter.close();
}
