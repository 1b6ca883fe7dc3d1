import { z } from 'zod';

/*
 * The rule for everything that comes from the remote side: only ids and statuses are needed. Any other field may be missing,
 * null, of another type or absurd (then it is null) or new (then it is kept): a job that was paid for must not be lost over a field
 * that nobody reads.
 */
/** Longest id, status or secret, in characters: they go into histories, which take no more than a few KB. */
const maxName = 1_000;
const id = z.string().min(1).max(maxName);
const text = z.string().nullish().catch(null);
const secret = z.string().max(maxName).nullish().catch(null);
const amount = z.number().min(0).nullish().catch(null);
const count = z.int().min(0).nullish().catch(null);
/** A limit that nothing passes is none that was meant. */
const limit = z.int().min(1).nullish().catch(null);

/** Longest parts of a remote error that are kept, in characters. */
const longest = { code: 100, message: 2_000 };

/** Anything said as an error object, or as bare text, becomes `{code, message}`; see {@link remoteErrorSchema}. */
function toRemoteError(value: unknown): { code: string; message: string } | null {
  if (typeof value === 'string' && value !== '') return { code: /^[\w.:-]{1,100}$/.test(value) ? value : 'unknown', message: value.slice(0, longest.message) };
  if (typeof value !== 'object' || value === null) return null;
  const { code, message } = value as { code?: unknown; message?: unknown };
  const named = typeof code === 'string' || typeof code === 'number' ? String(code).slice(0, longest.code) : '';
  return { code: named || 'unknown', message: typeof message === 'string' ? message.slice(0, longest.message) : '' };
}

/** `error` of a job or a document: null, an object or a text; /api-reference/jobs/get-job. An object without a code gets `unknown`. */
export const remoteErrorSchema = z.unknown().transform(toRemoteError);

/** A project; /api-reference/projects/get-project. */
export const projectSchema = z.looseObject({
  id,
  status: z.string().max(maxName),
  name: text,
  projectKind: text,
  runtime: z.looseObject({ status: text, upgradeStatus: text }).nullish().catch(null),
  createdAt: text,
  updatedAt: text,
});
/** See {@link projectSchema}. */
export type Project = z.infer<typeof projectSchema>;

/** `{project}`; /api-reference/projects/create-project, get-project. */
export const projectEnvelopeSchema = z.looseObject({ project: projectSchema });
/** `{projects}`; /api-reference/projects/list-projects. */
export const projectListSchema = z.looseObject({ projects: z.array(projectSchema) });

/** One of a job's files. Its `id` is not the `documentId` of uploads and results: join by `fileName`. */
export const jobFileSchema = z.looseObject({ id: text, fileName: text, status: text });

/** A job, whole or abbreviated to `id` and `status`; /api-reference/jobs/get-job. Unknown statuses are kept: they are not terminal. */
export const jobSchema = z.looseObject({
  id,
  status: id,
  externalId: text,
  projectId: text,
  /** Bounds of this job: bytes over all its registrations, and files. */
  limits: z.looseObject({ maxFiles: limit, maxDeclaredBytes: limit }).nullish().catch(null),
  pageCount: count,
  successfulPageCount: count,
  billing: z.looseObject({ creditsDebited: amount, creditsReserved: amount }).nullish().catch(null),
  files: z.array(jobFileSchema).nullish().catch(null),
  /** Pre-signed, so a secret; never sent a key. */
  resultUrl: text,
  error: remoteErrorSchema.optional(),
  createdAt: text,
  updatedAt: text,
  completedAt: text,
  /** ISO 8601. Deadline for processing and for reading the result. */
  expiresAt: text,
});
/** See {@link jobSchema}. */
export type Job = z.infer<typeof jobSchema>;

/** `{job}`; /api-reference/jobs/get-job, resume-job, cancel-job. */
export const jobEnvelopeSchema = z.looseObject({ job: jobSchema });
const idempotent = z.boolean().nullish().catch(null);
/** Answer of create; /api-reference/jobs/create-job. */
export const createdJobSchema = z.looseObject({ job: jobSchema, idempotent, webhookSigningSecret: secret });
/** Answer of complete; /api-reference/uploads/complete-uploads. */
export const completedUploadsSchema = z.looseObject({ job: jobSchema, idempotent });

/** Answer of a registration; /api-reference/uploads/register-uploads. Its instructions are read by `instructions.ts`. */
export const registeredUploadsSchema = z.looseObject({ job: jobSchema, uploads: z.array(z.looseObject({})) });

/** One received file of a form upload; /api-reference/uploads/upload-files. */
export const formUploadSchema = z.looseObject({ documentId: text, partName: text, fileName: text, status: text });
/** Answer of a form upload. `status` is the whole request's: `uploaded`, `skipped`, or one that is not documented. */
export const formAnswerSchema = z.looseObject({ job: jobSchema, status: text, uploads: z.array(formUploadSchema).nullish().catch(null) });

/** A link to a derived file; /api-reference/artifacts/get-job-artifact. Read its path with `artifactPath`. */
export const artifactSchema = z.looseObject({ type: text, url: text, path: text });
/** See {@link artifactSchema}. */
export type Artifact = z.infer<typeof artifactSchema>;
const artifacts = z.array(artifactSchema).nullish().catch(null);

/** One sheet of a result's document; /guides/reading-results. */
export const resultSheetSchema = z.looseObject({ sheetNumber: text, sheetName: text, pageNumber: amount, drawingType: text, discipline: text, artifacts });

/** One entry of a result's `documents[]`; /api-reference/jobs/get-job-result. Join by `documentId`, never by count or order. */
export const resultDocumentSchema = z.looseObject({
  documentId: id,
  fileName: text,
  classification: text,
  contentType: text,
  fileSize: amount,
  status: text,
  pageCount: amount,
  successfulPageCount: amount,
  failedPageCount: amount,
  error: remoteErrorSchema.optional(),
  artifacts,
  sheets: z.array(resultSheetSchema).nullish().catch(null),
});
/** See {@link resultDocumentSchema}. */
export type ResultDocument = z.infer<typeof resultDocumentSchema>;

/** A result's `usage`; /guides/reading-results. Rates are credits a page. */
export const resultUsageSchema = z.looseObject({
  pageCount: amount,
  successfulPageCount: amount,
  drawingPageCount: amount,
  documentPageCount: amount,
  successfulDrawingPageCount: amount,
  successfulDocumentPageCount: amount,
  drawingCreditsPerPage: amount,
  documentCreditsPerPage: amount,
  creditsDebited: amount,
});
/** See {@link resultUsageSchema}. */
export type ResultUsage = z.infer<typeof resultUsageSchema>;

/** One entry of a result's `warnings[]` or `errors[]`; the shape is not documented. */
export const resultIssueSchema = z.looseObject({ code: text, message: text, documentId: text, fileName: text, pageNumber: amount });
/** See {@link resultIssueSchema}. */
export type ResultIssue = z.infer<typeof resultIssueSchema>;
