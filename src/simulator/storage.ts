import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendResult } from './api-jobs';
import { refuseUnlessUploading, storeContent } from './api-uploads';
import { ApiError, notFound } from './errors';
import { createApp, type Operation } from './http';
import { receive } from './intake';
import type { SimDocument, SimJob } from './job';
import { etagOf, type StoredPart } from './part';
import { partRanges, requiredHeaders } from './registration';
import type { SimulatorState } from './state';
import { takenByStorage } from './traffic';

type StorageRequest = Parameters<Operation['handle']>[0];

/** The server that signed URLs point to. It asks for no key and takes bytes of any size. It does not listen yet. */
export function createStorage(state: SimulatorState): FastifyInstance {
  const signed = (handle: Operation['handle']): Operation['handle'] => (request, reply) => {
    state.signer.check(request.method, request.url.split('?')[0]!, request.query);
    return handle(request, reply);
  };
  const app = createApp(state, [
    { operation: 'putObject', method: 'PUT', path: '/uploads/:jobId/:documentId', scope: null, handle: signed((request, reply) => putObject(state, request, reply)) },
    { operation: 'putPart', method: 'PUT', path: '/uploads/:jobId/:documentId/parts/:partNumber', scope: null, handle: signed((request, reply) => putPart(state, request, reply)) },
    { operation: 'getResultFile', method: 'GET', path: '/results/:jobId', scope: null, handle: signed((request, reply) => sendResult(state, state.job(request.params.jobId!), reply)) },
  ]);
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  return app;
}

async function putObject(state: SimulatorState, request: StorageRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { job, document } = target(state, request);
  refuseUnlessUploading(job);
  for (const [name, value] of Object.entries(requiredHeaders(document))) {
    if (request.headers[name.toLowerCase()] !== value) throw new ApiError(403, 'SignatureDoesNotMatch', `The header ${name} must be sent as it was given.`);
  }
  checkLength(state, request, document.sizeBytes);
  const { sizeBytes, sha256 } = document;
  const received = await receive(takenByStorage(request, state), state, { sizeBytes, trusted: state.settings.trustDigests ? sha256 : null });
  await storeContent(state, document, received);
  return reply.header('etag', etagOf(document.sha256)).send();
}

async function putPart(state: SimulatorState, request: StorageRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { job, document } = target(state, request);
  refuseUnlessUploading(job);
  const range = partRanges(document.sizeBytes, state.settings.partBytes).find(({ partNumber }) => String(partNumber) === request.params.partNumber);
  if (!range || !document.parts) throw notFound('part');
  const sizeBytes = range.endByte - range.startByte + 1;
  checkLength(state, request, sizeBytes);
  const part = await writePart(state, request, document, { partNumber: range.partNumber, sizeBytes });
  return reply.header('etag', part.etag).send();
}

async function writePart(state: SimulatorState, request: StorageRequest, document: SimDocument, part: { partNumber: number; sizeBytes: number }): Promise<StoredPart> {
  const checksum = request.headers['x-amz-checksum-sha256'];
  const sha256 = typeof checksum === 'string' ? Buffer.from(checksum, 'base64').toString('hex') : null;
  try {
    return await document.parts!.write(part.partNumber, takenByStorage(request, state), { sizeBytes: part.sizeBytes, sha256 });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'BadDigest') state.counters.refusedDigests += 1;
    throw error;
  }
}

function target(state: SimulatorState, request: StorageRequest): { job: SimJob; document: SimDocument } {
  const job = state.job(request.params.jobId!);
  const document = job.documents.find(({ id }) => id === request.params.documentId);
  if (!document) throw notFound('document');
  return { job, document };
}

/** A signed PUT says its length, and nothing is read when that is a wrong one. @throws ApiError 411, 400 */
function checkLength(state: SimulatorState, request: FastifyRequest, sizeBytes: number): void {
  const given = request.headers['content-length'];
  if (given === undefined) throw new ApiError(411, 'MissingContentLength', 'A Content-Length must be given.');
  if (Number(given) === sizeBytes) return;
  state.counters.refusedSizes += 1;
  throw new ApiError(400, 'IncompleteBody', `${given} bytes were announced instead of ${sizeBytes}.`);
}
