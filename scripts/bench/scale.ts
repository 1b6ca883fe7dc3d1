import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import type { BatchSummary } from '../../src/client';
import { cli, startStack, type Stack } from '../local-stack';
import { writeSmallPdfs } from './corpus';
import { difference, readActions, total, type Counts } from './counts';
import { counted, figure, type Figures } from './figures';
import { historySize, runsOf } from './histories';
import { topEntries } from './profile';
import type { Run, Session } from './session';
import { readCounters } from './simulator';
import { usageOf, type Usage } from './usage';

/** No batch here takes longer, in ms. */
const limitMs = 2 * 3_600_000;
/** Histories of jobs that are read: all of them would take longer than the batch. */
const historiesRead = 25;
/** Functions of the worker that are named. */
const namedEntries = 12;
/** Events at which the server suggests continue-as-new, and those that one window of jobs may add. */
const eventsBudget = 4_096 + 5 * 13;
/** Largest payload in a history, as the end-to-end tests hold it. */
const payloadBudgetBytes = 8 * 1024;
/** The collector leaves lying what memory has room for, hundreds of megabytes on a large machine. With this bound, in MB, growth is what is held. */
const workerHeap = 128;
/** What a worker may hold more after a large batch than after a small one: the design's budget for growth. */
const growthBudgetBytes = 64 * 2 ** 20;

/** What one batch took. */
interface Batch {
  documents: number;
  seconds: number;
  jobs: number;
  usage: Record<string, Usage>;
  actions: Counts;
  requests: Counts;
  batchRuns: number;
  batchEvents: number;
  jobEvents: number;
  largestPayloadBytes: number;
  databaseBytes: number;
}

/** How a batch grows: the same small documents, each time ten times as many, through processes of their own. */
export const scale: Run = async (session) => {
  const sizes = session.smoke ? [20, 40] : session.full ? [1_000, 10_000, 100_000] : [1_000, 10_000];
  const batches: Batch[] = [];
  let profile: Figures = {};
  for (const documents of sizes) {
    const folder = join(session.folder, String(documents));
    const last = documents === sizes.at(-1);
    batches.push(await runBatch(session, { folder, documents, maxFiles: session.smoke ? 10 : 100, profiled: last }));
    if (last) profile = await profileFigures(join(folder, 'profile'));
  }
  return { ...Object.assign({}, ...batches.map((batch) => figuresOf(batch, batches[0]!))), ...profile };
};

interface Job {
  folder: string;
  documents: number;
  maxFiles: number;
  /** Whether the worker writes a CPU profile: it costs a few in a hundred. */
  profiled: boolean;
}

async function runBatch(session: Session, { folder, documents, maxFiles, profiled }: Job): Promise<Batch> {
  const { processes, progress, temporal } = session;
  const source = join(folder, 'source');
  await mkdir(folder, { recursive: true });
  progress(`scale: writing ${documents} documents`);
  await writeSmallPdfs(source, documents);
  // In microseconds. Samples are kept in memory: their number must not follow the number of documents.
  const interval = String(Math.max(5_000, documents / 2));
  const profiling = profiled ? ['--cpu-prof', '--cpu-prof-interval', interval, '--cpu-prof-dir', join(folder, 'profile')] : [];
  const stack = await startStack({
    processes,
    temporal: temporal!,
    folder,
    archive: join(folder, 'archive'),
    secretKeyFile: join(folder, 'secret-key'),
    print: () => undefined,
    // The rates are not what is measured: the API's own are those of the simulator, which has none.
    settings: { PLANGREP_REQUESTS_PER_SECOND: '1000', PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '1000' },
    simulatorArgs: ['--job-ms', '0', '--page-ms', '0', '--credits', String(documents * 100)],
    workers: [{ nodeArgs: [`--max-old-space-size=${workerHeap}`, ...profiling] }],
  });
  progress(`scale: a batch of ${documents} documents, over Temporal, the simulator, a webhook receiver and a worker, each a process`);
  const pids = Object.entries(pidsOf(stack));
  try {
    const before = Object.fromEntries(pids.map(([name, pid]) => [name, usageOf(pid)]));
    const metricsUrl = await metricsUrlOf(folder);
    const actionsBefore = await readActions(metricsUrl);
    const startedAt = performance.now();
    const args = [cli, 'run', source, '--id', 'scale', '--max-files', String(maxFiles), '--json'];
    const { code, stdout, stderr } = await Promise.race([processes.capture(process.execPath, args, { env: stack.env, timeoutMs: limitMs }), stack.failure]);
    const seconds = (performance.now() - startedAt) / 1000;
    if (code !== 0) throw new Error(`The batch of ${documents} documents ended with exit code ${code}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
    const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as BatchSummary;
    const usage = Object.fromEntries(pids.map(([name, pid]) => [name, less(usageOf(pid), before[name] ?? null)]));
    const actions = difference(await readActions(metricsUrl), actionsBefore);
    const { requests } = await readCounters(stack.control);
    const histories = await readHistories(stack.temporalAddress, summary.jobs.planned);
    return {
      documents,
      seconds,
      jobs: summary.jobs.planned,
      usage,
      actions,
      requests: Object.fromEntries(Object.entries(requests).map(([operation, answers]) => [operation, total(answers)])),
      ...histories,
      databaseBytes: (await stat(join(folder, 'temporal.db'))).size,
    };
  } finally {
    const { temporal: server, simulator, webhook, workers } = stack.services;
    for (const { child } of [...workers, webhook, simulator, server]) await processes.end(child);
  }
}

function pidsOf({ services: { temporal, simulator, webhook, workers } }: Stack): Record<string, number> {
  return { worker: workers[0]!.child.process.pid!, temporal: temporal.child.process.pid!, simulator: simulator.child.process.pid!, receiver: webhook.child.process.pid! };
}

/** What came on since `before`; the peak is that of the whole life. */
const less = (after: Usage | null, before: Usage | null): Usage => ({
  cpuSeconds: (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? 0),
  peakBytes: after?.peakBytes ?? Number.NaN,
});

/** The development server chooses the port of its metrics by itself, and says so. */
async function metricsUrlOf(folder: string): Promise<string> {
  const [, url] = /Temporal Metrics:\s+(\S+)/.exec(await readFile(join(folder, 'temporal.log'), 'utf8')) ?? [];
  if (!url) throw new Error('Temporal did not say where its metrics are');
  return url;
}

async function readHistories(address: string, jobs: number): Promise<Pick<Batch, 'batchRuns' | 'batchEvents' | 'jobEvents' | 'largestPayloadBytes'>> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const workflowId = batchWorkflowId('scale');
    const runs = await runsOf(client, workflowId);
    const ofBatch = [];
    for (const runId of runs) ofBatch.push(await historySize(client, workflowId, runId));
    const ofJobs = [];
    const step = Math.max(1, Math.floor(jobs / historiesRead));
    for (let job = 1; job <= jobs; job += step) ofJobs.push(await historySize(client, jobWorkflowId('scale', job)));
    return {
      batchRuns: runs.length,
      batchEvents: Math.max(...ofBatch.map(({ events }) => events)),
      jobEvents: Math.max(...ofJobs.map(({ events }) => events)),
      largestPayloadBytes: Math.max(...[...ofBatch, ...ofJobs].map((history) => history.largestPayloadBytes)),
    };
  } finally {
    await connection.close();
  }
}

/** Depend on how long everything takes, or on whoever waits. */
const apart = /retry|heartbeat|query/i;
/** Requests that every file and artifact needs. */
const perFile = new Set(['putObject', 'putPart', 'getJobArtifact']);

function figuresOf(batch: Batch, smallest: Batch): Figures {
  const { documents, seconds, jobs, usage, actions, requests } = batch;
  const named = (name: string): string => `${documents}/${name}`;
  const own = Object.fromEntries(Object.entries(actions).filter(([name]) => !apart.test(name)));
  const beside = Object.fromEntries(Object.entries(requests).filter(([name]) => !perFile.has(name)));
  const grown = usage['worker']!.peakBytes - smallest.usage['worker']!.peakBytes;
  return {
    [named('seconds')]: figure(seconds, 's', { note: 'from `run` to its exit' }),
    [named('documentsPerSecond')]: figure(documents / seconds, 'documents/s'),
    [named('jobs')]: figure(jobs, 'jobs'),
    ...Object.fromEntries(Object.entries(usage).map(([name, { cpuSeconds }]) => [named(`${name}/cpuSecondsPer1000`), figure((cpuSeconds * 1000) / documents, 's', { note: 'of the processor, for 1,000 documents' })])),
    ...Object.fromEntries(Object.entries(usage).map(([name, { peakBytes }]) => [named(`${name}/peakBytes`), figure(peakBytes, 'bytes', { note: 'resident, the whole process' })])),
    ...(batch !== smallest && { [named('worker/growthBytes')]: figure(grown, 'bytes', { budget: growthBudgetBytes, note: `over the peak of the batch of ${smallest.documents}; the heap of each thread is held to ${workerHeap} MB` }) }),
    [named('actionsPerDocument')]: figure(total(own) / documents, 'ratio', { note: "jobs' and the batch's own; without retries, heartbeats and queries" }),
    ...counted(named('actions'), actions, 'actions'),
    [named('requestsPerJob')]: figure(total(beside) / jobs, 'ratio', { note: 'without one PUT a file and one GET an artifact' }),
    ...counted(named('requests'), requests, 'requests'),
    [named('batch/runs')]: figure(batch.batchRuns, 'runs', { note: 'more than one when it continued as new' }),
    [named('batch/events')]: figure(batch.batchEvents, 'events', { budget: eventsBudget, note: 'of the longest run' }),
    [named('job/events')]: figure(batch.jobEvents, 'events', { note: `the most of ${Math.min(jobs, historiesRead)} jobs` }),
    [named('largestPayloadBytes')]: figure(batch.largestPayloadBytes, 'bytes', { budget: payloadBudgetBytes }),
    [named('databaseBytes')]: figure(batch.databaseBytes, 'bytes', { note: "Temporal's SQLite file, without what its log still holds" }),
  };
}

async function profileFigures(folder: string): Promise<Figures> {
  const { entries, busySeconds } = await topEntries(folder, namedEntries);
  const share = entries.map(({ name, seconds }) => [`profile/${name}`, figure(seconds / busySeconds, 'ratio', { note: "of the worker's busy time, all threads of JavaScript" })] as const);
  return { 'profile/busySeconds': figure(busySeconds, 's', { note: 'of the largest batch' }), ...Object.fromEntries(share) };
}
