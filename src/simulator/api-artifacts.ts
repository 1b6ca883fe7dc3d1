import type { FastifyReply } from 'fastify';
import { streamOf } from './api-jobs';
import { findArtifact, type SimArtifact } from './artifacts';
import { ApiError, invalidRequest } from './errors';
import type { Operation } from './http';
import { hasResult, isThere, type SimJob } from './job';
import type { SimulatorState } from './state';

/** An artifact of at most so many bytes is sent as one piece. */
const wholeBytes = 256 * 1024;

/** Artifacts: /api-reference/artifacts. */
export function artifactOperations(state: SimulatorState): Operation[] {
  const both = (noun: 'Job' | 'Project', path: string, jobsOf: (params: Record<string, string>) => SimJob[]): Operation[] =>
    (['GET', 'HEAD'] as const).map((method) => ({
      operation: `${method.toLowerCase()}${noun}Artifact`, method, path, scope: 'artifacts:read',
      handle: ({ params, query }, reply) => send(find(state, jobsOf(params), query.path), method, reply),
    }));
  return [
    ...both('Job', '/jobs/:jobId/artifact', ({ jobId }) => [state.job(jobId!)]),
    ...both('Project', '/projects/:projectId/artifact', ({ projectId }) => jobsOfProject(state, projectId!)),
  ];
}

function jobsOfProject(state: SimulatorState, projectId: string): SimJob[] {
  state.project(projectId);
  return [...state.jobs.values()].filter((job) => job.projectId === projectId && isThere(job));
}

function find(state: SimulatorState, jobs: SimJob[], path: unknown): SimArtifact {
  if (typeof path !== 'string') throw invalidRequest('path: must be given once');
  for (const job of jobs) {
    const artifact = hasResult(job) && path.startsWith(`jobs/${job.id}/`) && findArtifact(job, path);
    if (artifact) return artifact;
  }
  throw new ApiError(404, 'artifact_not_found', 'No result names this path.');
}

function send(artifact: SimArtifact, method: 'GET' | 'HEAD', reply: FastifyReply): FastifyReply {
  const { sizeBytes, whole } = make(artifact);
  reply
    .header('content-type', 'application/octet-stream')
    .header('content-length', sizeBytes)
    .header('content-disposition', `attachment; filename="${artifact.fileName}"`);
  return method === 'HEAD' ? reply.send() : reply.send(whole ?? streamOf(artifact.chunks()));
}

/** An artifact's size, and its bytes when they are few; many are made once more while they are sent. */
function make(artifact: SimArtifact): { sizeBytes: number; whole: Buffer | null } {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for (const chunk of artifact.chunks()) {
    sizeBytes += chunk.length;
    if (sizeBytes <= wholeBytes) chunks.push(chunk);
  }
  return { sizeBytes, whole: sizeBytes <= wholeBytes ? Buffer.concat(chunks) : null };
}
