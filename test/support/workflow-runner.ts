import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, type Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import { batchWorkflowId } from '../../src/contract/messages';
import { createWorkers } from '../../src/worker';
import { batchWorkflow } from '../../src/workflows';
import { Processes } from '../../scripts/processes';
import { findTestServer } from '../../scripts/temporal-binaries';
import { builtBundle, isBuilt } from './build';

/** Expected failures are part of these tests; only what the SDK calls an error is shown. */
export function quietRuntime(): void {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } } });
}

/** The workflows as the worker loads them: the built bundle, unless the sources have changed since. */
export const bundleWorkflows = async (): Promise<WorkflowBundleWithSourceMap> =>
  isBuilt() ? { code: await readFile(builtBundle, 'utf8'), sourceMap: '' } : bundleWorkflowCode({ workflowsPath: require.resolve('../../src/workflows'), logger: new DefaultLogger('ERROR') });

/** A time-skipping server, from wherever its binary can be had. */
export async function timeSkipping(): Promise<TestWorkflowEnvironment> {
  const { path } = await findTestServer({ processes: new Processes(), print: () => {} });
  return TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
}

/** Serves all queues while `body` runs. */
export async function withWorkers<T>(env: TestWorkflowEnvironment, bundle: WorkflowBundleWithSourceMap, activities: Activities, body: () => Promise<T>): Promise<T> {
  const shared = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const workers = await createWorkers(shared, activities, { requestsPerSecond: 1000, workflows: { workflowBundle: bundle } });
  return runWorkersUntil(workers, body);
}

async function runWorkersUntil<T>(workers: Worker[], body: () => Promise<T>): Promise<T> {
  const runs = workers.map((worker) => worker.run());
  try {
    return await Promise.race([body(), Promise.all(runs).then(() => Promise.reject(new Error('The workers stopped')))]);
  } finally {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(runs);
  }
}

/** A batch under a new id; nothing of the input is looked at, since the activities are fakes. */
export const startBatch = (client: Client, batchId = `test-${randomUUID()}`) =>
  client.workflow.start(batchWorkflow, { workflowId: batchWorkflowId(batchId), taskQueue: 'plangrep-batch', args: [{}] });
