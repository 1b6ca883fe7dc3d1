import { z } from 'zod';

const times = z.number().int().min(0).optional();
const problemSchema = z.strictObject({ code: z.string(), message: z.string().default('Scripted failure.') });

/** Something that goes wrong with requests. Without an effect of its own it answers 500. */
const requestFaultSchema = z.strictObject({
  kind: z.literal('request'),
  /** An operation: an `operationId` of docs/openapi.yaml, or `putObject`, `putPart`, `getResultFile` of the storage. Default: every operation. */
  operation: z.string().optional(),
  /** Part of the path, for instance a job's id. */
  path: z.string().optional(),
  /** The first matching request it hits, counted from 1 since the fault was set. Default 1. */
  nth: z.number().int().min(1).default(1),
  /** How many matching requests it hits from there on; 0: all. Default 1. */
  times,
  /** Answers with this status instead of doing anything, or, with `after`, having done it. */
  status: z.number().int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  /** Body of that answer: JSON, or a text as it is. Default: an error body. */
  body: z.unknown().optional(),
  /** Answers with a gateway's HTML page; status 502 unless given. */
  html: z.boolean().optional(),
  /** Does what was asked before the `status` answer. */
  after: z.boolean().optional(),
  /** Waits this long, in real time, before anything else. */
  delayMs: z.number().int().min(0).max(600_000).optional(),
  /** Cuts the connection: before anything was done, or having done it. */
  drop: z.enum(['before', 'after']).optional(),
  /** Cuts the connection after this many bytes of the answer's body. */
  truncateBytes: z.number().int().min(1).optional(),
  /** The ETag of the answer instead of the right one; the body is as it was. */
  etag: z.string().optional(),
});

/** Something about jobs that are created, or completed, from now on. */
const jobFaultSchema = z.strictObject({
  kind: z.literal('job'),
  /** Only jobs whose externalId contains this. */
  externalId: z.string().optional(),
  /** `failJob` only: only jobs with a document of this name. */
  fileName: z.string().optional(),
  /** How many jobs; 0: all. Default: all. */
  times,
  /** Limits of the job at its creation. */
  limits: z.strictObject({ maxFiles: z.number().int().min(0).optional(), maxDeclaredBytes: z.number().int().min(0).optional() }).optional(),
  /** Time in `provisioning`. */
  provisioningMs: z.number().int().min(0).optional(),
  /** Fills the result up to this many bytes. */
  resultBytes: z.number().int().min(0).max(4 * 2 ** 30).optional(),
  /** Stands alone: ends the job as `failed`, at preflight (nothing is debited) or when half of its documents are done. */
  failJob: problemSchema.extend({ at: z.enum(['preflight', 'processing']).default('preflight') }).optional(),
});

/** Something about documents that are processed from now on. */
const documentFaultSchema = z.strictObject({
  kind: z.literal('document'),
  /** Its whole name. */
  fileName: z.string(),
  /** How many documents; 0: all. Default: all. */
  times,
  /** Pages that do not come out, from 1. */
  failPages: z.union([z.array(z.number().int().min(1)), z.literal('all')]),
  error: problemSchema.optional(),
});

/** Something about projects that are created from now on. */
const projectFaultSchema = z.strictObject({
  kind: z.literal('project'),
  /** Its whole name. */
  name: z.string().optional(),
  times,
  provisioningMs: z.number().int().min(0).optional(),
  /** Ends as `failed` instead of `ready`. */
  failed: z.boolean().optional(),
  upgradeStatus: z.string().nullable().optional(),
});

/** One scripted fault, as `POST /faults` takes it. */
export const faultSchema = z.discriminatedUnion('kind', [requestFaultSchema, jobFaultSchema, documentFaultSchema, projectFaultSchema]);
/** See {@link faultSchema}. */
export type Fault = z.infer<typeof faultSchema>;
/** A fault as a caller writes it. */
export type FaultOptions = z.input<typeof faultSchema>;
/** A fault of requests. */
export type RequestFault = z.infer<typeof requestFaultSchema>;
/** A fault of jobs. */
export type JobFault = z.infer<typeof jobFaultSchema>;
/** A fault of documents. */
export type DocumentFault = z.infer<typeof documentFaultSchema>;
/** A fault of projects. */
export type ProjectFault = z.infer<typeof projectFaultSchema>;

interface Armed<F extends Fault = Fault> {
  fault: F;
  /** Matches before the first hit. */
  waiting: number;
  left: number;
}

/** The scripted faults that are in force, in the order they were set; of several that match, the first one counts. */
export class Faults {
  #armed: Armed[] = [];

  /** Sets a fault. */
  add(options: FaultOptions): void {
    const fault = faultSchema.parse(options);
    const given = fault.times ?? (fault.kind === 'request' ? 1 : 0);
    this.#armed.push({ fault, waiting: fault.kind === 'request' ? fault.nth - 1 : 0, left: given === 0 ? Infinity : given });
  }

  /** Those in force. */
  list(): Fault[] {
    return this.#armed.map((armed) => armed.fault);
  }

  /** Ends all. */
  clear(): void {
    this.#armed = [];
  }

  /** What goes wrong with a request. */
  forRequest(operation: string, path: string): RequestFault | undefined {
    return this.#take('request', (fault) => (fault.operation ?? operation) === operation && path.includes(fault.path ?? ''));
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
    for (const armed of this.#armed) {
      const fault = armed.fault as Extract<Fault, { kind: K }>;
      if (armed.fault.kind !== kind || !matches(fault)) continue;
      if (armed.waiting > 0) {
        armed.waiting -= 1;
        continue;
      }
      armed.left -= 1;
      if (armed.left <= 0) this.#armed = this.#armed.filter((other) => other !== armed);
      return fault;
    }
    return undefined;
  }
}
