import type { CalendarSpecDescription, Client, IntervalSpecDescription, Range, ScheduleDescription } from '@temporalio/client';
import { batchInputSchema, type BatchInput, type BatchStatus } from '../contract/batch';
import { parseBatchWorkflowId } from '../contract/messages';
import { BatchNotFoundError } from './errors';
import { lookAtBatch, type Unreadable } from './known';
import { describeBatch } from './reading';
import { overlapOf, type ScheduleOverlap } from './schedule-definition';
import { attributesOf } from './summary';
import { withoutMemos } from './visibility';

/** The newest batch that a schedule started. */
export interface ScheduledBatch {
  batchId: string;
  /** The time it was due, jitter included; ISO. */
  scheduledAt: string;
  /** ISO. */
  startedAt: string;
  /** Null when Temporal has forgotten it: its retention time is over. */
  status: BatchStatus | null;
}

/** A schedule as it stands. */
export interface BatchSchedule {
  scheduleId: string;
  /** Same times as were asked for, in Temporal's own spelling. */
  cron: string[];
  timeZone: string;
  jitterMs: number;
  overlap: ScheduleOverlap;
  catchupWindowMs: number;
  pauseOnFailure: boolean;
  paused: boolean;
  note: string | null;
  /** What each batch is started with; null when another version wrote it, or when it is encrypted with another key. */
  input: BatchInput | null;
  /** The next times that it is due, at most ten, jitter included, ISO; while it is paused nothing starts at them. */
  nextTimes: string[];
  /** Ids of the running batches that it waits for; with overlap `allow-all` it waits for none. */
  running: string[];
  lastBatch: ScheduledBatch | null;
  /** Batches started so far. */
  started: number;
  /** Times skipped because a batch was running. */
  skipped: number;
  /** Times missed by more than the catch-up window. */
  missed: number;
  createdAt: string;
  /** What keeps the schedule from being read whole, such as `payload_key_unknown`; its batches may start all the same. Null when nothing does. */
  error: null | { code: string; message: string };
}

/** @throws errors of `@temporalio/client` when Temporal does not answer */
export async function readSchedule(client: Client, description: ScheduleDescription, unreadable: Unreadable): Promise<Omit<BatchSchedule, 'error'>> {
  const { scheduleId, spec, policies, state, info, action } = description;
  return {
    scheduleId,
    cron: [...(spec.calendars ?? []).map(cronText), ...(spec.intervals ?? []).map(everyText)],
    timeZone: spec.timezone || 'UTC',
    jitterMs: spec.jitter === undefined ? 0 : Number(spec.jitter),
    overlap: overlapOf(policies.overlap ?? 'SKIP'),
    catchupWindowMs: policies.catchupWindow,
    pauseOnFailure: policies.pauseOnFailure,
    paused: state.paused,
    note: state.note || null,
    input: batchInputSchema.safeParse(action.args?.[0]).data ?? null,
    nextTimes: info.nextActionTimes.map((time) => time.toISOString()),
    running: info.runningActions.flatMap(({ workflow }) => parseBatchWorkflowId(workflow.workflowId) ?? []),
    lastBatch: await lastBatch(client, info.recentActions, unreadable),
    started: info.numActionsTaken,
    skipped: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
    createdAt: info.createdAt.toISOString(),
  };
}

async function lastBatch(client: Client, recent: ScheduleDescription['info']['recentActions'], unreadable: Unreadable): Promise<ScheduledBatch | null> {
  const last = recent.at(-1);
  const batchId = last && parseBatchWorkflowId(last.action.workflow.workflowId);
  if (!batchId) return null;
  return { batchId, scheduledAt: last.scheduledAt.toISOString(), startedAt: last.takenAt.toISOString(), status: await statusOf(client, batchId, unreadable) };
}

/** A running batch's status is what its attributes say, so that no worker has to answer. */
async function statusOf(client: Client, batchId: string, unreadable: Unreadable): Promise<BatchStatus | null> {
  try {
    const description = await describeBatch({ workflow: withoutMemos(client) }, batchId);
    if (description.status.name === 'RUNNING') return attributesOf(description.typedSearchAttributes).status ?? 'running';
    return (await lookAtBatch(client, description, unreadable)).status;
  } catch (error) {
    if (error instanceof BatchNotFoundError) return null;
    throw error;
  }
}

type Value = string | number;

function field<T extends Value>(ranges: readonly Range<T>[], first: T, last: T): string {
  const part = ({ start, end, step }: Range<T>): string => {
    const whole = start === first && end === last;
    const span = whole ? '*' : start === end ? short(start) : `${short(start)}-${short(end)}`;
    return step > 1 ? `${span}/${step}` : span;
  };
  return ranges.length === 0 ? '*' : ranges.map(part).join(',');
}

/** `JANUARY` as cron has it. */
const short = (value: Value): string => (typeof value === 'number' ? String(value) : value.slice(0, 3));

/** Temporal keeps no cron expression, only what it means. */
function cronText({ second, minute, hour, dayOfMonth, month, dayOfWeek, year }: CalendarSpecDescription): string {
  const five = [field(minute, 0, 59), field(hour, 0, 23), field(dayOfMonth, 1, 31), field(month, 'JANUARY', 'DECEMBER'), field(dayOfWeek, 'SUNDAY', 'SATURDAY')];
  const [seconds, years] = [field(second, 0, 59), field(year, NaN, NaN)];
  if (seconds !== '0') return [seconds, ...five, years].join(' ');
  return (years === '*' ? five : [...five, years]).join(' ');
}

function everyText({ every, offset }: IntervalSpecDescription): string {
  const seconds = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`);
  return `@every ${seconds(every)}${offset > 0 ? `/${seconds(offset)}` : ''}`;
}
