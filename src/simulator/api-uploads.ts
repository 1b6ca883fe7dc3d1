import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { idempotencyKey } from './api-jobs';
import { formBody, jsonBody } from './bodies';
import { resolveCompletion } from './completion';
import { newDocument, refuseOverLimits, storedTwin, type NewFile } from './documents';
import { ApiError, invalidState, notFound } from './errors';
import { discardAll, readForm, type ReceivedForm } from './form-upload';
import type { Operation } from './http';
import { receive, type Received } from './intake';
import { takesUploads, type SimDocument, type SimJob } from './job';
import type { Lifecycle } from './lifecycle';
import { registerFiles } from './registration';
import { completeUploadsSchema, parseBody, registerUploadsSchema, uploadContentSchema } from './requests';
import type { SimulatorState } from './state';
import { metered } from './traffic';
import { jobView } from './views';

// The documentation names no limit; it recommends the route for small files only.
const maxContentBytes = 10 * 2 ** 20;

/** Uploads: /api-reference/uploads. */
export function uploadOperations(state: SimulatorState, lifecycle: Lifecycle): Operation[] {
  const scope = 'jobs:write';
  return [
    { operation: 'uploadFiles', method: 'POST', path: '/jobs/:jobId/files', scope, handle: (request) => uploadFiles(state, lifecycle, state.job(request.params.jobId!), request) },
    { operation: 'registerUploads', method: 'POST', path: '/jobs/:jobId/uploads', scope, handle: (request) => registerUploads(state, lifecycle, state.job(request.params.jobId!), request) },
    {
      operation: 'uploadRegisteredFile', method: 'POST', path: '/jobs/:jobId/uploads/:documentId/content', scope,
      handle: (request) => uploadContent(state, state.job(request.params.jobId!), request.params.documentId!, request),
    },
    {
      operation: 'completeUploads', method: 'POST', path: '/jobs/:jobId/uploads/complete', scope,
      handle: (request, reply) => completeUploads(state, lifecycle, state.job(request.params.jobId!), request, reply),
    },
  ];
}

/** @throws ApiError 409 */
export function refuseUnlessUploading(job: SimJob): void {
  if (!takesUploads(job) || job.completing) throw invalidState(`A job in ${job.status} takes no uploads.`);
}

async function uploadFiles(state: SimulatorState, lifecycle: Lifecycle, job: SimJob, request: FastifyRequest): Promise<object> {
  const form = await readForm(state, request.headers, formBody(request));
  try {
    refuseUnlessUploading(job);
    return await storeForm(state, lifecycle, job, form);
  } finally {
    await discardAll(form.parts.values());
  }
}

async function storeForm(state: SimulatorState, lifecycle: Lifecycle, job: SimJob, { metadata, parts }: ReceivedForm): Promise<object> {
  const files = metadata.files.map((entry) => ({ entry, received: parts.get(entry.partName)! }));
  for (const { entry, received } of files) {
    if (entry.sha256 !== undefined && entry.sha256 !== received.sha256) throw digestMismatch(state, entry.partName);
  }
  const fresh = new Map<string, { partName: string; document: SimDocument; received: Received }>();
  for (const { entry, received } of files) {
    if (storedTwin(job, received.sha256) || fresh.has(received.sha256)) continue;
    const { partName, fileName, contentType, classification = null } = entry;
    const file: NewFile = { fileName, contentType, classification, sizeBytes: received.sizeBytes, sha256: received.sha256 };
    fresh.set(received.sha256, { partName, document: newDocument(state, file, 'form'), received });
  }
  const documents = [...fresh.values()].map(({ document }) => document);
  refuseOverLimits(job, documents);
  job.documents.push(...documents);
  lifecycle.uploading(job);
  for (const { document, received } of fresh.values()) document.content = await received.store();
  const uploads = files.map(({ entry: { partName, fileName }, received: { sha256 } }) => {
    const added = fresh.get(sha256);
    const document = added?.document ?? storedTwin(job, sha256)!;
    return { documentId: document.id, partName, fileName, status: added?.partName === partName ? 'uploaded' : 'skipped' };
  });
  return { job: jobView(state, job), status: fresh.size === 0 ? 'skipped' : 'uploaded', uploads };
}

function registerUploads(state: SimulatorState, lifecycle: Lifecycle, job: SimJob, request: FastifyRequest): object {
  const { files } = parseBody(registerUploadsSchema, jsonBody(request));
  refuseUnlessUploading(job);
  const uploads = registerFiles(state, job, files);
  lifecycle.uploading(job);
  return { job: jobView(state, job), uploads };
}

async function uploadContent(state: SimulatorState, job: SimJob, documentId: string, request: FastifyRequest): Promise<object> {
  const { uploadToken, contentBase64, sha256 } = parseBody(uploadContentSchema, jsonBody(request));
  const document = job.documents.find(({ id }) => id === documentId);
  if (!document) throw notFound('document');
  refuseUnlessUploading(job);
  if (document.mode !== 'direct_put') throw invalidState('Only direct_put registrations take their content here.');
  if (![true, false].some((base64) => uploadToken === state.signer.uploadToken(documentId, base64))) {
    throw new ApiError(400, 'invalid_upload_token', 'The upload token is another one.');
  }
  const received = await receive(metered(Readable.from([decode(contentBase64)]), state.counters), state);
  await storeContent(state, document, received, sha256 ?? document.sha256);
  document.base64 = true;
  const { fileName, contentType, sizeBytes } = document;
  const directUpload = { documentId, uploadToken: state.signer.uploadToken(documentId, true) };
  return { status: 'uploaded', documentId, fileName, fileSize: sizeBytes, contentType, uploadMode: 'direct_put', directUpload };
}

/** Takes content for a registered document. @throws ApiError 400 when it is not what was registered */
export async function storeContent(state: SimulatorState, document: SimDocument, received: Received, sha256 = document.sha256): Promise<void> {
  try {
    if (received.sizeBytes !== document.sizeBytes) {
      state.counters.refusedSizes += 1;
      throw new ApiError(400, 'size_mismatch', `${received.sizeBytes} bytes came instead of ${document.sizeBytes}.`);
    }
    if (received.sha256 !== document.sha256 || received.sha256 !== sha256) throw digestMismatch(state, document.id);
    document.content ??= await received.store();
  } finally {
    await received.discard();
  }
}

function digestMismatch(state: SimulatorState, what: string): ApiError {
  state.counters.refusedDigests += 1;
  return new ApiError(400, 'checksum_mismatch', `The SHA-256 of ${what} is another one.`);
}

function decode(base64: string): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) throw new ApiError(400, 'invalid_base64', 'contentBase64 is not Base64.');
  const content = Buffer.from(base64, 'base64');
  if (content.length > maxContentBytes) throw new ApiError(413, 'payload_too_large', `Base64 content has at most ${maxContentBytes} bytes.`);
  return content;
}

async function completeUploads(state: SimulatorState, lifecycle: Lifecycle, job: SimJob, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const raw = jsonBody(request);
  const body = parseBody(completeUploadsSchema, raw ?? {});
  const key = idempotencyKey(request);
  const scope = `completeUploads ${job.id}`;
  const earlier = state.recall(scope, key, raw);
  if (earlier !== undefined) return reply.code(202).send({ ...(JSON.parse(earlier as string) as object), idempotent: true });
  refuseUnlessUploading(job);
  job.completing = true;
  try {
    const { included, failed, waiting } = await resolveCompletion(state, job, body);
    if (!takesUploads(job)) throw invalidState(`The job is ${job.status} by now.`);
    for (const document of included) document.included = true;
    for (const { document, message } of failed) document.uploadFailure = { code: 'upload_failed', message };
    lifecycle.preflight(job, waiting);
  } finally {
    job.completing = false;
  }
  const answer = { job: jobView(state, job) };
  state.remember(scope, key, raw, JSON.stringify(answer));
  return reply.code(202).send(answer);
}
