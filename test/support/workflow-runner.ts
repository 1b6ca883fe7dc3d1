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

/** The workers of one environment, which serve whatever activities the test of the moment brings. */
interface Serving {
  workers: Worker[];
  runs: Promise<void>[];
  /** Rejects when they stop. */
  stopped: Promise<never>;
  current: Activities;
  /** The server's time at the last look at it, in ms, and how many looks in a row found that none was skipped. */
  lookedAt: number;
  still: number;
}
const servings = new WeakMap<TestWorkflowEnvironment, Promise<Serving>>();

/** Serves all queues with these activities while `body` runs; one test at a time. The workers stay for the next test, until {@link stopWorkers}. */
export async function withWorkers<T>(env: TestWorkflowEnvironment, bundle: WorkflowBundleWithSourceMap, activities: Activities, body: () => Promise<T>): Promise<T> {
  const starting = servings.get(env) ?? startWorkers(env, bundle, activities);
  servings.set(env, starting);
  const serving = await starting;
  serving.current = activities;
  const watch = env.supportsTimeSkipping ? setInterval(() => void looksAtTime(env, serving).catch(() => undefined), lookMs) : undefined;
  try {
    return await Promise.race([body(), serving.stopped]);
  } finally {
    clearInterval(watch);
    serving.still = 0;
  }
}

/** Between two looks at the server's clock, in ms, and how many of them in a row may find it going as any clock does. */
const [lookMs, mostStill] = [10_000, 3];

/**
 * Under load the server sometimes forgets that a task is over: it counts one that runs for ever, during which it skips no time, and a test that
 * waits for days waits for days. What it counts too much is taken off again, when nothing runs here.
 */
async function looksAtTime(env: TestWorkflowEnvironment, serving: Serving): Promise<void> {
  const now = await env.currentTimeMs();
  const isIdle = serving.workers.map((worker) => worker.getStatus()).every(({ numInFlightActivities, numInFlightWorkflowActivations }) => numInFlightActivities + numInFlightWorkflowActivations === 0);
  serving.still = isIdle && now - serving.lookedAt < 2 * lookMs ? serving.still + 1 : 0;
  serving.lookedAt = now;
  if (serving.still < mostStill) return;
  console.warn('The time-skipping server had stopped skipping time; it was told to go on.');
  await env.connection.testService!.unlockTimeSkipping({});
}

async function startWorkers(env: TestWorkflowEnvironment, bundle: WorkflowBundleWithSourceMap, activities: Activities): Promise<Serving> {
  const shared = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const serving = { current: activities, lookedAt: 0, still: 0 } as Serving;
  const passOn = <G extends keyof Activities>(group: G) =>
    Object.fromEntries(Object.keys(activities[group]).map((name) => [name, (request: unknown) => (serving.current[group] as unknown as Record<string, (request: unknown) => unknown>)[name]!(request)])) as unknown as Activities[G];
  const passed: Activities = { batch: passOn('batch'), api: passOn('api'), transfer: passOn('transfer'), archive: passOn('archive') };
  serving.workers = await createWorkers(shared, passed, { requestsPerSecond: 1000, workflows: { workflowBundle: bundle } });
  serving.runs = serving.workers.map((worker) => worker.run());
  serving.stopped = Promise.all(serving.runs).then(() => Promise.reject(new Error('The workers stopped')));
  serving.stopped.catch(() => undefined);
  return serving;
}

/** Ends the workers that served an environment. */
export async function stopWorkers(env: TestWorkflowEnvironment): Promise<void> {
  const serving = await servings.get(env);
  for (const worker of serving?.workers ?? []) if (worker.getState() === 'RUNNING') worker.shutdown();
  await Promise.all(serving?.runs ?? []);
}

/** Ends the workers, then the environment. */
export async function tearDown(env: TestWorkflowEnvironment): Promise<void> {
  try {
    await stopWorkers(env);
  } finally {
    await env.teardown();
  }
}

/** A batch under a new id; nothing of the input is looked at, since the activities are fakes. */
export const startBatch = (client: Client, batchId = `test-${randomUUID()}`) =>
  client.workflow.start(batchWorkflow, { workflowId: batchWorkflowId(batchId), taskQueue: 'plangrep-batch', args: [{}] });
