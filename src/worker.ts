import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { Runtime, Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createActivities, type Activities } from './activities';
import type { Dependencies } from './activities/dependencies';
import { createPace } from './activities/pace';
import { dataConverterOf, failureConverterPath } from './codec/data-converter';
import { environment, type WorkerConfig } from './config';
import { taskQueues } from './contract/messages';
import { closeHashing } from './hashing';
import { createLogger, forTemporal } from './log';
import { closePageCounter } from './pdf/page-count';
import { PlangrepClient } from './plangrep/client';
import { FolderStore } from './store/folder';
import { Seal } from './store/seal';
import { StoreError } from './store/store-error';
import { connectWorker, readTemporalSettings } from './temporal-connection';
import { packageVersion } from './version';
import { workerTuning, type WorkerTuning } from './worker-tuning';

/** What a worker process serves. `api`: workflows, the store's activities and the API queue; without a role it serves everything. */
export type WorkerRole = 'api' | 'transfer' | 'archive';

/** Meaning of the fields: see {@link runWorker}. */
export interface WorkerRunOptions {
  config: WorkerConfig;
  /** Default: all roles. */
  only?: WorkerRole;
  /** Prometheus metrics on 127.0.0.1 at this port. Default: none. */
  metricsPort?: number;
  /** Called once all queues are served. */
  onReady?: () => void;
}

/** How long running activities may finish after SIGTERM, and when the process ends regardless, in ms. */
const grace = { shutdownGraceTime: 10_000, shutdownForceTime: 30_000 };
/** Failures that are expected to be retried are no news at `info`. */
const runtimeLogging = { forward: {}, filter: { core: 'WARN', other: 'ERROR' } } as const;

/**
 * Serves the task queues until SIGINT or SIGTERM, then drains.
 * @throws StoreError when the archive cannot be written for another reason than that it is full, TemporalUnreachableError
 */
export async function runWorker({ config, only, metricsPort, onReady }: WorkerRunOptions): Promise<void> {
  Runtime.install({
    logger: forTemporal(createLogger({ secrets: () => knownSecrets(config) })),
    telemetryOptions: {
      logging: runtimeLogging,
      ...(metricsPort !== undefined && { metrics: { prometheus: { bindAddress: `127.0.0.1:${metricsPort}` } } }),
    },
  });
  const settings = readTemporalSettings(environment(), config.webUiUrl);
  const clientConnection = Connection.lazy(settings.connectionOptions);
  const dataConverter = dataConverterOf(config.payloadKeys);
  const deps = workerDependencies(config, new Client({ connection: clientConnection, namespace: settings.namespace, dataConverter }));
  await deps.store.ensureWritable().catch(tellIfFull);
  const connection = await connectWorker(settings);
  try {
    const activities = createActivities(deps);
    const shared = { connection, namespace: settings.namespace, dataConverter };
    const workers = await createWorkers(shared, activities, { requestsPerSecond: config.plangrep.requestsPerSecond, ...(only && { only }) });
    onReady?.();
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    // A worker that was created and never ran holds on to its connection; that must not hide why it never ran.
    const released = connection.close().catch(() => undefined);
    await Promise.all([deps.plangrep.close(), clientConnection.close(), released, closePageCounter(), closeHashing()]);
  }
}

/** What this process may never log, whoever repeats it. */
const knownSecrets = ({ plangrep, secretKey, oldSecretKeys }: WorkerConfig): string[] => [plangrep.apiKey(), ...[secretKey, ...oldSecretKeys].map((key) => key.reveal().toString('base64'))];

/** A full archive is waited for by every step that needs room, and what is removed makes some: a worker that does not start would help nobody. */
function tellIfFull(error: unknown): void {
  if (!(error instanceof StoreError && error.isFull)) throw error;
  Runtime.instance().logger.warn(error.message);
}

/** What the activities of a process work with. Whoever makes them closes their `plangrep`. The API key is read at every call, so that it can be changed meanwhile. */
export function workerDependencies({ archive, plangrep: settings, secretKey, oldSecretKeys, credits, webhook }: WorkerConfig, temporal: Client): Dependencies & { store: FolderStore } {
  return {
    store: new FolderStore(archive),
    plangrep: new PlangrepClient({ baseUrl: settings.baseUrl, apiKey: settings.apiKey, version: packageVersion }),
    temporal,
    seal: new Seal(secretKey.reveal(), oldSecretKeys.map((key) => key.reveal())),
    pace: createPace(settings.transferRequestsPerSecond),
    settings: {
      minPollMs: settings.minPollMs,
      projectPollMs: settings.projectPollMs,
      ...(webhook.url !== null && { webhookUrl: webhook.url }),
      transferRequestsPerSecond: settings.transferRequestsPerSecond,
      creditsPerDrawingPage: credits.drawingPage,
      creditsPerDocumentPage: credits.documentPage,
    },
  };
}

/** Meaning of the fields: `requestsPerSecond` is the API queue's rate, held by the server for all workers together. */
export interface WorkersOptions {
  requestsPerSecond: number;
  only?: WorkerRole;
  /** Default: the bundle that the build made, else the workflows themselves. */
  workflows?: Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'>;
  /** Default: {@link workerTuning}, which is measured. */
  tuning?: Partial<WorkerTuning>;
}

/** The workers of one process, one a task queue; not running yet. */
export async function createWorkers(
  shared: { connection: NativeConnection; namespace: string; dataConverter?: DataConverter },
  activities: Activities,
  { requestsPerSecond, only, workflows = builtWorkflows(shared.dataConverter), tuning }: WorkersOptions,
): Promise<Worker[]> {
  const { slots, cachedWorkflows, pollers } = { ...workerTuning, ...tuning };
  const serve = (queue: keyof typeof taskQueues, more: Partial<WorkerOptions> = {}) =>
    Worker.create({
      ...shared,
      ...grace,
      taskQueue: taskQueues[queue],
      activities: activities[queue],
      maxConcurrentActivityTaskExecutions: slots[queue],
      ...(pollers && { activityTaskPollerBehavior: pollers }),
      ...more,
    });
  const queues = {
    api: () => [
      serve('batch', { ...workflows, maxCachedWorkflows: cachedWorkflows, ...(pollers && { workflowTaskPollerBehavior: pollers }) }),
      serve('api', { maxTaskQueueActivitiesPerSecond: requestsPerSecond }),
    ],
    transfer: () => [serve('transfer')],
    archive: () => [serve('archive')],
  };
  const roles = only ? [only] : (Object.keys(queues) as WorkerRole[]);
  return Promise.all(roles.flatMap((role) => queues[role]()));
}

/** Workflows convert their failures themselves, so there is a bundle that encodes them and one that does not. Unbuilt ones are bundled with the converter of the worker. */
function builtWorkflows(dataConverter: DataConverter | undefined): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const bundle = join(__dirname, dataConverter?.failureConverterPath === failureConverterPath ? 'workflow-bundle-encrypted.js' : 'workflow-bundle.js');
  return existsSync(bundle) ? { workflowBundle: { codePath: bundle } } : { workflowsPath: require.resolve('./workflows') };
}
