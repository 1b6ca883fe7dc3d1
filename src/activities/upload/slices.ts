/** Bytes a second that are assumed before anything has been sent. */
const assumedBytesPerSecond = 10_000_000;
/** Life of a signed URL that is assumed before one was seen, in ms. */
const assumedLifeMs = 15 * 60_000;
/** A registration call takes at most this many files (/api-reference/uploads/register-uploads). */
export const maxSliceFiles = 100;

/** What has been seen of the transfer: how fast it is, and how long signed URLs live. */
export interface TransferPace {
  bytesPerSecond: number;
  urlLifeMs: number;
}

/** Before anything was seen. */
export const unknownPace = (): TransferPace => ({ bytesPerSecond: assumedBytesPerSecond, urlLifeMs: assumedLifeMs });

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
