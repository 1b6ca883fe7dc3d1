import type { FastifyReply, FastifyRequest } from 'fastify';
import { jsonBody } from './bodies';
import { ApiError } from './errors';
import type { Operation } from './http';
import type { SimProject } from './job';
import { createProjectSchema, parseBody, searchProjectsSchema } from './requests';
import type { SimulatorState } from './state';
import { projectView } from './views';

// "A small number of credits" (/concepts/credits); one example shows 50.
const projectCredits = 50;

/** Projects: /api-reference/projects. */
export function projectOperations(state: SimulatorState): Operation[] {
  return [
    { operation: 'createProject', method: 'POST', path: '/projects', scope: 'jobs:write', handle: (request, reply) => createProject(state, request, reply) },
    {
      operation: 'listProjects', method: 'GET', path: '/projects', scope: 'jobs:read',
      handle: () => ({ projects: [...state.projects.values()].map((project) => projectView(state, project)) }),
    },
    { operation: 'searchProjects', method: 'POST', path: '/projects/search', scope: 'jobs:read', handle: (request) => searchProjects(state, request) },
    {
      operation: 'getProject', method: 'GET', path: '/projects/:projectId', scope: 'jobs:read',
      handle: ({ params }) => ({ project: projectView(state, state.project(params.projectId!)) }),
    },
  ];
}

function createProject(state: SimulatorState, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { name } = parseBody(createProjectSchema, jsonBody(request));
  if ([...state.projects.values()].some((project) => project.name === name)) {
    throw new ApiError(409, 'project_name_taken', 'A project of the organization has this name.');
  }
  const availableCredits = state.credits.available;
  if (!state.credits.charge(projectCredits)) throw new ApiError(402, 'insufficient_credits', `A project costs ${projectCredits} credits.`);
  const project = addProject(state, name);
  const billing = { creditsCharged: projectCredits, requiredCredits: projectCredits, availableCredits };
  return reply.code(202).send({ project: projectView(state, project), billing });
}

function addProject(state: SimulatorState, name: string): SimProject {
  const { clock } = state;
  const fault = state.faults.forProject(name);
  const now = clock.now();
  const project: SimProject = {
    id: state.newId('proj'), name, status: 'provisioning', upgradeStatus: fault?.upgradeStatus ?? null, createdAtMs: now, updatedAtMs: now,
  };
  state.projects.set(project.id, project);
  const settle = (): void => {
    project.status = fault?.failed ? 'failed' : 'ready';
    project.updatedAtMs = clock.now();
  };
  const provisioningMs = fault?.provisioningMs ?? state.settings.projectMs;
  // Without a wait it never was anything else; even a timer of 0 ms lets requests in before.
  if (provisioningMs === 0) settle();
  else clock.after(provisioningMs, settle);
  return project;
}

/** By name only; the cursor is a position. */
function searchProjects(state: SimulatorState, request: FastifyRequest): object {
  const { query, projectIds, limit, cursor } = parseBody(searchProjectsSchema, jsonBody(request));
  const start = /^\d{1,9}$/.test(cursor ?? '') ? Number(cursor) : 0;
  const found = [...state.projects.values()].filter(
    ({ id, name }) => (projectIds?.includes(id) ?? true) && name.toLowerCase().includes(query.toLowerCase()),
  );
  const projects = found.slice(start, start + limit).map((project) => projectView(state, project));
  return { projects, nextCursor: start + limit < found.length ? String(start + limit) : null };
}
