import { Command } from 'commander';
import { scheduleOverlaps } from '../../src/client/schedule-definition';
import { addScheduleFlags, duration, overlapChoices, scheduleFlagOf, scheduleOptionsOf, type ScheduleFlags } from '../../src/cli/schedule-flags';

const parse = (...args: string[]): ScheduleFlags => addScheduleFlags(new Command().exitOverride()).parse(args, { from: 'user' }).opts<ScheduleFlags>();

test('the flags become options; what is not given keeps its default', () => {
  expect(scheduleOptionsOf(parse('--cron', '0 4 * * *'))).toEqual({ cron: ['0 4 * * *'] });
  const all = parse('--cron', '0 4 * * *', '--cron', '@daily', '--time-zone', 'UTC', '--jitter', '5m', '--overlap', 'buffer-one', '--catchup-window', '2h', '--paused', '--note', 'n', '--pause-on-failure');
  expect(scheduleOptionsOf(all)).toEqual({
    cron: ['0 4 * * *', '@daily'], timeZone: 'UTC', jitterMs: 300_000, overlap: 'buffer-one', catchupWindowMs: 7_200_000, paused: true, note: 'n', pauseOnFailure: true,
  });
});

test('the batches skip what is processed unless told otherwise, name themselves, and take the other flags of start', () => {
  expect(parse('--cron', 'x').skipProcessed).toBe(true);
  expect(parse('--cron', 'x', '--no-skip-processed', '--project', 'Tower', '--label', 'a=b', '--label', 'c=d')).toMatchObject({ skipProcessed: false, project: 'Tower', label: ['a=b', 'c=d'] });
  const names = addScheduleFlags(new Command()).options.map(({ long }) => long);
  expect(names).toContain('--max-concurrent-jobs');
  expect(names).not.toContain('--id');
});

test('the policies are those of the client', () => expect(overlapChoices).toEqual(scheduleOverlaps));

it.each([['90s', 90_000], ['5m', 300_000], ['1h', 3_600_000], ['2d', 172_800_000]])('%s', (text, ms) => expect(duration(text)).toBe(ms));
it.each(['5', '5 m', '1.5h', '-1h', '1w', ''])('"%s" is no duration', (text) => expect(() => duration(text)).toThrow('a whole number and a unit'));

test('a problem is told by its flag', () => {
  expect(['cron.1', 'scheduleId', 'timeZone', 'catchupWindowMs', 'limits.maxFiles', 'labels'].map(scheduleFlagOf)).toEqual(['--cron', 'ID', '--time-zone', '--catchup-window', '--max-files', '--label']);
});
