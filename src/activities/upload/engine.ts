import { stallLimitMs } from './stall';
import { Streams } from './streams';
import { Turns } from './turns';

/** Files that a process hashes for uploads at the same time: more would only wait for one of the hashing threads, of which there are at most four. */
const hashedAtOnce = 4;

/** What all uploads of a process share. */
export interface UploadEngine {
  /** For everything that is sent. */
  streams: Streams;
  /** For everything that is hashed. */
  hashing: Turns;
  /** How long a document may stand still, in ms. */
  stallLimitMs: number;
}

/** An engine with the defaults, and what is given instead. */
export const createUploadEngine = (given: Partial<UploadEngine> = {}): UploadEngine => ({
  streams: new Streams(),
  hashing: new Turns(hashedAtOnce),
  stallLimitMs,
  ...given,
});
