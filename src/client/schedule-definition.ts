import { isAbsolute } from 'node:path';
import type { ScheduleOptions as TemporalSchedule } from '@temporalio/client';
import { z } from 'zod';
import { batchInputSchema, inputProblems, type BatchInput, type BatchInputOptions, type InputProblem, type Source } from '../contract/batch';
import { batchIdRule, isBatchId, workflowTypes, type SearchAttributeName } from '../contract/messages';
import { InvalidInputError } from './errors';
import { maxInputBytes, startOptions } from './start-options';

/** Longest schedule id: Temporal appends the time, and the whole is a batch id of at most 120 characters. */
export const maxScheduleIdLength = 98;

/**
 * What happens when a sweep is due while the last one runs. `skip`: nothing. `buffer-one`: one more follows. `buffer-all`: all follow, one
 * after another. `cancel-other`: the running one is cancelled first. `terminate-other`: it is terminated. `allow-all`: they run side by side.
 */
export const scheduleOverlaps = ['skip', 'buffer-one', 'buffer-all', 'cancel-other', 'terminate-other', 'allow-all'] as const;
/** See {@link scheduleOverlaps}. */
export type ScheduleOverlap = (typeof scheduleOverlaps)[number];

/** When a schedule starts batches, and how. */
export interface ScheduleOptions {
  /**
   * When: one to ten cron expressions of five fields (minute, hour, day of the month, month, day of the week), `@hourly`, `@daily`, `@weekly`,
   * `@monthly`, `@yearly`, or `@every 6h`. With six fields the last is the year, with seven the first is the second. A day must fit both day fields.
   */
  cron: string | string[];
  /** IANA name of the time zone that `cron` means, such as `Europe/Berlin`. Default `UTC`. */
  timeZone?: string;
  /** Each time is put off by a random time up to this many milliseconds, 0 to 86,400,000. Default 0. */
  jitterMs?: number;
  /** Default `skip`. */
  overlap?: ScheduleOverlap;
  /** How late, in milliseconds, a time that Temporal missed while it was down is still taken; 10,000 to 31,536,000,000. Default 3,600,000. */
  catchupWindowMs?: number;
  /** Whether it starts out paused. Default false. */
  paused?: boolean;
  /** A remark, at most 500 characters, shown beside it. Default: none. */
  note?: string;
  /** Whether a batch that fails pauses the schedule. Default false. */
  pauseOnFailure?: boolean;
}

const zoneSchema = z.string().superRefine((zone, context) => {
  const message = zoneProblem(zone);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

function zoneProblem(zone: string): string | null {
  const wrong = `"${zone}" is no IANA time zone, such as Europe/Berlin or UTC`;
  if (!/^[A-Za-z]/.test(zone)) return wrong;
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
    // Temporal reads them from a case-sensitive list.
    return known !== zone && known.toLowerCase() === zone.toLowerCase() ? `"${zone}" must be written ${known}` : null;
  } catch {
    return wrong;
  }
}

const cronSchema = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine((cron) => !/^(CRON_)?TZ=/.test(cron), 'must not name a time zone: it has a field of its own')
  .refine((cron) => cron.startsWith('@') || [5, 6, 7].includes(cron.replace(/#.*/, '').trim().split(/\s+/).length), 'must have 5 fields: minute, hour, day of the month, month, day of the week');

const optionsSchema = z.strictObject({
  cron: z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(cronSchema).min(1).max(10)),
  timeZone: zoneSchema.default('UTC'),
  jitterMs: z.number().int().min(0).max(86_400_000).default(0),
  overlap: z.enum(scheduleOverlaps).default('skip'),
  catchupWindowMs: z.number().int().min(10_000).max(31_536_000_000).default(3_600_000),
  paused: z.boolean().default(false),
  note: z.string().max(500).optional(),
  pauseOnFailure: z.boolean().default(false),
});

/** A schedule that has passed every check that needs no server. */
export interface CheckedSchedule {
  scheduleId: string;
  input: BatchInput;
  options: z.output<typeof optionsSchema>;
}

/** Whether a schedule may have this id. */
export const scheduleIdProblem = (id: string): InputProblem[] => {
  if (!isBatchId(id)) return [{ field: 'scheduleId', message: `must have ${batchIdRule.replace('120', String(maxScheduleIdLength))}` }];
  if (id.length <= maxScheduleIdLength) return [];
  return [{ field: 'scheduleId', message: `has ${id.length} characters, at most ${maxScheduleIdLength} are taken: each batch is named after it and the time` }];
};

/**
 * All that can be wrong with a schedule before a server is asked. A sweep is quiet about an empty source and takes only what is new, unless the
 * input says otherwise.
 * @throws InvalidInputError with every problem
 */
export function checkSchedule(scheduleId: string, input: BatchInputOptions, options: ScheduleOptions): CheckedSchedule {
  const parsed = batchInputSchema.safeParse(typeof input === 'object' && input !== null ? { ...input, allowEmpty: input.allowEmpty ?? true, skipProcessed: input.skipProcessed ?? true } : input);
  const checked = optionsSchema.safeParse(options);
  const problems = [...scheduleIdProblem(scheduleId), ...(parsed.error ? inputProblems(parsed.error) : sourceProblems(parsed.data)), ...(checked.error ? inputProblems(checked.error) : [])];
  if (!parsed.success || !checked.success || problems.length > 0) throw new InvalidInputError(problems);
  return { scheduleId, input: parsed.data, options: checked.data };
}

function sourceProblems(input: BatchInput): InputProblem[] {
  const { source } = input;
  if ('retryOf' in source) return [{ field: 'source.retryOf', message: 'is for one batch, not for a schedule' }];
  const size = Buffer.byteLength(JSON.stringify(input));
  const tooLarge = size > maxInputBytes ? [{ field: '(input)', message: `has ${size} bytes, at most ${maxInputBytes} are taken: put the documents into a list file` }] : [];
  const relative = pathsOf(source).find(([, path]) => !isAbsolute(path));
  return relative ? [...tooLarge, { field: relative[0], message: 'must be absolute, as the worker sees it' }] : tooLarge;
}

const pathsOf = (source: Exclude<Source, { retryOf: string }>): [field: string, path: string][] => {
  if ('folder' in source) return [['source.folder', source.folder]];
  if ('list' in source) return [['source.list', source.list]];
  return source.documents.map(({ path }, index) => [`source.documents.${index}.path`, path]);
};

/** Temporal's word for ours. */
export const temporalOverlap = (overlap: ScheduleOverlap) => overlap.toUpperCase().replace('-', '_') as NonNullable<NonNullable<TemporalSchedule['policies']>['overlap']>;
/** Our word for Temporal's. */
export const overlapOf = (policy: string): ScheduleOverlap => policy.toLowerCase().replace('_', '-') as ScheduleOverlap;

/** How Temporal is asked for the schedule. Each batch gets the id of the schedule and the time that Temporal appends. */
export function temporalSchedule({ scheduleId, input, options }: CheckedSchedule, registered: readonly SearchAttributeName[]): TemporalSchedule {
  // BatchId cannot be known here; the batch sets it itself.
  const { workflowId, taskQueue, args, memo, staticSummary, priority, typedSearchAttributes } = startOptions(scheduleId, input, registered.filter((name) => name !== 'BatchId'));
  // A name of its own, since the SDK's type lacks `priority`, which it sends all the same.
  const action = { type: 'startWorkflow' as const, workflowType: workflowTypes.batch, workflowId: workflowId!, taskQueue, args, memo: { ...memo, scheduleId }, staticSummary: staticSummary!, priority, typedSearchAttributes: typedSearchAttributes! };
  return {
    scheduleId,
    spec: { cronExpressions: options.cron, timezone: options.timeZone, ...(options.jitterMs > 0 && { jitter: options.jitterMs }) },
    action,
    policies: { overlap: temporalOverlap(options.overlap), catchupWindow: options.catchupWindowMs, pauseOnFailure: options.pauseOnFailure },
    state: { paused: options.paused, ...(options.note !== undefined && { note: options.note }) },
  };
}
