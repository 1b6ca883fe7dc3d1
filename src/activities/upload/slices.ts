/** Bytes a second that are assumed before much was sent: what a job sends first is in before its URLs expire at half of that too. */
const assumedBytesPerSecond = 2_000_000;
/** Life of a signed URL that is assumed before one was seen, in ms. */
const assumedLifeMs = 15 * 60_000;
/** Fewer bytes say more about round trips than about the rate. */
const tellingBytes = 64_000_000;
/** A registration call takes at most this many files (/api-reference/uploads/register-uploads). */
export const maxSliceFiles = 100;

/** What has been seen of the transfer: how fast it is, and how long signed URLs live. */
export interface TransferPace {
  bytesPerSecond: number;
  urlLifeMs: number;
}

/** Before anything was seen. */
export const unknownPace = (): TransferPace => ({ bytesPerSecond: assumedBytesPerSecond, urlLifeMs: assumedLifeMs });

/** Takes note of how long it took to send so many bytes. */
export function observe(pace: TransferPace, bytes: number, ms: number): void {
  if (bytes >= tellingBytes) pace.bytesPerSecond = Math.max(1, (bytes * 1000) / Math.max(1, ms));
}

/**
 * How many of the first documents are registered together: at most 100, and no more bytes than can be sent within half of
 * the signed URLs' life. At least one.
 */
export function sliceLength(sizes: readonly number[], { bytesPerSecond, urlLifeMs }: TransferPace): number {
  const budget = (bytesPerSecond * urlLifeMs) / 2 / 1000;
  let bytes = 0;
  let length = 0;
  while (length < sizes.length && length < maxSliceFiles) {
    bytes += sizes[length]!;
    if (length > 0 && bytes > budget) break;
    length += 1;
  }
  return length;
}
