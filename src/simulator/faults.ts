import { z } from 'zod';
import { jobStatuses } from './job';

const times = z.number().int().min(0).optional();
/** In force for so long, on the simulator's clock, from when it was set; what has not happened by then does not. Default: no end. */
const forMs = z.number().int().min(1).optional();
/** Of those that match, the share that is hit, evenly spread: 0.25 is every fourth one. Default 1: every one. */
const rate = z.number().gt(0).max(1).default(1);
const externalId = z.string().optional();
const problemSchema = z.strictObject({ code: z.string(), message: z.string().default('Scripted failure.') });

/** Something that goes wrong with requests. Without an effect of its own it answers 500. */
const requestFaultSchema = z.strictObject({
  kind: z.literal('request'),
  /** An operation: an `operationId` of docs/openapi.yaml, or `putObject`, `putPart`, `getResultFile` of the storage. Default: every operation. */
  operation: z.string().optional(),
  /** Part of the path, for instance a job's id. */
  path: z.string().optional(),
  /** Only requests about a job whose externalId contains this; `createJob` is about none yet. */
  externalId,
  /** The first matching request it hits, counted from 1 since the fault was set. Default 1. */
  nth: z.number().int().min(1).default(1),
  /** How many matching requests it hits from there on; 0: all. Default 1. */
  times,
  forMs,
  rate,
  /** Answers with this status instead of doing anything, or, with `after`, having done it. */
  status: z.number().int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  /** Body of that answer: JSON, or a text as it is. Default: an error body that fits the status. */
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
  /** The body of the answer comes at so many bytes a second, in real time. */
  dripBytesPerSecond: z.number().gt(0).max(1_000_000_000).optional(),
  /** `Content-Length` promises so many bytes more than there are, or fewer. */
  lengthOff: z.number().int().min(-1_000_000_000).max(1_000_000_000).optional(),
  /** The answer is compressed, though nobody asked for it. */
  gzip: z.boolean().optional(),
  /** Storage's PUTs: takes about so many bytes of the body, and then no more until the faults are cleared or the connection ends. */
  stallBytes: z.number().int().min(0).optional(),
  /** The ETag of the answer instead of the right one; the body is as it was. */
  etag: z.string().optional(),
});

/** Something about jobs that are created, or completed, from now on. */
const jobFaultSchema = z.strictObject({
  kind: z.literal('job'),
  /** Only jobs whose externalId contains this. */
  externalId,
  /** `failJob` only: only jobs with a document of this name. */
  fileName: z.string().optional(),
  /** How many jobs; 0: all. Default: all. */
  times,
  forMs,
  /** Limits of the job at its creation. */
  limits: z.strictObject({ maxFiles: z.number().int().min(0).optional(), maxDeclaredBytes: z.number().int().min(0).optional() }).optional(),
  /** Time in `provisioning`. */
  provisioningMs: z.number().int().min(0).optional(),
  /** From its creation to its `expiresAt`. */
  retentionMs: z.number().int().min(1).optional(),
  /** Time after `expiresAt` in which it still reads as `expired`, when it is unfinished; then 404. */
  expiredGraceMs: z.number().int().min(0).optional(),
  /** Stays in this status until the control interface releases it, or until it is cancelled. */
  hold: z.enum(['preflighting', 'processing']).optional(),
  /** A cancel during `processing` comes too late: it is answered, and the job finishes. */
  finishesFirst: z.boolean().optional(),
  /** Images of single sheets among the artifacts of a document, at most. */
  sheetArtifacts: z.number().int().min(0).max(10_000).optional(),
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
  forMs,
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
  forMs,
  provisioningMs: z.number().int().min(0).optional(),
  /** Ends as `failed` instead of `ready`. */
  failed: z.boolean().optional(),
  upgradeStatus: z.string().nullable().optional(),
});

/** What becomes of webhooks that are sent from now on. */
const webhookFaultSchema = z.strictObject({
  kind: z.literal('webhook'),
  /** Only those of jobs whose externalId contains this. */
  externalId,
  /** Only those that tell this status. */
  status: z.enum(jobStatuses).optional(),
  /** How many webhooks; 0: all. Default: all. */
  times,
  forMs,
  rate,
  /**
   * `dropped`: never sent. `duplicated`: sent `copies` times. `reordered`: sent after the job's next one that is not reordered itself, the newest
   * first; that of a terminal status is sent as it is. `delayed`: sent `delayMs` later, while others pass it. `forged`: sent with a signature
   * made with another secret.
   */
  delivery: z.enum(['dropped', 'duplicated', 'reordered', 'delayed', 'forged']),
  /** Default 2. */
  copies: z.number().int().min(2).max(100).default(2),
  /** On the simulator's clock. Default 60,000. */
  delayMs: z.number().int().min(0).max(30 * 86_400_000).default(60_000),
});

/** A slow storage. */
const storageFaultSchema = z.strictObject({
  kind: z.literal('storage'),
  forMs,
  /** Bytes of PUTs that it takes in a second, all connections together, in real time. */
  bytesPerSecond: z.number().int().min(1),
});

/** One scripted fault, as `POST /faults` takes it. */
export const faultSchema = z.discriminatedUnion('kind', [requestFaultSchema, jobFaultSchema, documentFaultSchema, projectFaultSchema, webhookFaultSchema, storageFaultSchema]);
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
/** A fault of webhooks. */
export type WebhookFault = z.infer<typeof webhookFaultSchema>;
