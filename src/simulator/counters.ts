/** What came in, for `GET /counters`. */
export class Counters {
  /** Requests by operation and status; `dropped` where the connection was cut instead of an answer. */
  readonly requests: Record<string, Record<string, number>> = {};
  /** Bytes of document content, whether accepted or not. */
  bytesReceived = 0;
  /** Contents refused because their digest was another one. */
  refusedDigests = 0;
  /** Contents refused because their size was another one. */
  refusedSizes = 0;
  /** PUTs to storage whose bytes are being taken: at this moment, and the most ever. */
  readonly uploadsAtOnce = { now: 0, most: 0 };
  readonly webhooks = { delivered: 0, failed: 0, dropped: 0 };

  /** Storage begins to take the bytes of a PUT. */
  uploadBegins(): void {
    this.uploadsAtOnce.now += 1;
    this.uploadsAtOnce.most = Math.max(this.uploadsAtOnce.most, this.uploadsAtOnce.now);
  }

  /** It has them, or they broke off. */
  uploadEnds(): void {
    this.uploadsAtOnce.now -= 1;
  }

  /** Counts one request. */
  count(operation: string, outcome: number | 'dropped'): void {
    const outcomes = (this.requests[operation] ??= {});
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
}
