import type { Config } from '../config';
import type { BatchInputOptions } from '../contract/batch';
import { FolderStore } from '../store/folder';
import { startOrAttach } from './attach';
import { checkedInput } from './checked-input';
import { follow } from './follow';
import type { InputFlags } from './input-flags';
import type { Output } from './output';
import { checkProject } from './project-check';
import { commandConfig, withTemporal, type Session } from './session';
import { exitCodes } from './exit-codes';
import { summaryText } from './text';

/** `run SOURCE`: starts a batch, shows its progress, waits for its end. */
export async function run(source: string, flags: InputFlags, output: Output): Promise<number> {
  const { config, input } = await prepare(source, flags);
  return withTemporal(config, async (session) => {
    const { batchId, attached } = await startOrAttach(() => startAs(session, input, flags.id));
    output.note(attached ? `Batch ${batchId} is running already with this very input; following it.` : `Started batch ${batchId}.`);
    return follow(session, batchId, output);
  });
}

/** `start SOURCE`: starts a batch and leaves it to the workers. */
export async function start(source: string, flags: InputFlags, output: Output): Promise<number> {
  const { config, input } = await prepare(source, flags);
  return withTemporal(config, async (session) => {
    const { batchId, attached } = await startOrAttach(() => startAs(session, input, flags.id));
    const summary = await session.batches.status(batchId, { ask: attached });
    const said = attached ? `Batch ${batchId} is running already with this very input.` : `Started batch ${batchId}.`;
    output.answer(summary, `${said}\n${summaryText(summary, new Date())}`);
    return exitCodes.ok;
  });
}

/** All that can be checked before anything starts, the cheap things first. */
async function prepare(argument: string, flags: InputFlags): Promise<{ config: Config; input: BatchInputOptions }> {
  const config = commandConfig(['plangrep', 'project'], { project: flags.project });
  const input = await checkedInput(argument, config.project, flags, config.archive);
  if (config.archive !== null) await new FolderStore(config.archive).ensureWritable();
  await checkProject(config, config.project, { mayBeCreated: flags.createProject === true });
  return { config, input };
}

const startAs = ({ batches }: Session, input: BatchInputOptions, id: string | undefined) => batches.start(input, id === undefined ? {} : { id });
