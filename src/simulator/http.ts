import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import { ApiError } from './errors';
import type { RequestFault } from './faults';
import { meetFaults } from './fault-hooks';
import type { Scope } from './options';
import type { Query } from './signing';
import type { SimulatorState } from './state';

/** What a route of ours says about itself. */
export interface OperationConfig {
  operation: string;
  /** What the key must allow; null where no key is asked for. */
  scope: Scope | null;
}

declare module 'fastify' {
  interface FastifyContextConfig extends Partial<OperationConfig> {}
  interface FastifyRequest {
    /** What goes wrong with this request. */
    fault: RequestFault | null;
  }
}

/** One operation: where it is, and what it does. */
export interface Operation extends OperationConfig {
  method: HTTPMethods;
  path: string;
  handle: (request: FastifyRequest<{ Params: Record<string, string>; Querystring: Query }>, reply: FastifyReply) => unknown;
}

// Anything longer that we make ourselves is a signed URL's query; ids are short.
const maxParameterLength = 2_000;

/** A server for these operations, with errors, 404 and 405 as they should be; `watched` adds counting and scripted faults. It does not listen yet. */
export function createApp(state: SimulatorState, operations: Operation[], { watched } = { watched: true }): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: maxParameterLength },
    // Uploads are bounded by what was declared, everything else by its own parser.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    frameworkErrors: (error, _request, reply) => void sendError(error, reply as unknown as FastifyReply),
  });
  app.decorateRequest('fault', null);
  app.removeAllContentTypeParsers();
  app.setErrorHandler((error: FastifyError | ApiError, _request, reply) => sendError(error, reply));
  app.addHook('onRequest', async (request) => {
    // Before the body is looked at, which may be wrong as well.
    const refusal = refuseRoute(operations, request);
    if (refusal) throw refusal;
  });
  if (watched) watch(app, state);
  for (const { method, path, handle, operation, scope } of operations) {
    app.route<{ Params: Record<string, string>; Querystring: Query }>({ method, url: path, handler: handle, config: { operation, scope } });
  }
  return app;
}

/** Counts the requests, and lets faults happen to them. */
function watch(app: FastifyInstance, state: SimulatorState): void {
  app.addHook('onResponse', async (request, reply) => {
    state.counters.count(request.routeOptions.config.operation ?? 'unknown', reply.statusCode);
    if (state.settings.verbose) process.stderr.write(`${request.method} ${request.url.split('?')[0]} ${reply.statusCode}\n`);
  });
  meetFaults(app, state);
}

function sendError(error: Error & { statusCode?: number | undefined; code?: string }, reply: FastifyReply): FastifyReply {
  if (error instanceof ApiError) {
    return reply.code(error.status).headers(error.headers).send({ error: { code: error.code, message: error.message } });
  }
  const status = error.statusCode ?? 500;
  const code = status < 500 ? 'invalid_request' : 'internal_error';
  return reply.code(status).send({ error: { code, message: error.message } });
}

/** 405 where the path is one of ours with another method, 404 where there is none; null for what is ours. */
function refuseRoute(operations: Operation[], request: FastifyRequest): ApiError | null {
  const path = request.url.split('?')[0]!;
  const same = operations.filter((operation) => operation.path === path);
  // A fixed path is none of a parameter's values, whatever the method.
  if (!request.is404 && (same.length === 0 || same.some(({ method }) => method === request.method))) return null;
  const parts = path.split('/');
  const here = same.length > 0 ? same : operations.filter((operation) => matches(operation.path.split('/'), parts));
  const allowed = here.map(({ method }) => method);
  if (allowed.length === 0 || allowed.includes(request.method as HTTPMethods)) return new ApiError(404, 'not_found', 'There is no such route.');
  return new ApiError(405, 'method_not_allowed', `${request.method} is not possible here.`, { allow: allowed.join(', ') });
}

function matches(pattern: string[], parts: string[]): boolean {
  return pattern.length === parts.length && pattern.every((part, index) => part.startsWith(':') || part === parts[index]);
}
