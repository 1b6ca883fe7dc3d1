import { faultSchema, type DocumentFault, type Fault, type FaultOptions, type JobFault, type ProjectFault, type RequestFault, type WebhookFault } from './faults';
import type { JobStatus } from './job';

interface Armed<F extends Fault = Fault> {
  fault: F;
  /** Matches before the first hit. */
  waiting: number;
  left: number;
  /** On the simulator's clock. */
  endsAtMs: number;
  /** How far a fault with a rate is on its way to the next hit; it hits at 1. */
  due: number;
}

/** The scripted faults that are in force, in the order they were set; of several that match, the first one counts. */
export class Faults {
  #armed: Armed[] = [];
  readonly #untilCleared: (() => void)[] = [];
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Sets a fault. */
  add(options: FaultOptions): void {
    const fault = faultSchema.parse(options);
    const given = fault.kind === 'storage' ? 0 : (fault.times ?? (fault.kind === 'request' ? 1 : 0));
    this.#armed.push({ fault, waiting: fault.kind === 'request' ? fault.nth - 1 : 0, left: given === 0 ? Infinity : given, endsAtMs: this.#now() + (fault.forMs ?? Infinity), due: 0 });
  }

  /** Those in force. */
  list(): Fault[] {
    this.#endOld();
    return this.#armed.map((armed) => armed.fault);
  }

  /** Ends all. */
  clear(): void {
    this.#armed = [];
    for (const goOn of this.#untilCleared.splice(0)) goOn();
  }

  /** Resolves at the next {@link clear}. */
  cleared(): Promise<void> {
    return new Promise((resolve) => this.#untilCleared.push(resolve));
  }

  /** Bytes that storage takes in a second, all connections together; undefined: as they come. */
  storageRate(): number | undefined {
    if (this.#armed.length === 0) return undefined;
    this.#endOld();
    return this.#armed.map(({ fault }) => fault).find((fault) => fault.kind === 'storage')?.bytesPerSecond;
  }

  /** What goes wrong with a request, and with the job it is about. */
  forRequest(operation: string, path: string, job?: { externalId: string | null }): RequestFault | undefined {
    return this.#take(
      'request',
      (fault) =>
        (fault.operation ?? operation) === operation &&
        path.includes(fault.path ?? '') &&
        (fault.externalId === undefined || (job?.externalId ?? '').includes(fault.externalId)),
    );
  }

  /** What becomes of a webhook. */
  forWebhook(externalId: string | null, status: JobStatus): WebhookFault | undefined {
    return this.#take('webhook', (fault) => (externalId ?? '').includes(fault.externalId ?? '') && (fault.status ?? status) === status);
  }

  /** What is special about a job that is being created. */
  forNewJob(externalId: string | null): JobFault | undefined {
    return this.#take('job', (fault) => !fault.failJob && (externalId ?? '').includes(fault.externalId ?? ''));
  }

  /** How a job with these documents fails. */
  forJobFailure(externalId: string | null, fileNames: string[], at: 'preflight' | 'processing'): JobFault['failJob'] {
    const hit = this.#take(
      'job',
      (fault) =>
        fault.failJob?.at === at &&
        (externalId ?? '').includes(fault.externalId ?? '') &&
        (fault.fileName === undefined || fileNames.includes(fault.fileName)),
    );
    return hit?.failJob;
  }

  /** What goes wrong with a document's pages. */
  forDocument(fileName: string): DocumentFault | undefined {
    return this.#take('document', (fault) => fault.fileName === fileName);
  }

  /** What is special about a project that is being created. */
  forProject(name: string): ProjectFault | undefined {
    return this.#take('project', (fault) => (fault.name ?? name) === name);
  }

  #take<K extends Fault['kind']>(kind: K, matches: (fault: Extract<Fault, { kind: K }>) => boolean): Extract<Fault, { kind: K }> | undefined {
    this.#endOld();
    for (const armed of this.#armed) {
      const fault = armed.fault as Extract<Fault, { kind: K }>;
      if (armed.fault.kind !== kind || !matches(fault)) continue;
      if (armed.waiting > 0) {
        armed.waiting -= 1;
        continue;
      }
      if (!isDue(armed)) continue;
      armed.left -= 1;
      if (armed.left <= 0) this.#armed = this.#armed.filter((other) => other !== armed);
      return fault;
    }
    return undefined;
  }

  #endOld(): void {
    this.#armed = this.#armed.filter(({ endsAtMs }) => endsAtMs > this.#now());
  }
}

/** Whether this match is among the share that is hit; the small addition makes up for fractions like 0.1. */
function isDue(armed: Armed): boolean {
  armed.due += 'rate' in armed.fault ? armed.fault.rate : 1;
  if (armed.due < 1 - 1e-9) return false;
  armed.due -= 1;
  return true;
}
