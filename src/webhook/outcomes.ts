/** How a request ended. All but the last four answers of a job's address are 404 or 2xx; which one is for the operator only. */
export const outcomes = [
  /** Told to the job's workflow. */
  'signalled',
  /** Will be told within ten seconds: its status was told a moment ago. */
  'waiting',
  /** Told before. */
  'repeated',
  /** A status that is no reason to look at the job. */
  'ignored',
  /** The job's workflow is over. */
  'gone',
  /** No address of ours, or one with another token. */
  'unknown_address',
  /** The signature does not fit the job's secret. */
  'bad_signature',
  /** More than the limit. */
  'too_large',
  /** Too many, or too long, webhooks of this job at once; the sender may try again. */
  'overloaded',
  /** Temporal does not answer; the sender may try again. */
  'unavailable',
] as const;
/** See {@link outcomes}. */
export type Outcome = (typeof outcomes)[number];

/** Counts since the start. */
export class Counters {
  readonly requests = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  /** Signals that were sent after their request had been answered. */
  lateSignals = 0;
  /** News that were given up: Temporal did not answer, and more jobs waited than are remembered. Polling finds what changed. */
  givenUp = 0;
  /** Connections that had to make room for others. */
  droppedConnections = 0;

  /** The counts as a Prometheus page. */
  page(): string {
    const lines = outcomes.map((outcome) => `plangrep_webhook_requests_total{outcome="${outcome}"} ${this.requests[outcome]}`);
    return [
      '# HELP plangrep_webhook_requests_total Webhooks by what became of them.',
      '# TYPE plangrep_webhook_requests_total counter',
      ...lines,
      ...single('late_signals', 'Signals sent after their webhook had been answered.', this.lateSignals),
      ...single('given_up', 'News that could not be told to their jobs: polling finds what changed.', this.givenUp),
      ...single('dropped_connections', 'Connections that had to make room for others.', this.droppedConnections),
      '',
    ].join('\n');
  }
}

function single(name: string, help: string, count: number): string[] {
  const metric = `plangrep_webhook_${name}_total`;
  return [`# HELP ${metric} ${help}`, `# TYPE ${metric} counter`, `${metric} ${count}`];
}
