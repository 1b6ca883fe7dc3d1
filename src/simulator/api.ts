import type { FastifyInstance, FastifyRequest } from 'fastify';
import { artifactOperations } from './api-artifacts';
import { jobOperations } from './api-jobs';
import { projectOperations } from './api-projects';
import { uploadOperations } from './api-uploads';
import { ApiError } from './errors';
import { parseBodies } from './bodies';
import { createApp } from './http';
import { isTerminal } from './job';
import type { Lifecycle } from './lifecycle';
import type { SimulatorState } from './state';

/** Where every route starts. */
export const basePath = '/api/open/v1';

/** The API's server: the operations of docs/openapi.yaml. It does not listen yet. */
export function createApi(state: SimulatorState, lifecycle: Lifecycle): FastifyInstance {
  const operations = [
    ...projectOperations(state),
    ...jobOperations(state, lifecycle),
    ...uploadOperations(state, lifecycle),
    ...artifactOperations(state),
  ].map((operation) => ({ ...operation, path: basePath + operation.path }));
  const app = createApp(state, operations);
  app.addHook('onRequest', async (request) => authorize(state, request));
  app.addHook('onRequest', async (request) => noteLateCall(state, request));
  parseBodies(app);
  return app;
}

function authorize(state: SimulatorState, request: FastifyRequest): void {
  const { scope } = request.routeOptions.config;
  if (scope === undefined || scope === null) return;
  const key = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const granted = key === undefined ? undefined : state.keys.get(key);
  if (!granted) throw new ApiError(401, 'unauthorized', 'The API key is missing, invalid or revoked.', { 'www-authenticate': 'Bearer' });
  if (!granted.has(scope)) throw new ApiError(403, 'insufficient_scope', `The API key lacks the scope ${scope}.`);
}

function noteLateCall(state: SimulatorState, request: FastifyRequest): void {
  const { jobId } = (request.params ?? {}) as { jobId?: string };
  const { operation } = request.routeOptions.config;
  const job = jobId === undefined ? undefined : state.jobs.get(jobId);
  if (!job || operation === undefined || !isTerminal(job.status)) return;
  job.callsAfterEnd[operation] = (job.callsAfterEnd[operation] ?? 0) + 1;
}
