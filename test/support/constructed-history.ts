import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

/** Attributes of an event, in the JSON form of Temporal's protobuf. */
type Attributes = Record<string, unknown>;
interface Event {
  eventId: string;
  eventTime: string;
  eventType: string;
  [attributes: string]: unknown;
}

/** As the SDK has them by default; without them a replay follows the order of an older release. */
const langUsedFlags = [1, 2];

/** Plain JSON as a payload. */
export const payloads = (...values: unknown[]) => ({
  payloads: values.map((value) => ({ metadata: { encoding: Buffer.from('json/plain').toString('base64') }, data: Buffer.from(JSON.stringify(value)).toString('base64') })),
});

/**
 * A history made event by event, for what no server can be made to do at will, such as two things that arrive in one workflow task. What
 * the workflow must do about it is written as the events of its commands, and {@link replay} checks that it does.
 */
export class ConstructedHistory {
  readonly #events: Event[];

  constructor(readonly workflowId: string, events: Event[] = []) {
    this.#events = [...events];
  }

  /** Adds one event, `TIMER_FIRED` with the attributes of `timerFiredEventAttributes`, so long after the one before. @returns its id */
  add(type: string, attributes: Attributes = {}, afterMs = 10): string {
    const name = type.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const eventId = String(this.#events.length + 1);
    const last = this.#events.at(-1)?.eventTime ?? '2026-11-24T21:13:10Z';
    const eventTime = new Date(Date.parse(last) + afterMs).toISOString();
    this.#events.push({ eventId, eventTime, eventType: `EVENT_TYPE_${type}`, [`${name}EventAttributes`]: attributes });
    return eventId;
  }

  /** A workflow task that sees everything added so far. `full`: the server suggests continue-as-new in it. */
  task({ full = false } = {}): this {
    const scheduledEventId = this.add('WORKFLOW_TASK_SCHEDULED', { startToCloseTimeout: '10s', attempt: 1 });
    const startedEventId = this.add('WORKFLOW_TASK_STARTED', { scheduledEventId, historySizeBytes: '8000', suggestContinueAsNew: full });
    this.add('WORKFLOW_TASK_COMPLETED', { scheduledEventId, startedEventId, sdkMetadata: { langUsedFlags } });
    return this;
  }

  /** Whether today's workflows do what the history says. @throws DeterminismViolationError when they do something else */
  async replay(workflowBundle: WorkflowBundleWithSourceMap): Promise<void> {
    await Worker.runReplayHistory({ workflowBundle }, { events: this.#events }, this.workflowId);
  }
}

const recordedBatch = join(__dirname, '../replay/histories/plain-batch.json');

/** The recorded start of a batch, up to the task in which it finds its project or the event that its first job has started, as if its plan had `jobs` jobs. */
export async function recordedStart(until: 'project' | 'first job', { jobs = 1, maxConcurrentJobs = 5, createProject = false } = {}): Promise<ConstructedHistory> {
  const { workflowId, history } = JSON.parse(await readFile(recordedBatch, 'utf8')) as { workflowId: string; history: { events: Event[] } };
  const last = until === 'project' ? 18 : 32;
  const events = history.events.slice(0, last).map((event) => {
    if (event.eventId === '7') return withResult(event, (answer) => ({ ...answer, input: { ...(answer.input as object), maxConcurrentJobs, createProject } }));
    if (event.eventId === '13') return withResult(event, (answer) => ({ ...answer, jobs }));
    return event;
  });
  return new ConstructedHistory(workflowId, events);
}

function withResult(event: Event, change: (answer: Attributes) => Attributes): Event {
  const completed = event.activityTaskCompletedEventAttributes as { result: ReturnType<typeof payloads> };
  const answer = JSON.parse(Buffer.from(completed.result.payloads[0]!.data, 'base64').toString()) as Attributes;
  return { ...event, activityTaskCompletedEventAttributes: { ...completed, result: payloads(change(answer)) } };
}
