import { setTimeout as delay } from 'node:timers/promises';
import { matchProject, unknownProject } from '../activities/project';
import type { Config } from '../config';
import { PlangrepClient } from '../plangrep/client';
import { BusyError, TransportError } from '../plangrep/errors';
import type { Project } from '../plangrep/schemas';
import { packageVersion } from '../version';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';

/** How long Plangrep may take to answer before it counts as not reachable. */
export const plangrepTimeoutMs = 15_000;
/** Between two attempts within that time. */
const pauseMs = 500;

/** The account's projects; tries again for {@link plangrepTimeoutMs} while nobody answers. @throws CliError when nobody does, else PlangrepError */
export async function readProjects({ plangrep }: Config, timeoutMs = plangrepTimeoutMs): Promise<Project[]> {
  const client = new PlangrepClient({ baseUrl: plangrep.baseUrl, apiKey: plangrep.apiKey, version: packageVersion, idleTimeoutMs: timeoutMs });
  const deadline = AbortSignal.timeout(timeoutMs);
  let why = `no answer within ${timeoutMs / 1000} s`;
  try {
    while (!deadline.aborted) {
      try {
        return await client.listProjects({ signal: deadline });
      } catch (error) {
        if (deadline.aborted) break;
        if (!(error instanceof TransportError) && !(error instanceof BusyError)) throw error;
        why = error.message;
        await delay(Math.max(pauseMs, error.retryAfterMs ?? 0), null, { signal: deadline }).catch(() => {});
      }
    }
  } finally {
    await client.close();
  }
  throw new CliError({
    code: 'plangrep_unreachable',
    message: `Plangrep at ${plangrep.baseUrl} is not reachable: ${why}.`,
    fix: 'Check the network and PLANGREP_BASE_URL, then try again.',
    exitCode: exitCodes.unreachable,
  });
}

/** @throws CliError naming near projects, PlangrepError */
export async function checkProject(config: Config, project: string, { mayBeCreated }: { mayBeCreated: boolean }): Promise<void> {
  const projects = await readProjects(config);
  if (matchProject(projects, project) || mayBeCreated) return;
  throw new CliError({
    code: 'project_not_found',
    message: `${unknownProject(projects, project)}.`,
    fix: 'Name one that exists; run and start make it when they are given --create-project, which costs credits.',
  });
}
