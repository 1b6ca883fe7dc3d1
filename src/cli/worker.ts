import type { WorkerRole } from '../worker';
import { FolderStore } from '../store/folder';
import { readProjects } from './project-check';
import { exitCodes } from './exit-codes';
import type { Output } from './output';
import { commandConfig, withTemporal } from './session';
import { toCliError } from './failure';

/** Flags of `worker`. */
export interface WorkerFlags {
  only?: WorkerRole;
  archive?: string;
  metricsPort?: number;
}

/** `worker`: serves the task queues until SIGINT or SIGTERM. Refuses to start when it could do no work. */
export async function worker({ only, archive, metricsPort }: WorkerFlags, output: Output): Promise<number> {
  const config = commandConfig(['plangrep', 'archive', 'secretKey'], { archive });
  await new FolderStore(config.archive).ensureWritable();
  const address = await withTemporal(config, async ({ temporal }) => temporal.settings.address);
  const warned = warnAboutPlangrep(config, output);
  const { runWorker } = await import('../worker.js');
  const served = only ? `the ${only} queue` : 'all queues';
  await runWorker({
    config,
    ...(only && { only }),
    ...(metricsPort !== undefined && { metricsPort }),
    onReady: () => output.note(`Worker ready: serves ${served} of ${address}, archives in ${config.archive}.`),
  });
  await warned;
  return exitCodes.ok;
}

/** A key that is refused, or an API that is down, may be put right while the worker runs: its activities wait or say so. */
async function warnAboutPlangrep(config: Parameters<typeof readProjects>[0], output: Output): Promise<void> {
  try {
    await readProjects(config);
  } catch (error) {
    const { message, fix } = toCliError(error);
    output.note(`warning: ${message}${fix ? `\n${fix}` : ''}`);
  }
}
