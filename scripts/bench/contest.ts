import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { openActivities } from './activity-owners';
import type { RequestKind } from './request-log';
import type { WorkerSite } from './worker-site';

/** Two batches at once, of one document a job. */
export interface ContestOptions {
  /** Tells this contest's batches from others'. */
  name: string;
  /** Jobs of the large batch; 0: the small one is alone. */
  large: number;
  /** Jobs of the small one. */
  small: number;
  /** The large one's `maxConcurrentJobs`. Default: the product's. */
  window?: number;
  /** One fairness key for both, as if they were one batch. Default: each has its own. */
  sameKey?: boolean;
  /** When it is over: the small batch's jobs are created, or it has ended. Default `closed`. */
  until?: 'created' | 'closed';
}

/** How long tasks of the small batch stood in a queue, in tasks of the large one of the same priority that were taken meanwhile. */
export interface Waits {
  /** Tasks of the small one. */
  tasks: number;
  /** Of the task that waited longest. */
  most: number;
  /** Of all of its tasks together. */
  sum: number;
  /** Of the task that waited longest, in tasks of any priority. */
  mostOfAny: number;
}

/** What became of the small batch. */
export interface ContestResult {
  /** From its first request's turn until it was over. */
  seconds: number;
  waits: Record<RequestKind, Waits>;
  /** Jobs of the large one that were done by then. */
  largeDone: number;
}

/** Each activity's queue, and the activity that stands for it. Those of one name have one priority; another priority goes before all of them, or after. */
const ranks: Record<string, { kind: RequestKind; rank: string }> = {
  findProject: { kind: 'api', rank: 'createJob' },
  awaitProject: { kind: 'api', rank: 'createJob' },
  createJob: { kind: 'api', rank: 'createJob' },
  completeUploads: { kind: 'api', rank: 'completeUploads' },
  awaitJob: { kind: 'api', rank: 'awaitJob' },
  uploadDocuments: { kind: 'transfer', rank: 'uploadDocuments' },
  archiveJob: { kind: 'archive', rank: 'archiveJob' },
};
const kinds = ['api', 'transfer', 'archive'] as const;
const lookMs = 50;
/** As long as a contest may take, in ms. */
const limitMs = 120_000;

/**
 * Runs a small batch beside a large one that has filled its window, and ends the large one. The API queue stands still until all jobs of a given
 * window and then the small one's first task are in it, so that the machine's speed does not matter. @throws when the small one does not complete
 */
export async function runContest(site: WorkerSite, { name, large, small, window, sameKey = false, until = 'closed' }: ContestOptions): Promise<ContestResult> {
  const begin = async (id: string, jobs: number, maxConcurrentJobs: number | undefined): Promise<void> => {
    const folder = await site.documents(id, jobs);
    await site.batches.start({ project: 'Quickstart', source: { folder }, limits: { maxFiles: 1 }, ...(maxConcurrentJobs && { maxConcurrentJobs }), ...(sameKey && { tenant: name }) }, { id });
  };
  const [largeId, smallId] = [`${name}-large`, `${name}-small`];
  if (large > 0) {
    await begin(largeId, large, window);
    await when(() => site.log.of(largeId, 'api').length > 0);
    await site.limitApi(0);
    await when(async () => (await jobsAsking(site, largeId, large)) >= Math.min(large, window ?? 0));
  }
  await begin(smallId, small, undefined);
  if (large > 0) await when(() => isAsking(site, smallId));
  const startedAt = performance.now();
  if (large > 0) await site.limitApi(null);
  await (until === 'created' ? when(() => site.log.of(smallId, 'api').length >= small) : whenCompleted(site, smallId));
  const seconds = (performance.now() - startedAt) / 1000;
  const [own, others] = [await staysOf(site, smallId, small), large > 0 ? await staysOf(site, largeId, large) : []];
  const waits = Object.fromEntries(kinds.map((kind) => [kind, waitsOf(own.filter((stay) => stay.kind === kind), others)])) as ContestResult['waits'];
  const largeDone = large > 0 ? (await site.batches.status(largeId)).jobs.done : 0;
  if (large > 0) await endLarge(site, largeId);
  return { seconds, waits, largeDone };
}

/** Whether a batch has a task in the API queue. */
async function isAsking(site: WorkerSite, id: string): Promise<boolean> {
  return (await openActivities(site, id, 0)).some(({ name }) => name === 'findProject');
}

/** How many jobs of a batch have been created, or have their creation in the API queue. */
async function jobsAsking(site: WorkerSite, id: string, jobs: number): Promise<number> {
  const waiting = (await openActivities(site, id, jobs)).flatMap(({ name, workflowId }) => (name === 'createJob' ? [workflowId] : []));
  return new Set([...waiting, ...site.log.of(id, 'api').map(({ job }) => job)]).size;
}

async function when(look: () => boolean | Promise<boolean>): Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  while (!(await look())) {
    limit.throwIfAborted();
    await pause(lookMs);
  }
}

async function whenCompleted({ batches }: WorkerSite, id: string): Promise<void> {
  const { status } = await batches.wait(id, { signal: AbortSignal.timeout(limitMs) });
  if (status !== 'completed') throw new Error(`The small batch ended as ${status}`);
}

type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** One task's time in its queue, by the server's clock. */
interface Stay {
  kind: RequestKind;
  rank: string;
  fromMs: number;
  toMs: number;
}

/** Of the activities of a batch and its jobs; those that were tried again are left out, since the history has only the last try. */
async function staysOf({ temporal: { client } }: WorkerSite, batchId: string, jobs: number): Promise<Stay[]> {
  const workflowIds = [batchWorkflowId(batchId), ...Array.from({ length: jobs }, (_, index) => jobWorkflowId(batchId, index + 1))];
  // A job whose turn has not come has no history.
  const histories = await Promise.all(workflowIds.map((workflowId) => client.workflow.getHandle(workflowId).fetchHistory().catch(() => null)));
  return histories.flatMap((history) => staysIn(history?.events ?? []));
}

function staysIn(events: HistoryEvent[]): Stay[] {
  return events.flatMap((event) => {
    const { scheduledEventId, attempt } = event.activityTaskStartedEventAttributes ?? {};
    const scheduled = events.find(({ eventId }) => String(eventId) === String(scheduledEventId));
    const known = ranks[scheduled?.activityTaskScheduledEventAttributes?.activityType?.name ?? ''];
    return scheduled && known && attempt === 1 ? [{ ...known, fromMs: timeOf(scheduled), toMs: timeOf(event) }] : [];
  });
}

const timeOf = ({ eventTime }: HistoryEvent): number => Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1_000_000;

function waitsOf(stays: Stay[], others: Stay[]): Waits {
  const ahead = (stay: Stay, same: 'rank' | 'kind'): number => others.filter((other) => other[same] === stay[same] && other.toMs > stay.fromMs && other.toMs < stay.toMs).length;
  const [ofRank, ofAny] = [stays.map((stay) => ahead(stay, 'rank')), stays.map((stay) => ahead(stay, 'kind'))];
  return { tasks: stays.length, most: Math.max(0, ...ofRank), sum: ofRank.reduce((sum, count) => sum + count, 0), mostOfAny: Math.max(0, ...ofAny) };
}

/** Nothing of it may disturb the next contest. */
async function endLarge({ temporal: { client } }: WorkerSite, id: string): Promise<void> {
  const end = (workflowId: string): Promise<unknown> => client.workflow.getHandle(workflowId).terminate('The contest is over').catch(() => undefined);
  await end(batchWorkflowId(id));
  for await (const open of client.workflow.list({ query: `ExecutionStatus = "Running" AND BatchId = "${id}"` })) await end(open.workflowId);
}
