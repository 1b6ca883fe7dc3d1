import type { BatchSummary } from '../../src/client';

/** What the soak remembers of everything that it started: counts, never documents. */
export class Tally {
  started = 0;
  ended = 0;
  /** Batches by status. */
  readonly statuses: Record<string, number> = {};
  /** Documents by outcome. */
  readonly outcomes: Record<string, number> = {};
  /** How batches came to be: source, retry, again. */
  readonly kinds: Record<string, number> = {};
  documents = 0;
  jobs = 0;
  bytes = 0;
  credits = 0;
  archivedFiles = 0;
  archivedBytes = 0;
  readonly findings: string[] = [];

  /** Notes that a batch was started. */
  starts(kind: string): void {
    this.started += 1;
    this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
  }

  /** Notes how a batch ended. */
  ends({ status, counts, documents, bytes, credits, jobs }: BatchSummary): void {
    this.ended += 1;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    for (const [outcome, count] of Object.entries(counts)) this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + count;
    this.documents += documents;
    this.bytes += bytes;
    this.credits += credits;
    this.jobs += jobs.planned;
  }

  /** Notes what should not be. */
  finds(problems: readonly string[]): void {
    this.findings.push(...problems);
  }

  /** Batches that are not over. */
  get open(): number {
    return this.started - this.ended;
  }
}
