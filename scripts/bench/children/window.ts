import type { Client } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, type Worker } from '@temporalio/worker';
import { batchWorkflowId } from '../../../src/contract/messages';
import { createWorkers } from '../../../src/worker';
import type { WorkerTuning } from '../../../src/worker-tuning';
import { batchWorkflow } from '../../../src/workflows';
import { freePort } from '../../free-ports';
import { startLocalTemporal } from '../../local-temporal';
import { readActions, type Counts } from '../counts';
import { historySize, type HistorySize } from '../histories';
import { answer } from './measure';
import { stubActivities } from './stub-activities';

/** A batch whose jobs do nothing. */
export interface WindowRequest {
  jobs: number;
  documentsPerJob: number;
  maxConcurrentJobs: number;
  /** Jobs have two activities instead of five. */
  short: boolean;
  /** Events after which the server suggests continue-as-new; null for the server's own number. */
  suggestAfterEvents: number | null;
  /** Jobs after which growth is counted, and the time is split. */
  middle: number;
  /** Tuning of the worker. Default: the product's. */
  tuning?: Partial<WorkerTuning>;
  /** Parts of a task queue. Default: the server's, which is four. */
  partitions?: number;
  /** The workflows' bundle: made elsewhere, since that takes memory which would hide what the worker takes. */
  bundle: string;
}

/** One run of the batch, as the server has it. */
export interface RunSize extends HistorySize {
  /** State that the run took over; 0 for the first one. */
  carriedBytes: number;
  /** Commands that are actions, by kind. */
  commands: Counts;
}

/** What came out. */
export interface WindowAnswer {
  documentsDone: number;
  seconds: { toMiddle: number; all: number };
  /** Of the worker's process. */
  cpuSeconds: number;
  runs: RunSize[];
  /** All that Temporal counted, those of the jobs included. */
  actions: Counts;
  /** Resident memory of the worker process: the most until the middle, the most after it. */
  memory: { untilMiddleBytes: number; afterMiddleBytes: number };
  /** Workflows that the worker held in memory: the most, and when all was over. */
  cached: { most: number; atEnd: number };
}

answer<WindowRequest, WindowAnswer>(async (request) => {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } } });
  const metricsPort = await freePort();
  const limit = request.suggestAfterEvents === null ? [] : ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${request.suggestAfterEvents}`];
  const pieces = request.partitions === undefined ? [] : ['Read', 'Write'].flatMap((kind) => ['--dynamic-config-value', `matching.numTaskqueue${kind}Partitions=${request.partitions}`]);
  const env = await startLocalTemporal({ extraArgs: ['--metrics-port', String(metricsPort), ...limit, ...pieces] });
  try {
    return await measureWindow(env, `http://127.0.0.1:${metricsPort}/metrics`, request);
  } finally {
    await env.teardown();
  }
});

async function measureWindow(env: TestWorkflowEnvironment, metricsUrl: string, request: WindowRequest): Promise<WindowAnswer> {
  let startedAt = 0;
  const secondsSince = (): number => (performance.now() - startedAt) / 1000;
  const seconds = { toMiddle: 0, all: 0 };
  const memory = { untilMiddleBytes: 0, afterMiddleBytes: 0 };
  const cached = { most: 0, atEnd: 0 };
  const onClosed = (jobs: number): void => {
    const half = jobs <= request.middle ? 'untilMiddleBytes' : 'afterMiddleBytes';
    memory[half] = Math.max(memory[half], process.memoryUsage.rss());
    cached.most = Math.max(cached.most, cachedBy(workers));
    if (jobs === request.middle) seconds.toMiddle = secondsSince();
  };
  const shared = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const workers = await createWorkers(shared, stubActivities({ ...request, onClosed }), {
    requestsPerSecond: 100_000,
    workflows: { workflowBundle: { codePath: request.bundle } },
    ...(request.tuning && { tuning: request.tuning }),
  });
  const working = workers.map((worker) => worker.run());
  try {
    const batchId = 'window';
    startedAt = performance.now();
    const before = process.cpuUsage();
    const handle = await env.client.workflow.start(batchWorkflow, { workflowId: batchWorkflowId(batchId), taskQueue: 'plangrep-batch', args: [{}] });
    const { status, documentsDone, jobs } = await Promise.race([handle.result(), Promise.all(working).then(() => Promise.reject(new Error('The workers stopped')))]);
    seconds.all = secondsSince();
    const { user, system } = process.cpuUsage(before);
    if (status !== 'completed' || jobs.done !== request.jobs) throw new Error(`A batch of ${request.jobs} jobs ended as ${status} with ${jobs.done} done`);
    cached.atEnd = cachedBy(workers);
    return { documentsDone, seconds, cpuSeconds: (user + system) / 1_000_000, memory, cached, runs: await readRuns(env.client, batchWorkflowId(batchId)), actions: await readActions(metricsUrl) };
  } finally {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(working);
  }
}

const cachedBy = (workers: Worker[]): number => workers.reduce((sum, worker) => sum + worker.getStatus().numCachedWorkflows, 0);

/** All runs, the last one first: each names the one before. */
async function readRuns(client: Client, workflowId: string): Promise<RunSize[]> {
  const runs: RunSize[] = [];
  for (let runId: string | undefined; ; ) {
    const events = (await client.workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [];
    const started = events[0]?.workflowExecutionStartedEventAttributes;
    const [, carried] = started?.input?.payloads ?? [];
    const commands: Counts = {};
    for (const event of events) for (const kind of actionKinds) if (event[`${kind}EventAttributes`]) commands[kind] = (commands[kind] ?? 0) + 1;
    runs.push({ ...(await historySize(client, workflowId, runId)), carriedBytes: carried?.data?.length ?? 0, commands });
    runId = started?.continuedExecutionRunId || undefined;
    if (!runId) return runs;
  }
}

/** Events of a batch's history that are actions; the start of a child is two. */
const actionKinds = [
  'activityTaskScheduled', 'startChildWorkflowExecutionInitiated', 'childWorkflowExecutionStarted', 'timerStarted', 'upsertWorkflowSearchAttributes',
  'signalExternalWorkflowExecutionInitiated', 'requestCancelExternalWorkflowExecutionInitiated', 'workflowExecutionUpdateAccepted',
  'workflowExecutionContinuedAsNew',
] as const;
