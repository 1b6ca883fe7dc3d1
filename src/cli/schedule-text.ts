import type { BatchSchedule } from '../client';
import { durationText, table } from './text';

/** "0 2 * * * Europe/Berlin, up to 5 min later" */
export function timesText({ cron, timeZone, jitterMs }: Pick<BatchSchedule, 'cron' | 'timeZone' | 'jitterMs'>): string {
  return `${cron.join(' and ')} ${timeZone}${jitterMs > 0 ? `, up to ${durationText(jitterMs)} later` : ''}`;
}

/** A time as the clocks of a zone show it, with its distance to UTC: "Wed 25 Nov 2026 02:00 GMT+1". In UTC where the zone is not known here. */
export function zonedText(iso: string, timeZone: string): string {
  const parts = (zone: string) =>
    new Intl.DateTimeFormat('en-GB', {
      timeZone: zone, weekday: 'short', day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'shortOffset',
    }).formatToParts(new Date(iso));
  const known = (() => {
    try {
      return parts(timeZone);
    } catch {
      return parts('UTC');
    }
  })();
  const part = (type: Intl.DateTimeFormatPartTypes): string => known.find((one) => one.type === type)?.value ?? '';
  return `${part('weekday')} ${part('day')} ${part('month')} ${part('year')} ${part('hour')}:${part('minute')} ${part('timeZoneName')}`;
}

const withoutMs = (iso: string): string => iso.replace(/\.\d+Z$/, 'Z');

/** The next times, in the schedule's zone and in UTC, so that a wrong zone is seen at once. */
export function nextTimesText({ nextTimes, timeZone }: Pick<BatchSchedule, 'nextTimes' | 'timeZone'>, count = 3): string {
  return nextTimes.slice(0, count).map((time) => `  ${zonedText(time, timeZone)}   ${withoutMs(time)}`).join('\n');
}

function sourceText(input: BatchSchedule['input']): string | null {
  if (input === null) return null;
  const { source } = input;
  const from = 'folder' in source ? source.folder : 'list' in source ? source.list : 'documents' in source ? `${source.documents.length} listed documents` : null;
  return from && `${from} for project ${input.project}`;
}

const lastText = ({ lastBatch }: BatchSchedule): string | null => lastBatch && `${lastBatch.batchId} ${lastBatch.status ?? '(forgotten by Temporal)'}`;

/** One schedule for people. */
export function scheduleText(schedule: BatchSchedule): string {
  const { scheduleId, paused, note, overlap, catchupWindowMs, pauseOnFailure, running, started, skipped, missed } = schedule;
  const rows: [string, string | null][] = [
    ['times', timesText(schedule)],
    ['sweeps', sourceText(schedule.input)],
    ['overlap', overlap],
    ['catches up', `what it missed by up to ${durationText(catchupWindowMs)}`],
    ['on failure', pauseOnFailure ? 'pauses' : null],
    ['note', note],
    ['last batch', lastText(schedule)],
    ['running', running.join(', ') || null],
    ['error', schedule.error && `${schedule.error.code}: ${schedule.error.message}`],
    ['so far', `${started} started, ${skipped} skipped, ${missed} missed`],
  ];
  return `Schedule ${scheduleId}${paused ? ': paused' : ''}\n${table(rows)}\nNext times${paused ? ', once it is unpaused' : ''}:\n${nextTimesText(schedule)}`;
}

/** Schedules for people: a line each. */
export function scheduleListText(schedules: BatchSchedule[]): string {
  if (schedules.length === 0) return 'No schedules.';
  const lines = schedules.map((schedule) => [
    schedule.scheduleId,
    timesText(schedule),
    schedule.paused ? 'paused' : 'active',
    `last: ${lastText(schedule) ?? 'none'}`,
    `next: ${schedule.nextTimes[0] ? zonedText(schedule.nextTimes[0], schedule.timeZone) : 'none'}`,
    schedule.error ? `${schedule.error.code}: plangrep-batch schedule describe ${schedule.scheduleId}` : '',
  ]);
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n');
}
