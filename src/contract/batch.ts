import { z } from 'zod';

/** Plangrep's classification hints; omitted means it classifies by itself (/concepts/uploads). */
export const classifications = ['plans', 'specifications', 'documents', 'addenda', 'mixed', 'other'] as const;
export const classificationSchema = z.enum(classifications);
/** See {@link classifications}. */
export type Classification = z.infer<typeof classificationSchema>;

/** The most files one job takes (/concepts/uploads). */
export const maxFilesPerJob = 100;
/** The most declared bytes one job takes: decimal 10 GB, equal allowed (/api-reference/uploads/register-uploads). */
export const maxBytesPerJob = 10_000_000_000;

/** Limits of one job. Each may only lower what Plangrep allows; after creation `job.limits` counts when it is lower still. */
export const limitsSchema = z.strictObject({
  /** Files a job. Default and upper bound 100. */
  maxFiles: z.number().int().min(1).max(maxFilesPerJob).optional(),
  /** Bytes a job. Default and upper bound 10,000,000,000. */
  maxBytes: z.number().int().min(1).max(maxBytesPerJob).optional(),
  /** Pages a job; makes planning count pages. Default: no limit. */
  maxPages: z.number().int().min(1).optional(),
});
/** See {@link limitsSchema}. */
export type Limits = z.infer<typeof limitsSchema>;

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hex digits');
const pathSchema = z.string().min(1).refine((path) => !path.includes('\0'), 'must not contain a NUL character');

/** One document of an inline or file list. */
export const listedDocumentSchema = z.strictObject({
  /** In a list file: relative to the list's folder. Inline: absolute, as the worker sees it. `%XX` stands for a byte, `%25` for a percent sign. */
  path: pathSchema,
  /** The name sent to Plangrep. Default: the last part of the path. */
  fileName: z.string().min(1).optional(),
  classification: classificationSchema.optional(),
  /** Default: by the name's extension, else `application/octet-stream`. */
  contentType: z.string().regex(/^[\w.+-]+\/[\w.+-]+$/, 'must look like application/pdf').optional(),
  /** Spares a look at the file while planning; a file of another size is then `rejected: changed`. List files only. */
  sizeBytes: z.number().int().min(0).optional(),
  /** Spares hashing while planning; the upload checks it. List files only. */
  sha256: sha256Schema.optional(),
});
/** See {@link listedDocumentSchema}. */
export type ListedDocument = z.infer<typeof listedDocumentSchema>;

/** Where a batch's documents come from. All paths are absolute, as the worker sees them. */
export const sourceSchema = z.union([
  z.strictObject({
    /** Read recursively; links are followed inside the folder only. */
    folder: pathSchema,
    /** Globs over the path below the folder; a file that matches none is no input. Default: every file. */
    include: z.array(z.string().min(1)).optional(),
    /** Globs that take files out again. */
    exclude: z.array(z.string().min(1)).optional(),
  }),
  z.strictObject({
    /** A `.csv` file with a header line, else JSON Lines; see {@link listedDocumentSchema}. */
    list: pathSchema,
  }),
  z.strictObject({
    /**
     * Id of a finished batch: its documents that were not processed, where they lie now. Of those, documents whose pages were or may
     * have been paid for are taken only with `retryPartialDocuments`.
     */
    retryOf: z.string().min(1).max(120),
  }),
  z.strictObject({
    /** Up to 1,000 documents with absolute paths. */
    documents: z.array(listedDocumentSchema.omit({ sizeBytes: true, sha256: true })).max(1000),
  }),
]);
/** See {@link sourceSchema}. */
export type Source = z.infer<typeof sourceSchema>;

/**
 * What starts a batch: for `BatchClient`, the CLI, schedules and Temporal's own clients alike.
 * Unknown fields are refused by name. The batch's id is not part of it: it comes from the workflow id.
 */
export const batchInputSchema = z.strictObject({
  /** Id or name of a project of the account, matched against the ids first. */
  project: z.string().min(1).max(180),
  source: sourceSchema,
  /** Glob over the source path, to a classification; the first match wins, a list's own value wins over all. */
  classify: z.array(z.strictObject({ glob: z.string().min(1), classification: classificationSchema })).max(100).default([]),
  limits: limitsSchema.default({}),
  /** Jobs of this batch that run at the same time, 1 to 500. */
  maxConcurrentJobs: z.number().int().min(1).max(500).default(5),
  /** `signed` (= `auto`): registered uploads to signed URLs. `form`: the multipart form, for files under 200 MB. */
  upload: z.enum(['auto', 'form', 'signed']).default('auto'),
  /** Create the project when no id or name matches. It costs credits, so it must be asked for. */
  createProject: z.boolean().default(false),
  /** A source without documents ends well instead of failing the batch. */
  allowEmpty: z.boolean().default(false),
  /** Documents content-equal to one that an earlier batch of this project processed, or that a running one is at, are `skipped`. Makes planning hash everything. */
  skipProcessed: z.boolean().default(false),
  /** How often a document without a successful page is sent again in a new job, 0 to 5. */
  retryFailedDocuments: z.number().int().min(0).max(5).default(1),
  /** Send documents again of which pages were, or may have been, paid for: those pages are paid for once more. */
  retryPartialDocuments: z.boolean().default(false),
  /** A job that failed before anything was paid is split in halves, until the document that spoils it stands alone. */
  splitFailedJobs: z.boolean().default(true),
  /** Refuse to start when the plan's estimate can cost more credits than this. Makes planning count pages. Default: no limit. */
  maxCredits: z.number().int().min(1).optional(),
  /** While the gate is closed, try by itself after 5 minutes, growing to 60, whether it can open. */
  probe: z.boolean().default(true),
  /** 1 (first) to 5 (last) among batches that share workers. Default 3. */
  priority: z.number().int().min(1).max(5).optional(),
  /** Fairness key among batches of one priority, at most 64 bytes. Default: one of the batch's own. */
  tenant: z.string().min(1).refine((key) => Buffer.byteLength(key) <= 64, 'must have at most 64 bytes').optional(),
  /** Copied into manifest and memo; at most 20 labels. */
  labels: z.record(z.string().min(1).max(64), z.string().max(256)).refine((map) => Object.keys(map).length <= 20, 'must have at most 20 labels').default({}),
});
/** A batch input with every default filled in. */
export type BatchInput = z.output<typeof batchInputSchema>;
/** A batch input as a caller writes it. */
export type BatchInputOptions = z.input<typeof batchInputSchema>;

/** One problem of an input: the field's path and what is wrong with it. */
export interface InputProblem {
  field: string;
  message: string;
}

/** The problems of a failed parse, one per field; an unknown field is named itself. */
export function inputProblems(error: z.ZodError): InputProblem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: 'is not a known field' }));
    }
    return [{ field: path.join('.') || '(input)', message: issue.message }];
  });
}

/** How a document ended. */
export const outcomes = ['processed', 'partial', 'failed', 'rejected', 'duplicate', 'skipped', 'cancelled', 'expired'] as const;
export const outcomeSchema = z.enum(outcomes);
/** See {@link outcomes}. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** Why a document is not `processed`. */
export const reasonCodes = [
  'too_large', 'too_many_pages', 'empty', 'unreadable', 'not_a_file', 'outside_source', 'unsupported', 'changed', 'partial',
  'remote_error', 'job_failed', 'job_workflow_lost', 'unauthorized', 'cancelled', 'expired', 'duplicate', 'skipped',
] as const;
export const reasonSchema = z.object({ code: z.enum(reasonCodes), message: z.string() });
/** A reason code and a sentence for people. */
export type Reason = z.infer<typeof reasonSchema>;

/** Documents by outcome; an outcome that is absent did not occur. */
export const countsSchema = z.partialRecord(outcomeSchema, z.number().int().min(0));
/** See {@link countsSchema}. */
export type Counts = z.infer<typeof countsSchema>;

/** Where a batch stands; the values of the search attribute `BatchStatus`. */
export const batchStatuses = [
  'planning', 'running', 'paused', 'blocked_credits', 'blocked_auth', 'failing', 'archiving',
  'completed', 'completed_with_errors', 'failed', 'cancelled',
] as const;
/** See {@link batchStatuses}. */
export type BatchStatus = (typeof batchStatuses)[number];

/**
 * Why a batch starts no new job. `paused`: an operator said so. `insufficient_credits`: a job is blocked, or a call was refused, for credits.
 * `unauthorized`: the key is refused. `job_not_found`: a job that must exist is not there for this key. `failing`: three jobs in a row
 * failed with one code.
 */
export const gateReasons = ['paused', 'insufficient_credits', 'unauthorized', 'job_not_found', 'failing'] as const;
/** See {@link gateReasons}. */
export type GateReason = (typeof gateReasons)[number];

/** A closed gate. */
export interface Gate {
  reason: GateReason;
  /** ISO. */
  since: string;
  /** When the batch tries by itself; null when only an operator can open it. */
  nextProbeAt: string | null;
}

/** An open job whose deadline nears: half of its time is over (50) or nine tenths (10 percent left). */
export interface DeadlineWarning {
  job: number;
  expiresAt: string;
  percentLeft: 50 | 10;
}

/** The answer of the `status` query and the result of `batchWorkflow`: what the workflow itself knows. A few hundred bytes at any size. */
export interface BatchProgress {
  status: BatchStatus;
  /** Closed: no new job starts, and why. */
  gate: Gate | null;
  /** The most urgent of the jobs whose deadline nears. */
  warning: DeadlineWarning | null;
  /** Accepted and rejected documents of the plan; 0 while planning. */
  documents: number;
  /** Documents with an outcome. */
  documentsDone: number;
  counts: Counts;
  jobs: { planned: number; open: number; done: number };
  /** Bytes of the documents that jobs get. */
  bytes: number;
  /** Pages as the results count them, so far. */
  pages: number;
  /** Credits debited so far, as the jobs say. */
  credits: number;
  /** Where the worker archives: a folder. */
  archive: string | null;
  /** Why the batch failed. */
  error: null | { code: string; message: string };
}
