import type { Command } from 'commander';
import { addScheduleFlags, type ScheduleFlags } from '../schedule-flags';
import { example, outputOf, withJson, type Finish } from './command-line';

interface Flags {
  note?: string;
  json?: boolean;
}

const load = () => import('../schedule.js');

/** `schedule` and its commands. */
export function addScheduleCommands(program: Command, finish: Finish): void {
  const group = program.command('schedule').description('Batches that start by the clock: create, list, describe, pause, unpause, trigger, delete.');
  example(group, 'schedule list');
  const create = addScheduleFlags(withJson(group.command('create').description('Starts a batch over SOURCE at each time; it takes only what is new. Shows the next three times.')))
    .argument('<id>', 'the id, at most 98 characters; each batch is named after it and the time')
    .argument('<source>', 'a folder, or a list file (.jsonl, .ndjson, .csv); it may be empty now');
  example(create, 'schedule create nightly /srv/drawings --cron "0 4 * * *" --time-zone Europe/Berlin').action(async (id: string, source: string, flags: ScheduleFlags) => {
    finish(await (await load()).create(id, source, flags, outputOf(flags)));
  });
  const list = withJson(group.command('list').description('All schedules: when, paused or not, the last batch and its status, the next time.'));
  example(list, 'schedule list').action(async (flags: Flags) => {
    finish(await (await load()).list(outputOf(flags)));
  });
  const describe = withId(group, 'describe', 'A schedule with its policies, its last batch and its next times.');
  example(describe, 'schedule describe nightly').action(async (id: string, flags: Flags) => {
    finish(await (await load()).describe(id, outputOf(flags)));
  });
  addSteering(group, finish);
}

function addSteering(group: Command, finish: Finish): void {
  const pause = withNote(withId(group, 'pause', 'Starts no batch until unpause; a running one goes on.'));
  example(pause, 'schedule pause nightly --note "the share is being moved"').action(async (id: string, flags: Flags) => {
    finish(await (await load()).pause(id, flags.note, outputOf(flags)));
  });
  const unpause = withNote(withId(group, 'unpause', 'Starts batches again, from the next time on.'));
  example(unpause, 'schedule unpause nightly').action(async (id: string, flags: Flags) => {
    finish(await (await load()).unpause(id, flags.note, outputOf(flags)));
  });
  const trigger = withId(group, 'trigger', 'Starts a batch now, also while the schedule is paused; with overlap skip not beside a running one.');
  example(trigger, 'schedule trigger nightly').action(async (id: string, flags: Flags) => {
    finish(await (await load()).trigger(id, outputOf(flags)));
  });
  const remove = withId(group, 'delete', 'Deletes the schedule; a running batch goes on.');
  example(remove, 'schedule delete nightly').action(async (id: string, flags: Flags) => {
    finish(await (await load()).remove(id, outputOf(flags)));
  });
}

const withId = (group: Command, name: string, description: string): Command => withJson(group.command(name).description(description).argument('<id>', 'the id of the schedule'));
const withNote = (command: Command): Command => command.option('--note <text>', 'a remark that is shown beside it');
