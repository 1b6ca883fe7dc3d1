import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './errors';

// Base64 content has at most 10 MiB (14 MiB as Base64); the documentation names no limit.
const maxJsonBytes = 15 * 2 ** 20;
const unsupported = Symbol('a body that is not JSON');

/** Lets an API take JSON and forms. */
export function parseBodies(app: FastifyInstance): void {
  const json = /^application\/(?:[\w.-]+\+)?json(?:;|$)/i;
  app.addContentTypeParser(json, { parseAs: 'string', bodyLimit: maxJsonBytes }, async (_request: FastifyRequest, body: string) => parseJson(body));
  app.addContentTypeParser(/^multipart\/form-data(?:;|$)/i, (_request, payload, done) => done(null, payload));
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(null, unsupported);
  });
}

/** The body of a request that must be JSON; undefined when it is empty. @throws ApiError 415 */
export function jsonBody(request: FastifyRequest): unknown {
  if (request.body === unsupported || isStream(request.body)) {
    throw new ApiError(415, 'unsupported_media_type', 'The body must be application/json.');
  }
  return request.body;
}

/** The body of a request that must be a form, unread. @throws ApiError 415 */
export function formBody(request: FastifyRequest): Readable {
  if (isStream(request.body)) return request.body;
  throw new ApiError(415, 'unsupported_media_type', 'The body must be multipart/form-data.');
}

const isStream = (body: unknown): body is Readable => typeof body === 'object' && body !== null && 'pipe' in body;

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, 'invalid_json', 'The body is not JSON.');
  }
}
