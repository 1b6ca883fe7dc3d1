import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { jsonBody } from './bodies';
import { ApiError, invalidState } from './errors';
import type { Operation } from './http';
import { hasResult, isThere, type SimJob, type SimProject } from './job';
import type { Lifecycle } from './lifecycle';
import { createJobSchema, parseBody } from './requests';
import { resultChunks, resultSize } from './result';
import type { SimulatorState } from './state';
import { jobView } from './views';

const productionLimits = { maxFiles: 100, maxDeclaredBytes: 10_000_000_000 };

/** Jobs: /api-reference/jobs. */
export function jobOperations(state: SimulatorState, lifecycle: Lifecycle): Operation[] {
  const on = (run: (job: SimJob) => void): Operation['handle'] => ({ params }) => {
    const job = state.job(params.jobId!);
    run(job);
    return { job: jobView(state, job) };
  };
  return [
    {
      operation: 'createJob', method: 'POST', path: '/projects/:projectId/jobs', scope: 'jobs:write',
      handle: (request, reply) => createJob(state, lifecycle, request.params.projectId!, request, reply),
    },
    { operation: 'listJobs', method: 'GET', path: '/projects/:projectId/jobs', scope: 'jobs:read', handle: ({ params }, reply) => listJobs(state, params.projectId!, reply) },
    { operation: 'getJob', method: 'GET', path: '/jobs/:jobId', scope: 'jobs:read', handle: on(() => undefined) },
    { operation: 'resumeJob', method: 'POST', path: '/jobs/:jobId/resume', scope: 'jobs:write', handle: on((job) => lifecycle.resume(job)) },
    { operation: 'cancelJob', method: 'POST', path: '/jobs/:jobId/cancel', scope: 'jobs:write', handle: on((job) => lifecycle.cancel(job)) },
    {
      operation: 'getJobResult', method: 'GET', path: '/jobs/:jobId/result', scope: 'jobs:read',
      handle: ({ params }, reply) => sendResult(state, state.job(params.jobId!), reply),
    },
  ];
}

/** Streams a job's result. @throws ApiError 409 when it has none */
export function sendResult(state: SimulatorState, job: SimJob, reply: FastifyReply): FastifyReply {
  if (!hasResult(job)) throw invalidState(`A job in ${job.status} has no result.`);
  return reply
    .header('content-type', 'application/json; charset=utf-8')
    .header('content-length', resultSize(state, job))
    .send(streamOf(resultChunks(state, job)));
}

/** Streams what a generator makes, no faster than it is read. */
export function streamOf(chunks: Iterable<string | Buffer>): Readable {
  return Readable.from(gathered(chunks), { objectMode: false, highWaterMark: 65_536 });
}

function* gathered(chunks: Iterable<string | Buffer>): Generator<Buffer> {
  let pending: Buffer[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    const piece = Buffer.from(chunk as string);
    pending.push(piece);
    bytes += piece.length;
    if (bytes < 32_768) continue;
    yield Buffer.concat(pending);
    pending = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pending);
}

function createJob(state: SimulatorState, lifecycle: Lifecycle, projectId: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const project = state.project(projectId);
  const raw = jsonBody(request);
  const body = parseBody(createJobSchema, raw);
  const key = idempotencyKey(request);
  const scope = `createJob ${projectId}`;
  const earlier = state.recall(scope, key, raw);
  if (earlier !== undefined) return reply.code(202).send({ job: jobView(state, earlier as SimJob), idempotent: true });
  refuseUnlessReady(project);
  const { job, provisioningMs } = newJob(state, project, body);
  state.jobs.set(job.id, job);
  state.remember(scope, key, raw, job);
  lifecycle.begin(job, provisioningMs);
  return reply.code(202).send({ job: jobView(state, job), ...(job.webhookSecret === null ? {} : { webhookSigningSecret: job.webhookSecret }) });
}

/** The key of a call that may be repeated. */
export function idempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  return Array.isArray(key) ? key.join(',') : key;
}

function refuseUnlessReady(project: SimProject): void {
  const upgrading = project.upgradeStatus !== null && project.upgradeStatus !== 'none';
  if (project.status !== 'ready' || upgrading) throw new ApiError(409, 'project_not_ready', 'The project is not ready.');
}

function newJob(state: SimulatorState, project: SimProject, body: { externalId?: string | undefined; webhookUrl?: string | undefined }): { job: SimJob; provisioningMs: number } {
  const externalId = body.externalId ?? null;
  const fault = state.faults.forNewJob(externalId);
  const provisioningMs = fault?.provisioningMs ?? state.settings.provisioningMs;
  const now = state.clock.now();
  const job: SimJob = {
    id: state.newId('job'), projectId: project.id, externalId,
    webhookUrl: body.webhookUrl ?? null,
    webhookSecret: body.webhookUrl === undefined ? null : state.newId('wss'),
    limits: {
      maxFiles: fault?.limits?.maxFiles ?? productionLimits.maxFiles,
      maxDeclaredBytes: fault?.limits?.maxDeclaredBytes ?? productionLimits.maxDeclaredBytes,
    },
    createdAtMs: now, expiresAtMs: now + (fault?.retentionMs ?? state.settings.retentionMs), expiredGraceMs: fault?.expiredGraceMs ?? state.settings.expiredGraceMs, updatedAtMs: now, completedAtMs: null,
    status: provisioningMs > 0 ? 'provisioning' : 'awaiting_uploads',
    gone: false, hidden: false, hold: fault?.hold ?? null, held: null, finishesFirst: fault?.finishesFirst ?? false,
    error: null, documents: [], creditsDebited: 0, creditsReserved: 0, alarm: null, completing: false, cancelling: false, cursor: 0,
    sheetArtifacts: fault?.sheetArtifacts ?? state.settings.sheetArtifacts, resultBytes: fault?.resultBytes ?? 0, naturalResultBytes: null, history: [], callsAfterEnd: {},
  };
  return { job, provisioningMs };
}

/** Newest first, and streamed: a project may have thousands of jobs. */
function listJobs(state: SimulatorState, projectId: string, reply: FastifyReply): FastifyReply {
  state.project(projectId);
  const jobs = [...state.jobs.values()].filter((job) => job.projectId === projectId && isThere(job)).reverse();
  return reply.header('content-type', 'application/json; charset=utf-8').send(streamOf(listText(state, jobs)));
}

function* listText(state: SimulatorState, jobs: SimJob[]): Generator<string> {
  yield '{"jobs":[';
  for (const [index, job] of jobs.entries()) yield (index === 0 ? '' : ',') + JSON.stringify(jobView(state, job));
  yield ']}';
}
