import { z } from 'zod';
import { batchInputSchema, classificationSchema, countsSchema, limitsSchema, outcomeSchema, reasonSchema } from './batch';

const jobNumber = z.number().int().min(1);
const bytes = z.number().int().min(0);

/** `input.json`: the accepted input. */
export const inputFileSchema = z.object({ batchId: z.string(), input: batchInputSchema, acceptedAt: z.string() });
/** See {@link inputFileSchema}. */
export type InputFile = z.infer<typeof inputFileSchema>;

/** One line of `plan.jsonl`. Exactly one of `job` and `reason` is null. */
export const planLineSchema = z.object({
  /** 1-based line number. */
  seq: z.number().int().min(1),
  /** Path below the plan's root, `/` between parts; `%` and bytes that are not UTF-8 as `%XX`. */
  source: z.string(),
  /** The name sent to Plangrep, unique in its job. */
  fileName: z.string(),
  contentType: z.string(),
  sizeBytes: bytes.nullable(),
  /** Known when the list gave it, or when planning had to compare; else the job hashes before it registers. */
  sha256: z.string().nullable(),
  /** Local count, when planning had to count. */
  pages: z.number().int().nullable(),
  classification: classificationSchema.nullable(),
  /** Modification time and inode as planning saw them; null for a list that gives sizes. The upload compares. */
  mtimeMs: z.number().nullable(),
  inode: z.string().nullable(),
  job: jobNumber.nullable(),
  reason: reasonSchema.nullable(),
  /** `seq` of the document with the same content, for `reason.code` `duplicate`. */
  duplicateOf: z.number().int().nullable(),
});
/** See {@link planLineSchema}. */
export type PlanLine = z.infer<typeof planLineSchema>;

/** A run of lines in `plan.jsonl`, in bytes. */
export const planRangeSchema = z.object({ offset: bytes, length: bytes, documents: z.number().int(), sizeBytes: bytes, pages: z.number().int().nullable() });
/** See {@link planRangeSchema}. */
export type PlanRange = z.infer<typeof planRangeSchema>;

/** `plan.json`. */
export const planSchema = z.object({
  batchId: z.string(),
  /** Absolute root that `source` is relative to. */
  root: z.string(),
  createdAt: z.string(),
  documents: z.number().int(),
  rejected: z.number().int(),
  duplicates: z.number().int(),
  /** Documents that an earlier batch processed, or a running one is at. */
  skipped: z.number().int().default(0),
  bytes,
  /** Sum of the local counts; null when not counted. */
  pages: z.number().int().nullable(),
  /** When pages were counted: documents in jobs whose pages could not be, so that neither `pages` nor `credits` has them. */
  uncounted: z.number().int().optional(),
  /** Of a batch that is retried: documents that were not taken although they are not processed, since their pages were or may have been paid for. */
  leftOut: z.number().int().optional(),
  limits: limitsSchema,
  lowerBoundJobs: z.number().int(),
  /** Credits: pages all as document pages to pages all as drawing pages; null when pages were not counted. */
  credits: z.object({ min: z.number(), max: z.number() }).nullable(),
  /** Jobs in order: job n is entry n - 1. */
  jobs: z.array(planRangeSchema),
  /** SHA-256 of plan.jsonl. */
  sha256: z.string(),
});
/** See {@link planSchema}. */
export type Plan = z.infer<typeof planSchema>;

/** `work/<batchId>/followups/<n>.json`: a job that was not in the plan, made of parts of one that was. */
export const followUpSchema = z.object({
  job: jobNumber,
  parent: jobNumber,
  ranges: z.array(planRangeSchema),
  /** How often the documents have been sent again because they failed; 0 for parts of a job that was split. */
  resends: z.number().int().min(0).default(0),
  /** How often the documents got another job because theirs was refused before anything was paid. */
  refusals: z.number().int().min(0).default(0),
});
/** See {@link followUpSchema}. */
export type FollowUp = z.infer<typeof followUpSchema>;

/** One line of a job's `files.jsonl`. `path` is relative to the job's folder. */
export const archivedFileSchema = z.object({ path: z.string(), sizeBytes: bytes, sha256: z.string() });
/** See {@link archivedFileSchema}. */
export type ArchivedFile = z.infer<typeof archivedFileSchema>;

/** An archived artifact of a document. `path` is relative to the batch's folder. */
export const archivedArtifactSchema = archivedFileSchema.extend({ type: z.string() });
/** See {@link archivedArtifactSchema}. */
export type ArchivedArtifact = z.infer<typeof archivedArtifactSchema>;

/** One line of a job's `documents.jsonl`, and the part of a manifest line that the job decides. */
export const documentOutcomeSchema = z.object({
  seq: z.number().int().min(1),
  outcome: outcomeSchema,
  reason: reasonSchema.nullable(),
  /** Null when never sent. */
  jobId: z.string().nullable(),
  documentId: z.string().nullable(),
  sha256: z.string().nullable(),
  pages: z.number().int().nullable(),
  /** Pages that did not come out, for `partial`. */
  pagesFailed: z.number().int().nullable(),
  /** Pages that came out and were paid for: 0 for a document that was never sent; null when nothing says. */
  pagesPaid: z.number().int().nullable().default(null),
  credits: z.number().nullable(),
  /** The batch-relative path of result.json and the position in its `documents[]`. */
  result: z.object({ path: z.string(), index: z.number().int().min(0) }).nullable(),
  artifacts: z.array(archivedArtifactSchema),
});
/** See {@link documentOutcomeSchema}. */
export type DocumentOutcome = z.infer<typeof documentOutcomeSchema>;

/**
 * `job.json`: the last job object seen, without URLs, and which of the batch's jobs it is.
 * Written last of a job's files, after `documents.jsonl` and `files.jsonl`. What Plangrep did not say is null.
 */
export const jobFileSchema = z.object({
  job: jobNumber,
  /** The job this one is a part of; null for a job of the plan. */
  parent: jobNumber.nullable(),
  batchId: z.string(),
  /** The remote job of the last generation; null, with all else Plangrep says, when none was created. */
  jobId: z.string().nullable(),
  externalId: z.string().nullable(),
  /** As Plangrep spells it; a status it does not document stays as it is. */
  status: z.string().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  creditsDebited: z.number().nullable(),
  pageCount: z.number().int().nullable(),
  createdAt: z.string().nullable(),
  expiresAt: z.string().nullable(),
  completedAt: z.string().nullable(),
  /** Lines of `documents.jsonl`. */
  documents: z.number().int().min(0),
});
/** See {@link jobFileSchema}. */
export type JobFile = z.infer<typeof jobFileSchema>;

/** One line of `manifest.jsonl`: one document, in plan order. */
export const manifestLineSchema = z.object({
  seq: z.number().int().min(1),
  source: z.string(),
  fileName: z.string(),
  sizeBytes: bytes.nullable(),
  sha256: z.string().nullable(),
  pages: z.number().int().nullable(),
  classification: classificationSchema.nullable(),
  outcome: outcomeSchema,
  reason: reasonSchema.nullable(),
  job: jobNumber.nullable(),
  jobId: z.string().nullable(),
  documentId: z.string().nullable(),
  duplicateOf: z.number().int().nullable(),
  credits: z.number().nullable(),
  pagesFailed: z.number().int().nullable(),
  result: documentOutcomeSchema.shape.result,
  artifacts: z.array(archivedArtifactSchema),
});
/** See {@link manifestLineSchema}. */
export type ManifestLine = z.infer<typeof manifestLineSchema>;

/** `manifest.json`, written last, once. */
export const manifestSchema = z.object({
  batchId: z.string(),
  status: z.enum(['completed', 'completed_with_errors', 'failed', 'cancelled']),
  labels: z.record(z.string(), z.string()),
  /** The batch whose documents this one sent again. */
  retryOf: z.string().nullable().default(null),
  projectId: z.string().nullable(),
  startedAt: z.string(),
  closedAt: z.string(),
  /** `documents` and each outcome; the outcomes add up to `documents`. */
  counts: z.object({ documents: z.number().int() }).extend(Object.fromEntries(outcomeSchema.options.map((o) => [o, z.number().int()])) as Record<z.infer<typeof outcomeSchema>, z.ZodNumber>),
  pages: z.number().int(),
  bytes,
  credits: z.number(),
  /** `jobId`: the remote job of the last generation, null when none was created. */
  jobs: z.array(z.object({ job: jobNumber, jobId: z.string().nullable(), status: z.string().nullable(), parent: jobNumber.nullable(), documents: z.number().int(), credits: z.number() })),
  /**
   * SHA-256 by batch-relative path of every file that no files.jsonl names: input.json, plan.json, plan.jsonl, manifest.jsonl,
   * and each job's job.json, documents.jsonl and files.jsonl. Together with `checksum` no byte of the batch is left unguarded.
   */
  sha256: z.record(z.string(), z.string()),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** SHA-256 of this file as it would read without this field: JSON with two spaces of indent and a newline at the end. */
  checksum: z.string(),
});
/** See {@link manifestSchema}. */
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * `ledger/<projectId>/<sha256[0:2]>/<sha256>.json`: what became of a content in this project, so that a later batch with `skipProcessed`
 * passes it over. A claim is made before a registration; it may be taken over once its batch and its job are closed.
 */
export const ledgerEntrySchema = z.object({
  sha256: z.string(),
  state: z.enum(['claimed', 'processed', 'partial']),
  batchId: z.string(),
  job: jobNumber,
  seq: z.number().int().min(1),
  jobId: z.string().nullable(),
  documentId: z.string().nullable(),
  /** Of a claim: the run of the job's workflow that made it. A run that was started later makes it anew before it sends. */
  runId: z.string().nullable().default(null),
  /** Pages of this content were, or may have been, paid for. A claim remembers it of the entry that it replaced. */
  paid: z.boolean().default(false),
  at: z.string(),
});
/** See {@link ledgerEntrySchema}. */
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;

/** What `documents.jsonl` of a job adds up to; also part of the report to the batch. */
export const jobTotalsSchema = z.object({ counts: countsSchema, pages: z.number().int(), credits: z.number() });
/** See {@link jobTotalsSchema}. */
export type JobTotals = z.infer<typeof jobTotalsSchema>;

/** `work/.../intent.json`: the create call as it was decided before the first POST, so that every retry sends the same. */
export const createIntentSchema = z.object({
  generation: z.number().int().min(1),
  externalId: z.string(),
  idempotencyKey: z.string(),
  /** The call's body as JSON, sealed for the job's workflow id: it holds the webhook's URL token. */
  body: z.string(),
  /** When it was decided, or when the project's jobs were last searched for it. */
  at: z.string(),
});
/** See {@link createIntentSchema}. */
export type CreateIntent = z.infer<typeof createIntentSchema>;

/** `work/.../remote.json`: the remote job that a create call made. */
export const remoteJobSchema = z.object({
  jobId: z.string(),
  externalId: z.string(),
  createdAt: z.string(),
  /** Null until a job object told it. */
  expiresAt: z.string().nullable(),
  maxFiles: z.number().int().nullable(),
  maxBytes: z.number().int().nullable(),
  /** The webhook signing secret, sealed for the job's workflow id; null when the answer had none. */
  webhookSecret: z.string().nullable().default(null),
});
/** See {@link remoteJobSchema}. */
export type RemoteJobFile = z.infer<typeof remoteJobSchema>;

/** One line of `work/.../uploads.jsonl`: what became of a document's upload. */
export const uploadRecordSchema = z.object({
  seq: z.number().int().min(1),
  /** Null when it was never registered. */
  documentId: z.string().nullable(),
  sha256: z.string().nullable(),
  sizeBytes: bytes,
  sent: z.boolean(),
  /** Why it was not sent. */
  reason: reasonSchema.nullable(),
});
/** See {@link uploadRecordSchema}. */
export type UploadRecord = z.infer<typeof uploadRecordSchema>;

/** One line of `work/.../results.jsonl`: what the result says of one of its documents. */
export const resultRecordSchema = z.object({
  /** Position in the result's `documents[]`. */
  index: z.number().int().min(0),
  documentId: z.string(),
  fileName: z.string().nullable(),
  /** As Plangrep spells it. */
  status: z.string().nullable(),
  pageCount: z.number().int().nullable(),
  successfulPageCount: z.number().int().nullable(),
  failedPageCount: z.number().int().nullable(),
  /** The document's own error. */
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** What the result's list of errors says first about this document. */
  issue: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** Credits by the result's own rates; null when it gives none, or does not show which rate counts. */
  credits: z.number().nullable(),
  artifacts: z.array(archivedArtifactSchema),
  /** Artifacts that the result names and Plangrep does not have: how many, and what it said about the first. */
  missing: z.object({ count: z.number().int().min(1), first: z.string() }).nullable(),
});
/** See {@link resultRecordSchema}. */
export type ResultRecord = z.infer<typeof resultRecordSchema>;
