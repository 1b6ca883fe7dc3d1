import { z } from 'zod';

const count = z.number().nullable();
const remoteError = z.object({ code: z.string(), message: z.string() }).nullable();

/** An artifact that the result names. */
export const extractedArtifactSchema = z.object({
  kind: z.literal('artifact'),
  /** Position of its document in `documents[]`; null when it stands elsewhere. */
  document: z.number().int().nullable(),
  type: z.string(),
  /** As `getArtifact` takes it; null when the entry has none that can be used. */
  path: z.string().nullable(),
});
/** See {@link extractedArtifactSchema}. */
export type ExtractedArtifact = z.infer<typeof extractedArtifactSchema>;

/** One entry of `documents[]`; its artifacts stand before it. */
export const extractedDocumentSchema = z.object({
  kind: z.literal('document'),
  index: z.number().int(),
  documentId: z.string().nullable(),
  fileName: z.string().nullable(),
  classification: z.string().nullable(),
  status: z.string().nullable(),
  pageCount: count,
  successfulPageCount: count,
  failedPageCount: count,
  error: remoteError,
  sheets: z.number().int(),
});
/** See {@link extractedDocumentSchema}. */
export type ExtractedDocument = z.infer<typeof extractedDocumentSchema>;

/** What is known only when the whole result has passed: the last line. */
export const extractedEndSchema = z.object({
  kind: z.literal('end'),
  jobId: z.string().nullable(),
  usage: z.object({
    drawingPageCount: count,
    documentPageCount: count,
    successfulDrawingPageCount: count,
    successfulDocumentPageCount: count,
    drawingCreditsPerPage: count,
    documentCreditsPerPage: count,
    creditsDebited: count,
  }),
  /** The first entry of `errors[]` for each documentId. */
  issues: z.array(z.object({ documentId: z.string(), code: z.string(), message: z.string() })),
  /** Where the result is not what is documented: `place: problem`, never a value. */
  problems: z.array(z.string()),
});
/** See {@link extractedEndSchema}. */
export type ExtractedEnd = z.infer<typeof extractedEndSchema>;

/** One line of `work/.../extract.jsonl`. */
export const extractLineSchema = z.discriminatedUnion('kind', [extractedArtifactSchema, extractedDocumentSchema, extractedEndSchema]);
/** See {@link extractLineSchema}. */
export type ExtractLine = z.infer<typeof extractLineSchema>;
