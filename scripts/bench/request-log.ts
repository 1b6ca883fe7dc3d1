import type { Simulator } from '../../src/simulator/server';

/** One kind of work, by the task queue whose activities ask for it. */
export type RequestKind = 'api' | 'transfer' | 'archive';

/** A request as it reached the simulator. */
export interface LoggedRequest {
  kind: RequestKind;
  operation: string;
  /** The job it is about, as its workflow id; null for requests about none, such as the search for the project. */
  job: string | null;
  /** By the clock of this machine, which is Temporal's too, in ms. */
  atMs: number;
}

const kinds: Record<string, RequestKind> = {
  listProjects: 'api', getProject: 'api', listJobs: 'api', createJob: 'api', completeUploads: 'api', cancelJob: 'api', resumeJob: 'api', getJob: 'api',
  registerUploads: 'transfer', putObject: 'transfer', putPart: 'transfer', getJobResult: 'archive', getJobArtifact: 'archive',
};

/** The requests to a simulator of this process, in the order in which it takes them up, whatever becomes of them. */
export class RequestLog {
  readonly requests: LoggedRequest[] = [];
  readonly #completed = new Set<string>();
  readonly #archived = new Set<string>();

  constructor({ state: { faults } }: Simulator) {
    const forRequest = faults.forRequest.bind(faults);
    faults.forRequest = (operation, path, job) => {
      // Which job a create call is about is known only once its body has been read.
      if (operation !== 'createJob') this.#add(operation, job?.externalId ?? null);
      return forRequest(operation, path, job);
    };
    const forNewJob = faults.forNewJob.bind(faults);
    faults.forNewJob = (externalId) => {
      this.#add('createJob', externalId);
      return forNewJob(externalId);
    };
  }

  /** Those of one kind about one batch's jobs. */
  of(batchId: string, kind: RequestKind): LoggedRequest[] {
    return this.requests.filter((request) => request.kind === kind && request.job?.startsWith(`batch/${batchId}/`));
  }

  #add(operation: string, job: string | null): void {
    const kind = operation === 'getJob' && job !== null ? this.#reader(job) : kinds[operation];
    if (!kind) return;
    if (operation === 'completeUploads') this.#completed.add(job ?? '');
    if (operation === 'getJobResult') this.#archived.add(job ?? '');
    this.requests.push({ kind, operation, job, atMs: Date.now() });
  }

  /** Who reads a job: its upload before it is closed, its archiving once that has asked for the result, and the API queue between. */
  #reader(job: string): RequestKind {
    if (this.#archived.has(job)) return 'archive';
    return this.#completed.has(job) ? 'api' : 'transfer';
  }
}
