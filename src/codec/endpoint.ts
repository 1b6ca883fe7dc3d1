import { createHash, timingSafeEqual } from 'node:crypto';
import type { PayloadCodec } from '@temporalio/common';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { PayloadCodecError } from './payload-codec';
import { readPayloads, WireError, writePayloads } from './wire';

/** What an endpoint works with. */
export interface EndpointOptions {
  codec: PayloadCodec;
  /** Web pages of these origins may call it, such as `http://127.0.0.1:8233`; pages of others are refused. Programs send no origin. */
  origins: readonly string[];
  /** What callers prove themselves with, as `Authorization: Bearer ...`; null lets everybody in who reaches it. */
  token: string | null;
}

/** The most that a request may have, in bytes: four times what Temporal takes as one payload, in base64. */
const maxBodyBytes = 12 * 1024 * 1024;
/** For a whole request, for its headers, and how long an unused connection is kept, in ms. */
const [requestMs, keepAliveMs] = [15_000, 75_000];
const maxConnections = 200;
/** What Temporal's web UI sends beside the body. */
const allowedHeaders = 'authorization, authorization-extras, content-type, x-namespace';
const preflightSeconds = '600';

/**
 * The codec endpoint of Temporal's web UI and command line: `POST /encode` and `/decode`, also below a namespace. It answers plain text to
 * whoever may call it, so it says nothing to a page of another origin, or without its token. Not listening yet; it logs nothing.
 */
export function createEndpoint({ codec, origins, token }: EndpointOptions): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: maxBodyBytes, requestTimeout: requestMs, keepAliveTimeout: keepAliveMs, forceCloseConnections: 'idle', http: { maxHeaderSize: 32 * 1024 } });
  app.server.maxConnections = maxConnections;
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff').header('vary', 'origin');
    return admit(request, reply, { origins, token });
  });
  app.setErrorHandler<FastifyError>((error, _request, reply) => refuse(reply, ...reasonOf(error)));
  app.setNotFoundHandler((_request, reply) => refuse(reply, 404, 'There is only POST /encode and POST /decode here, also below the name of a namespace.'));
  app.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'));
  for (const verb of ['encode', 'decode'] as const) {
    const answer = async ({ body }: FastifyRequest): Promise<object> => writePayloads(await codec[verb](readPayloads(body)));
    for (const path of [`/${verb}`, `/:namespace/${verb}`]) {
      app.post(path, answer);
      app.options(path, async (_request, reply) => reply.code(204).send());
    }
  }
  return app;
}

/** Lets a request pass, or answers it. A page's question whether it may call needs no token: browsers send none with it. */
async function admit(request: FastifyRequest, reply: FastifyReply, { origins, token }: Pick<EndpointOptions, 'origins' | 'token'>): Promise<FastifyReply | undefined> {
  const { origin } = request.headers;
  if (origin !== undefined) {
    if (!origins.includes(origin)) return refuse(reply, 403, 'Pages of this origin may not call the codec endpoint. The origin of the web UI is set with --origin or PLANGREP_WEB_UI_URL.');
    reply.header('access-control-allow-origin', origin).header('access-control-allow-credentials', 'true');
  }
  if (request.method === 'OPTIONS') {
    reply.header('access-control-allow-methods', 'POST').header('access-control-allow-headers', allowedHeaders).header('access-control-max-age', preflightSeconds);
    if (request.headers['access-control-request-private-network'] === 'true') reply.header('access-control-allow-private-network', 'true');
    return undefined;
  }
  if (request.method === 'GET' || token === null || isToken(request.headers.authorization, token)) return undefined;
  reply.header('www-authenticate', 'Bearer');
  return refuse(reply, 401, 'The codec endpoint wants its token, as "Authorization: Bearer TOKEN"; temporal sends it with --codec-auth "Bearer TOKEN".');
}

/** Compares in constant time, whatever the length. */
function isToken(given: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(/^bearer +(.*)$/i.exec(given ?? '')?.[1] ?? ''), digest(token));
}

const refuse = (reply: FastifyReply, status: number, message: string): FastifyReply => reply.code(status).type('application/json').send({ message });

/** Status and words for an error; what nobody foresaw is told to nobody. */
function reasonOf(error: FastifyError): [status: number, message: string] {
  if (error instanceof PayloadCodecError) return [400, error.message];
  if (error instanceof WireError) return [400, `The request holds no payloads in the form of Temporal's codec protocol: ${error.message}`];
  const status = error.statusCode ?? 500;
  if (status === 413) return [413, `A request may have at most ${maxBodyBytes} bytes.`];
  if (status === 415) return [415, 'The body must be application/json.'];
  return status < 500 ? [status, 'The request is malformed, or its body is no JSON.'] : [500, 'The request could not be answered.'];
}
