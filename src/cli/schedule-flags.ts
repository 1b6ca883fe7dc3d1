import { Command, InvalidArgumentError, Option } from 'commander';
import type { ScheduleOptions, ScheduleOverlap } from '../client/schedule-definition';
import { addInputFlags, flagOf, type InputFlags } from './input-flags';

/** The flags of `schedule create`, as commander hands them over. */
export interface ScheduleFlags extends Omit<InputFlags, 'id'> {
  cron: string[];
  timeZone?: string;
  jitter?: number;
  overlap?: ScheduleOverlap;
  catchupWindow?: number;
  paused?: boolean;
  note?: string;
  pauseOnFailure?: boolean;
  skipProcessed: boolean;
}

/** The policies once more: reading them where they are defined would load all of the client for a `--help`. */
export const overlapChoices: readonly ScheduleOverlap[] = ['skip', 'buffer-one', 'buffer-all', 'cancel-other', 'terminate-other', 'allow-all'];

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `5m`, `1h`, `2d` in milliseconds; bounds are checked with the rest. */
export function duration(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be a whole number and a unit: 90s, 5m, 1h, 2d.');
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];
/** Flags that a schedule has in another form: its batches name themselves, and they skip unless told otherwise. */
const replaced = ['--id', '--skip-processed', '--no-skip-processed'];

/** Adds the flags that say when a schedule starts batches, and what each of them is. */
export function addScheduleFlags(command: Command): Command {
  command
    .requiredOption('--cron <expression>', 'when: minute, hour, day of the month, month, day of the week; or @daily, @every 6h; can be repeated', collect)
    .option('--time-zone <zone>', 'time zone that --cron means, such as Europe/Berlin; default: UTC')
    .option('--jitter <duration>', 'each time is put off by a random time up to this, such as 5m; default: none', duration)
    .addOption(new Option('--overlap <policy>', 'what happens when a batch is due while the last one runs; default: skip').choices(overlapChoices))
    .option('--catchup-window <duration>', 'how late a time that Temporal missed while it was down is still taken; default: 1h', duration)
    .option('--paused', 'starts nothing until schedule unpause')
    .option('--note <text>', 'a remark that is shown beside it')
    .option('--pause-on-failure', 'a batch that fails pauses the schedule')
    .option('--no-skip-processed', 'also documents that an earlier batch has processed; they are paid for again');
  const batchFlags = addInputFlags(new Command()).options.filter(({ long }) => !replaced.includes(long ?? ''));
  for (const option of batchFlags) command.addOption(option);
  return command;
}

/** When and how, as the flags say. */
export function scheduleOptionsOf({ cron, timeZone, jitter, overlap, catchupWindow, paused, note, pauseOnFailure }: ScheduleFlags): ScheduleOptions {
  const given = { timeZone, jitterMs: jitter, overlap, catchupWindowMs: catchupWindow, paused, note, pauseOnFailure };
  return { cron, ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Omit<ScheduleOptions, 'cron'>) };
}

const flags: Record<string, string> = { scheduleId: 'ID', cron: '--cron', timeZone: '--time-zone', jitterMs: '--jitter', catchupWindowMs: '--catchup-window', note: '--note' };

/** The flag or argument that sets a field of a schedule or its input, for messages. */
export const scheduleFlagOf = (field: string): string => flags[field.split('.')[0]!] ?? flagOf(field);
