import type { Answer } from '../client';
import { unpolledQueues } from '../client/pollers';
import { exitCodes } from './exit-codes';
import { follow } from './follow';
import type { Output } from './output';
import { commandConfig, withTemporal } from './session';

/** `pause ID`: no new job starts, running ones are finished. */
export async function pause(batchId: string, output: Output): Promise<number> {
  return withTemporal(commandConfig([]), async ({ batches }) => answer(batchId, await batches.pause(batchId), `Let it go on: plangrep-batch resume ${batchId}`, output));
}

/** `resume ID`: opens the gate, whatever closed it. */
export async function resume(batchId: string, output: Output): Promise<number> {
  return withTemporal(commandConfig([]), async ({ batches }) => answer(batchId, await batches.resume(batchId), `Follow it: plangrep-batch watch ${batchId}`, output));
}

function answer(batchId: string, { status, message }: Answer, next: string, output: Output): number {
  output.answer({ batchId, status, message }, `Batch ${batchId} (${status}): ${message}\n${next}`);
  return exitCodes.ok;
}

/** `cancel ID`: ends a running batch, or the jobs that a terminated one left behind. With `wait` it is followed to its end. */
export async function cancel(batchId: string, flags: { wait?: boolean }, output: Output): Promise<number> {
  return withTemporal(commandConfig([]), async (session) => {
    const done = await session.batches.cancel(batchId);
    const asleep = done.cancelled === 'batch' && (await unpolledQueues(session.temporal.client)).length > 0;
    if (asleep) output.note('Not every task queue has a worker; the batch ends once there is one: plangrep-batch worker');
    if (flags.wait && done.cancelled === 'batch') {
      output.note(done.message);
      const code = await follow(session, batchId, output);
      return code === exitCodes.interrupted ? code : exitCodes.ok;
    }
    output.answer(done, done.cancelled === 'batch' ? `${done.message}\nFollow it: plangrep-batch watch ${batchId}` : done.message);
    return exitCodes.ok;
  });
}
