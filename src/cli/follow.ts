import { setTimeout as delay } from 'node:timers/promises';
import { exitCodeOf, exitCodes } from './exit-codes';
import { GateNews } from './gate';
import type { Output } from './output';
import { unpolledQueues } from '../client/pollers';
import { createProgress, type Progress } from './progress';
import type { Session } from './session';
import { summaryText } from './text';
import { taskQueues } from '../contract/messages';

/** How long queues may go without a worker before the command to start one is shown. */
const workerPatienceMs = 10_000;

/** Shows a batch's progress until it closes, then its summary; the exit code is the batch's. Ctrl-C ends the watching only. */
export async function follow(session: Session, batchId: string, output: Output): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  const progress = createProgress(output);
  const news = new GateNews((text) => progress.note(text));
  adviseWorker(session, progress, stop.signal).catch(() => {}); // a remark only; an outage shows in the wait itself
  try {
    const summary = await session.batches.wait(batchId, {
      signal: stop.signal,
      onProgress: (current) => {
        news.look(current);
        progress.update(current);
      },
      onOutage: () => progress.note(`Temporal at ${session.temporal.settings.address} does not answer; still waiting.`),
    });
    progress.update(summary);
    progress.stop();
    output.answer(summary, summaryText(summary, new Date()));
    return exitCodeOf(summary);
  } catch (error) {
    progress.stop();
    if (!stop.signal.aborted) throw error;
    output.note(`Batch ${batchId} goes on without this command. See it again: plangrep-batch watch ${batchId}`);
    return exitCodes.interrupted;
  } finally {
    process.removeListener('SIGINT', interrupt);
    stop.abort();
  }
}

/** Says once how to start a worker when nobody has polled the queues for a while. */
async function adviseWorker({ temporal }: Session, progress: Progress, signal: AbortSignal): Promise<void> {
  if ((await unpolledQueues(temporal.client)).length === 0) return;
  await delay(workerPatienceMs, null, { signal });
  const unpolled = await unpolledQueues(temporal.client);
  if (unpolled.length === 0 || signal.aborted) return;
  const names = unpolled.map((name) => taskQueues[name]).join(', ');
  progress.note(`No worker polls ${names}. Start one with the same environment: plangrep-batch worker\nThe batch waits for it.`);
}
