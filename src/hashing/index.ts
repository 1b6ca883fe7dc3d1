import { HashingPool } from './pool';
import type { FileHash, HashOptions } from './thread';

export type { FileHash, HashOptions } from './thread';

// One pool for the whole process: there are only so many processors.
const pool = new HashingPool();

/**
 * SHA-256 of the first `sizeBytes` bytes of an open file, read by position in a thread, so the event loop stays free. Files are begun in
 * the order of the calls, and a huge one lets others pass. The descriptor may be closed as soon as the promise is settled, not earlier: also
 * an abort waits until nothing reads it any more. Tiny files go the same way: measured, it is no longer than that of an asynchronous read.
 *
 * @throws the signal's reason; the file system's error (`code` EIO, EISDIR, EBADF, ...); Error when the thread itself failed, in which case
 * the call can be repeated
 */
export function hashFile(fd: number, options: HashOptions): Promise<FileHash> {
  return pool.hash(fd, options);
}

/**
 * Ends the hashing threads once nothing is hashed any more. Idle ones keep no process alive and end by themselves after a while, so this is
 * only for those who want their memory back now, or every handle closed. A later file starts them again.
 */
export function closeHashing(): Promise<void> {
  return pool.close();
}
