import { z } from 'zod';
import { invalidRequest } from './errors';
import { classifications } from './job';

const classification = z.enum(classifications).optional();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hex digits');

// JSON knows larger ones than a program counts with exactly; they are refused by what they mean, not by their form.
const integer = (least: number): z.ZodNumber => z.number().min(least).refine(Number.isInteger, 'must be an integer');

/** Body of createProject. */
export const createProjectSchema = z.object({ name: z.string().refine(atMost(180), 'must have at most 180 characters') });

/** Body of searchProjects. */
export const searchProjectsSchema = z.object({
  query: z.string().min(1),
  projectIds: z.array(z.string()).optional(),
  limit: z.number().int().min(1).max(100).default(25),
  cursor: z.string().optional(),
  entityTypes: z.array(z.string()).optional(),
  regionType: z.string().optional(),
  layoutType: z.string().optional(),
  drawingType: z.string().optional(),
  sheetNumber: z.string().optional(),
  fileName: z.string().optional(),
  classification,
  pageNumber: z.number().int().min(1).optional(),
});

/** Body of createJob. Plain http is for loopback only, so that receivers can be tried out on one machine. */
export const createJobSchema = z.object({
  externalId: z.string().refine(atMost(180), 'must have at most 180 characters').optional(),
  webhookUrl: z.string().refine(isWebhookUrl, 'must be an https URL, or http on 127.0.0.1 or localhost').optional(),
});

/** JSON text in the `metadata` part of uploadFiles. */
export const formMetadataSchema = z.object({
  clientUploadFlowId: z.string().optional(),
  files: z.array(
    z.object({
      partName: z.string().regex(/^file\d+$/, 'must be file0, file1, ...'),
      fileName: z.string(),
      contentType: z.string(),
      classification,
      sha256: sha256.optional(),
    }),
  ).max(100),
});
/** See {@link formMetadataSchema}. */
export type FormMetadata = z.infer<typeof formMetadataSchema>;

/** Body of registerUploads. */
export const registerUploadsSchema = z.object({
  files: z.array(z.object({ fileName: z.string(), contentType: z.string(), fileSize: integer(0), sha256, classification })).min(1).max(100),
});
/** One file of a registration. */
export type RegisteredFile = z.infer<typeof registerUploadsSchema>['files'][number];

/** Body of uploadRegisteredFile. */
export const uploadContentSchema = z.object({ uploadToken: z.string(), contentBase64: z.string(), sha256: sha256.optional() });

const directUpload = z.object({ documentId: z.string(), uploadToken: z.string() });
/** Body of completeUploads. */
export const completeUploadsSchema = z.object({
  documentIds: z.array(z.string()).optional(),
  directUploads: z.array(directUpload).default([]),
  multipartUploads: z.array(
    directUpload.extend({
      multipartUploadId: z.string(),
      parts: z.array(z.object({ partNumber: integer(1), etag: z.string() })).optional(),
    }),
  ).default([]),
  failedUploads: z.array(z.object({ documentId: z.string(), error: z.string().optional() })).default([]),
});
/** See {@link completeUploadsSchema}. */
export type CompleteUploads = z.infer<typeof completeUploadsSchema>;

/** A request's body as the operation takes it. @throws ApiError 400 that names every problem */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; '));
}

/** Characters as JSON Schema counts them: code points. */
function atMost(length: number): (text: string) => boolean {
  return (text) => text.length <= length || Array.from(text).length <= length;
}

function isWebhookUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && ['127.0.0.1', 'localhost'].includes(url.hostname));
}
