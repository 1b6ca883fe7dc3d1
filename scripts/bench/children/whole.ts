import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { createActivities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import { BatchClient } from '../../../src/client';
import { closePageCounter } from '../../../src/pdf/page-count';
import { readConfig } from '../../../src/config';
import { Secret } from '../../../src/config/secret';
import { PlangrepClient } from '../../../src/plangrep/client';
import { startSimulator, type Simulator } from '../../../src/simulator/server';
import { FolderStore } from '../../../src/store/folder';
import { Seal } from '../../../src/store/seal';
import { packageVersion } from '../../../src/version';
import { startWebhook, type Webhook } from '../../../src/webhook';
import { createWorkers } from '../../../src/worker';
import { freePort } from '../../free-ports';
import { startLocalTemporal } from '../../local-temporal';

/** The whole product: a real Temporal server, a simulator, a webhook receiver, workers and a client. */
export interface Whole {
  env: TestWorkflowEnvironment;
  /** Temporal's Prometheus page. */
  metricsUrl: string;
  simulator: Simulator;
  /** Plangrep posts to it; its server and counters are here to be watched. */
  webhook: Webhook;
  batches: BatchClient;
}

/** What the receiver and the workers share. */
const secretKey = new Secret(randomBytes(32));

/** Runs `body` while everything serves; the archive lies in `folder`. */
export async function withWhole<T>(folder: string, body: (whole: Whole) => Promise<T>): Promise<T> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } } });
  const metricsPort = await freePort();
  const env = await startLocalTemporal({ extraArgs: ['--metrics-port', String(metricsPort)] });
  const simulator = await startSimulator();
  const plangrep = new PlangrepClient({ baseUrl: simulator.apiUrl, apiKey: () => simulator.apiKey, version: packageVersion });
  const webhook = await startWebhook({ config: { ...readConfig({}, []), secretKey }, temporal: env.client, port: 0 });
  try {
    const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    const batches = new BatchClient({ client: env.client });
    return await whileWorking({ env, plangrep, folder, webhookUrl: webhook.url }, () => body({ env, metricsUrl, simulator, webhook, batches }));
  } finally {
    await webhook.close();
    await env.teardown();
    await Promise.all([simulator.close(), plangrep.close(), closePageCounter()]);
  }
}

interface Working {
  env: TestWorkflowEnvironment;
  plangrep: PlangrepClient;
  folder: string;
  webhookUrl: string;
}

async function whileWorking<T>({ env, plangrep, folder, webhookUrl }: Working, body: () => Promise<T>): Promise<T> {
  const activities = createActivities({
    store: new FolderStore(join(folder, 'archive')),
    plangrep,
    seal: new Seal(secretKey.reveal()),
    pace: createPace(1000),
    temporal: env.client,
    settings: { webhookUrl, minPollMs: 1000, projectPollMs: 1000, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 },
  });
  const workers = await createWorkers({ connection: env.nativeConnection, namespace: env.namespace ?? 'default' }, activities, { requestsPerSecond: 1000 });
  const runs = workers.map((worker) => worker.run());
  try {
    return await Promise.race([body(), Promise.all(runs).then(() => Promise.reject(new Error('The workers stopped')))]);
  } finally {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(runs);
  }
}
