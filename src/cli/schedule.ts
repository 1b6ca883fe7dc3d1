import { InvalidInputError, ScheduleIdInUseError, ScheduleNotFoundError, type BatchSchedule, type BatchSchedules } from '../client';
import { checkSchedule, type CheckedSchedule } from '../client/schedule-definition';
import type { Config } from '../config';
import { FolderStore } from '../store/folder';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import { inputOf } from './input';
import type { Output } from './output';
import { checkProject } from './project-check';
import { scheduleFlagOf, scheduleOptionsOf, type ScheduleFlags } from './schedule-flags';
import { nextTimesText, scheduleListText, scheduleText, timesText } from './schedule-text';
import { commandConfig, withTemporal } from './session';
import { checkSource } from './source';

/** `schedule create ID SOURCE`: batches over SOURCE by the clock, after every check that `start` makes; SOURCE may be empty now. */
export async function create(scheduleId: string, source: string, flags: ScheduleFlags, output: Output): Promise<number> {
  return told(async () => {
    const config = commandConfig(['plangrep', 'project'], { project: flags.project });
    const checked = await prepare(config, scheduleId, source, flags);
    return withTemporal(config, async ({ batches }) => {
      const created = await batches.schedules.create(scheduleId, checked.input, scheduleOptionsOf(flags));
      const state = created.paused ? ' It is paused; the next times, once it is unpaused:' : ' The next times:';
      output.answer(created, `Created schedule ${scheduleId}: ${timesText(created)}.${state}\n${nextTimesText(created)}`);
      return exitCodes.ok;
    });
  });
}

/** The cheap checks first. @throws CliError, InvalidInputError, and what asks Plangrep throws */
async function prepare(config: Config & { project: string }, scheduleId: string, source: string, flags: ScheduleFlags): Promise<CheckedSchedule> {
  const found = await checkSource(source, flags, config.archive, { mayBeEmpty: true });
  const input = { ...inputOf(found, config.project, flags), skipProcessed: flags.skipProcessed };
  const checked = checkSchedule(scheduleId, input, scheduleOptionsOf(flags));
  if (config.archive !== null) await new FolderStore(config.archive).ensureWritable();
  await checkProject(config, config.project, { mayBeCreated: flags.createProject === true });
  return checked;
}

/** `schedule list` */
export const list = (output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    const found = await schedules.list();
    output.answer({ schedules: found }, scheduleListText(found));
  });

/** `schedule describe ID` */
export const describe = (scheduleId: string, output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    const schedule = await schedules.describe(scheduleId);
    output.answer(schedule, scheduleText(schedule));
  });

/** `schedule pause ID` */
export const pause = (scheduleId: string, note: string | undefined, output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    await schedules.pause(scheduleId, note);
    const schedule = await schedules.describe(scheduleId);
    output.answer(schedule, `Schedule ${scheduleId} is paused.${runningText(schedule)}`);
  });

/** `schedule unpause ID` */
export const unpause = (scheduleId: string, note: string | undefined, output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    await schedules.unpause(scheduleId, note);
    const schedule = await schedules.describe(scheduleId);
    output.answer(schedule, `Schedule ${scheduleId} is active. The next times:\n${nextTimesText(schedule)}`);
  });

/** `schedule trigger ID` */
export const trigger = (scheduleId: string, output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    const triggered = await schedules.trigger(scheduleId);
    const { batchId } = triggered;
    const text = {
      started: `Started batch ${batchId}.\nFollow it: plangrep-batch watch ${batchId}`,
      skipped: `Nothing was started: ${batchId ? `batch ${batchId}` : 'a batch'} of this schedule is running, and its overlap policy is to skip.`,
      buffered: `A batch follows once ${batchId ? `batch ${batchId}` : 'the running one'} has ended.`,
      pending: 'Temporal has taken the request and has started nothing yet; see plangrep-batch schedule describe.',
    };
    output.answer(triggered, text[triggered.outcome]);
  });

/** `schedule delete ID` */
export const remove = (scheduleId: string, output: Output): Promise<number> =>
  withSchedules(async (schedules) => {
    const schedule = await schedules.describe(scheduleId);
    await schedules.delete(scheduleId);
    output.answer({ scheduleId, deleted: true, running: schedule.running }, `Deleted schedule ${scheduleId}.${runningText(schedule)}`);
  });

const runningText = ({ running }: BatchSchedule): string => (running.length === 0 ? '' : ` Running still: ${running.join(', ')}.`);

function withSchedules(work: (schedules: BatchSchedules) => Promise<void>): Promise<number> {
  return told(() =>
    withTemporal(commandConfig([]), async ({ batches }) => {
      await work(batches.schedules);
      return exitCodes.ok;
    }),
  );
}

/** Runs a command of this group; what it refuses is told in the words of the command line. */
async function told(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvalidInputError) throw new CliError({ code: 'invalid_input', message: error.problems.map(({ field, message }) => `${scheduleFlagOf(field)} ${message}`).join('\n') });
    if (error instanceof ScheduleIdInUseError) {
      throw new CliError({ code: 'schedule_id_in_use', message: `A schedule with id ${error.scheduleId} exists already.`, fix: `Choose another ID, or delete that one first: plangrep-batch schedule delete ${error.scheduleId}` });
    }
    if (error instanceof ScheduleNotFoundError) throw new CliError({ code: 'schedule_not_found', message: `${error.message}.`, fix: 'See which there are: plangrep-batch schedule list' });
    throw error;
  }
}
