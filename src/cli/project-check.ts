import { setTimeout as delay } from 'node:timers/promises';
import { matchProject, unknownProject } from '../activities/project';
import type { Config } from '../config';
import { PlangrepClient } from '../plangrep/client';
import { BusyError, TransportError } from '../plangrep/errors';
import type { Project } from '../plangrep/schemas';
import { packageVersion } from '../version';
import { CliError } from './cli-error';

/** How long Plangrep may take to answer before it counts as not reachable. */
export const plangrepTimeoutMs = 15_000;

/** The account's projects; tries again for {@link plangrepTimeoutMs} while nobody answers. @throws PlangrepError */
export async function readProjects({ plangrep }: Config, timeoutMs = plangrepTimeoutMs): Promise<Project[]> {
  const client = new PlangrepClient({ baseUrl: plangrep.baseUrl, apiKey: plangrep.apiKey, version: packageVersion, idleTimeoutMs: timeoutMs });
  const deadline = AbortSignal.timeout(timeoutMs);
  let last: unknown = new TransportError(`no answer from ${plangrep.baseUrl} within ${timeoutMs / 1000} s`);
  try {
    for (;;) {
      try {
        return await client.listProjects({ signal: deadline });
      } catch (error) {
        if (deadline.aborted) throw last;
        if (!(error instanceof TransportError) && !(error instanceof BusyError)) throw error;
        last = error;
        await delay(Math.max(500, error.retryAfterMs ?? 0), null, { signal: deadline }).catch(() => {
          throw last;
        });
      }
    }
  } finally {
    await client.close();
  }
}

/** @throws CliError naming near projects, PlangrepError */
export async function checkProject(config: Config, project: string, { mayBeCreated }: { mayBeCreated: boolean }): Promise<void> {
  const projects = await readProjects(config);
  if (matchProject(projects, project) || mayBeCreated) return;
  throw new CliError({
    code: 'project_not_found',
    message: `${unknownProject(projects, project)}.`,
    fix: 'Name one that exists, or add --create-project to have it made, which costs credits.',
  });
}
