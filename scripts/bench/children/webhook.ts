import type { WorkflowHandle } from '@temporalio/client';
import { jobWorkflowId, jobStatusChangedSignal } from '../../../src/contract/messages';
import { parseWebhookPath } from '../../../src/contract/webhook-path';
import type { Counts } from '../counts';
import { answer } from './measure';
import { withWhole, type Whole } from './whole';

/** A batch of many small jobs. */
export interface WebhookRequest {
  /** The archive is made in it. */
  folder: string;
  source: string;
  /** Documents in the source, and so jobs. */
  jobs: number;
}

/** What the histories and the receiver's clock say; times in ms. */
export interface Webhooks {
  /** Of each job: from its last webhook's arrival to the scheduling of the read that it caused. */
  delays: number[];
  /** The same to the start of that read. */
  reads: number[];
  /** Jobs that caused no read. */
  passedOver: number;
  /** The receiver's requests by outcome. */
  outcomes: Counts;
}

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

answer<WebhookRequest, Webhooks>(({ folder, source, jobs }) =>
  withWhole(folder, async (whole) => {
    const arrivals = watch(whole);
    const batchId = 'webhooks';
    await whole.batches.start({ project: 'Quickstart', source: { folder: source }, limits: { maxFiles: 1 }, maxConcurrentJobs: 5 }, { id: batchId });
    const { status } = await whole.batches.wait(batchId);
    if (status !== 'completed') throw new Error(`The batch ended as ${status}`);
    const spans: ({ delay: number; read: number } | null)[] = [];
    for (let job = 1; job <= jobs; job++) spans.push(await spanOf(whole, jobWorkflowId(batchId, job), arrivals));
    const found = spans.filter((span) => span !== null);
    return { delays: found.map(({ delay }) => delay), reads: found.map(({ read }) => read), passedOver: spans.length - found.length, outcomes: { ...whole.webhook.counters.requests } };
  }),
);

/** When each workflow's last webhook arrived, by the clock of this machine, which is Temporal's too. */
function watch({ webhook }: Whole): Map<string, number> {
  const arrivals = new Map<string, number>();
  webhook.server.prependListener('request', ({ url }) => {
    const address = parseWebhookPath(url ?? '');
    if (address) arrivals.set(address.workflowId, performance.timeOrigin + performance.now());
  });
  return arrivals;
}

/** From the arrival to the read: the first one that was scheduled after the signal. Null when there was none. */
async function spanOf({ env }: Whole, workflowId: string, arrivals: Map<string, number>): Promise<{ delay: number; read: number } | null> {
  const { events } = await env.client.workflow.getHandle(workflowId).fetchHistory();
  const all = events ?? [];
  const signal = all.findIndex((event) => event.workflowExecutionSignaledEventAttributes?.signalName === jobStatusChangedSignal.name);
  const scheduled = signal < 0 ? undefined : all.slice(signal).find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'awaitJob');
  const started = scheduled && all.find((event) => event.activityTaskStartedEventAttributes?.scheduledEventId?.toString() === scheduled.eventId?.toString());
  const arrival = arrivals.get(workflowId);
  return scheduled && started && arrival !== undefined ? { delay: timeOf(scheduled) - arrival, read: timeOf(started) - arrival } : null;
}

const timeOf = ({ eventTime }: Event): number => Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1_000_000;
