import { LRUCache } from 'lru-cache';

/** How long a secret that was found is not looked for again, in ms. */
const knownMs = 600_000;
/** How long "there is none", or a secret that does not fit, is not looked for again, in ms: a job gets its secret moments after it was created. */
const unknownMs = 2_000;

/** A job's signing secret, from wherever it is kept; null when there is none. @throws whatever says that nobody knows */
export type ReadSecret = (workflowId: string) => Promise<string | null>;

interface Found {
  secret: string | null;
  /** By `performance.now()`. */
  at: number;
}

/** The signing secrets of the jobs that send webhooks: read once, and again when they are missing or do not fit. */
export class JobSecrets {
  readonly #read: ReadSecret;
  readonly #found: LRUCache<string, Found>;
  readonly #reading = new Map<string, Promise<string | null>>();

  /** @param maxJobs jobs remembered, default 10,000 */
  constructor(read: ReadSecret, maxJobs = 10_000) {
    this.#read = read;
    this.#found = new LRUCache({ max: maxJobs });
  }

  /**
   * Whether the job's secret, when it has one, passes the check; true when it has none. One that does not pass is read again, since a job that was
   * created anew has another.
   * @throws whatever reading throws
   */
  async passes(workflowId: string, check: (secret: string) => boolean): Promise<boolean> {
    const fits = (secret: string | null): boolean => secret === null || check(secret);
    const known = await this.#get(workflowId, knownMs);
    if (fits(known)) return true;
    const fresh = await this.#get(workflowId, unknownMs);
    return fresh !== known && fits(fresh);
  }

  async #get(workflowId: string, maxAgeMs: number): Promise<string | null> {
    const found = this.#found.get(workflowId);
    const age = found ? performance.now() - found.at : Infinity;
    if (found && age < (found.secret === null ? unknownMs : maxAgeMs)) return found.secret;
    return this.#reading.get(workflowId) ?? this.#readOnce(workflowId);
  }

  #readOnce(workflowId: string): Promise<string | null> {
    const reading = this.#read(workflowId)
      .then((secret) => {
        this.#found.set(workflowId, { secret, at: performance.now() });
        return secret;
      })
      .finally(() => this.#reading.delete(workflowId));
    this.#reading.set(workflowId, reading);
    return reading;
  }
}
