import type { BatchSchedule } from '../../src/client';
import { batchInputSchema } from '../../src/contract/batch';
import { nextTimesText, scheduleListText, scheduleText, zonedText } from '../../src/cli/schedule-text';

const schedule: BatchSchedule = {
  scheduleId: 'nightly',
  cron: ['0 4 * * *', '@every 6h'],
  timeZone: 'Europe/Berlin',
  jitterMs: 300_000,
  overlap: 'skip',
  catchupWindowMs: 3_600_000,
  pauseOnFailure: false,
  paused: false,
  note: null,
  input: batchInputSchema.parse({ project: 'Tower', source: { folder: '/data' } }),
  nextTimes: ['2027-03-27T03:00:00.000Z', '2027-03-28T02:00:00.000Z', '2027-03-29T02:00:30.500Z', '2027-03-30T02:00:00.000Z'],
  running: [],
  lastBatch: null,
  started: 0,
  skipped: 0,
  missed: 0,
  createdAt: '2026-11-24T20:00:00.000Z',
  error: null,
};
const lastBatch = { batchId: 'nightly-2027-03-26T03:00:00Z', scheduledAt: '2027-03-26T03:00:00.000Z', startedAt: '2027-03-26T03:00:00.100Z', status: 'completed' as const };

test('a time is shown on the clocks of its zone, with their distance to UTC', () => {
  expect(zonedText('2027-03-27T03:00:00.000Z', 'Europe/Berlin')).toBe('Sat 27 Mar 2027 04:00 GMT+1');
  expect(zonedText('2027-03-27T20:00:00.000Z', 'Asia/Kolkata')).toBe('Sun 28 Mar 2027 01:30 GMT+5:30');
  expect(zonedText('2027-03-27T00:05:00.000Z', 'UTC')).toMatch(/^Sat 27 Mar 2027 00:05 GMT(\+0)?$/);
  expect(zonedText('2027-03-27T03:00:00.000Z', 'Moon/Tycho')).toMatch(/^Sat 27 Mar 2027 03:00 GMT(\+0)?$/);
});

test('the next three times stand in the zone and in UTC, also over a change of clocks', () => {
  expect(nextTimesText(schedule).split('\n')).toEqual([
    '  Sat 27 Mar 2027 04:00 GMT+1   2027-03-27T03:00:00Z',
    '  Sun 28 Mar 2027 04:00 GMT+2   2027-03-28T02:00:00Z',
    '  Mon 29 Mar 2027 04:00 GMT+2   2027-03-29T02:00:30Z',
  ]);
});

test('a schedule tells what it does, when, and what came of it', () => {
  const text = scheduleText({ ...schedule, paused: true, note: 'moving', pauseOnFailure: true, running: [lastBatch.batchId], lastBatch, started: 3, skipped: 1 });
  expect(text).toContain('Schedule nightly: paused');
  for (const line of [
    /times +0 4 \* \* \* and @every 6h Europe\/Berlin, up to 5 min 0 s later/, /sweeps +\/data for project Tower/, /overlap +skip/, /catches up +what it missed by up to 1 h/,
    /on failure +pauses/, /note +moving/, /last batch +nightly-2027-03-26T03:00:00Z completed/, /3 started, 1 skipped, 0 missed/, /Next times, once it is unpaused:/,
  ]) expect(text).toMatch(line);
});

test('what people wrote into it cannot pass for a line of its own', () => {
  const text = scheduleText({ ...schedule, note: 'moving\n  running     nothing', input: batchInputSchema.parse({ project: 'Tower', source: { folder: '/da\nta' } }) });
  expect(text.split('\n').filter((line) => /^ +(running|ta for)/.test(line))).toEqual([]);
});

test('a list has a line each', () => {
  expect(scheduleListText([])).toBe('No schedules.');
  const never = { ...schedule, scheduleId: 'x', nextTimes: [], jitterMs: 0, paused: true, lastBatch: { ...lastBatch, status: null } };
  const lines = scheduleListText([schedule, never]).split('\n');
  expect(lines[0]).toMatch(/^nightly {2}0 4 .* {2}active {2}last: none +next: Sat 27 Mar 2027 04:00 GMT\+1$/);
  expect(lines[1]).toMatch(/^x {8}0 4 .* {2}paused {2}last: nightly-2027-03-26T03:00:00Z \(forgotten by Temporal\) {2}next: none$/);
});

test('one that cannot be read says why, and a list where that stands', () => {
  const locked = { ...schedule, input: null, error: { code: 'payload_key_unknown', message: 'needs\u001b[31m key one' } };
  expect(scheduleText(locked)).toMatch(/error +payload_key_unknown: needs.* key one/);
  expect(scheduleText(locked)).not.toContain('\u001b');
  expect(scheduleText(locked)).not.toContain('sweeps');
  expect(scheduleListText([locked])).toMatch(/next: \S+ .* {2}payload_key_unknown: plangrep-batch schedule describe nightly$/);
});
