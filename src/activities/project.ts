import type { ApiActivities } from '../contract/activities';
import { failureTypes } from '../contract/failures';
import { RejectedError } from '../plangrep/errors';
import type { Project } from '../plangrep/schemas';
import { nearNames } from '../domain/near-names';
import type { Dependencies } from './dependencies';
import { attempt, giveUp, notYet } from './failure';

/** Provisioning takes one to two minutes; after five it has failed (/concepts/projects). */
const provisioningLimitMs = 5 * 60_000;
/** A runtime upgrade holds new jobs back; after a day it is no upgrade any more. */
const upgradeLimitMs = 24 * 3_600_000;

/** Activities that find the project and wait for it. */
export function createProjectActivities({ plangrep, settings }: Dependencies): Pick<ApiActivities, 'findProject' | 'createProject' | 'awaitProject'> {
  return {
    async findProject({ project, orFail }) {
      const projects = await plangrep.listProjects();
      const found = matchProject(projects, project);
      if (found) return { projectId: found.id };
      if (!orFail) return null;
      throw giveUp(failureTypes.projectNotFound, unknownProject(projects, project));
    },

    async createProject({ name }) {
      const existing = attempt() > 1 ? matchProject(await plangrep.listProjects(), name) : undefined;
      return { projectId: (existing ?? (await createOrFind(plangrep, name))).id };
    },

    async awaitProject({ projectId, since }) {
      const project = await plangrep.getProject(projectId);
      const waitedMs = Date.now() - Date.parse(since);
      if (project.status === 'ready') {
        if (!isUpgrading(project)) return;
        if (waitedMs < upgradeLimitMs) throw notYet(`Project ${projectId} is being upgraded`, settings.projectPollMs);
      }
      if (project.status === 'provisioning' && waitedMs < provisioningLimitMs) {
        throw notYet(`Project ${projectId} is being set up`, settings.projectPollMs);
      }
      throw giveUp(failureTypes.projectNotReady, `Project ${projectId} is "${project.status}" after ${Math.round(waitedMs / 1000)} s; it must be ready before jobs can start`);
    },
  };
}

/**
 * No idempotency key exists for projects, but names are unique: after a doubtful attempt the list tells, and a refusal may mean that an
 * earlier call, made before the gate closed, had got through.
 */
async function createOrFind(plangrep: Dependencies['plangrep'], name: string): Promise<Project> {
  try {
    return await plangrep.createProject(name);
  } catch (error) {
    const existing = error instanceof RejectedError ? matchProject(await plangrep.listProjects(), name) : undefined;
    if (!existing) throw error;
    return existing;
  }
}

/** The project with this id, else the one with this name. */
export const matchProject = (projects: Project[], wanted: string): Project | undefined =>
  projects.find(({ id }) => id === wanted) ?? projects.find(({ name }) => name === wanted);

/** The message for a project that is not there: it lists names that are near. */
export function unknownProject(projects: Project[], wanted: string): string {
  const near = nearNames(wanted, projects.flatMap(({ name }) => name ?? []));
  const hint = near.length > 0 ? `; near: ${near.map((name) => `"${name}"`).join(', ')}` : projects.length === 0 ? '; the account has no projects' : '';
  return `No project has the id or name "${wanted}"${hint}`;
}

/** Pages disagree on what "no upgrade" looks like: null, absent or "none" (/concepts/projects, /api-reference/projects/get-project). */
export function isUpgrading({ runtime }: Project): boolean {
  const status = runtime?.upgradeStatus;
  return status !== undefined && status !== null && status !== 'none';
}
