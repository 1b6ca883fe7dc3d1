/** Requests of one job that are in hand at a time: more of them have to come again. */
const jobRequests = 64;
/** Bytes of bodies that are in memory at a time, for one job and for all. */
const [jobBytes, allBytes] = [512 * 1024, 32 * 1024 * 1024];

/** What one request holds. */
export interface Share {
  /** Takes room for so many bytes more; false when there is none. */
  reserve(bytes: number): boolean;
  /** Gives all of it back. To be called once. */
  release(): void;
}

/**
 * What requests with a right address may hold of the receiver, each job and all together: whoever has the address of one job, and floods it, takes nothing
 * from the others, and the memory stays bounded.
 */
export class Shares {
  readonly #jobs = new Map<string, { requests: number; bytes: number }>();
  #bytes = 0;

  /** A request's share; null when too many of this job are in hand. */
  take(workflowId: string): Share | null {
    const job = this.#jobs.get(workflowId) ?? { requests: 0, bytes: 0 };
    if (job.requests >= jobRequests) return null;
    job.requests += 1;
    this.#jobs.set(workflowId, job);
    let held = 0;
    return {
      reserve: (bytes) => {
        if (job.bytes + bytes > jobBytes || this.#bytes + bytes > allBytes) return false;
        [held, job.bytes, this.#bytes] = [held + bytes, job.bytes + bytes, this.#bytes + bytes];
        return true;
      },
      release: () => {
        [job.requests, job.bytes, this.#bytes] = [job.requests - 1, job.bytes - held, this.#bytes - held];
        if (job.requests === 0) this.#jobs.delete(workflowId);
      },
    };
  }
}
