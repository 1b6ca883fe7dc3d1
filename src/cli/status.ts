import { batchStatuses, type BatchStatus } from '../contract/batch';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import { follow } from './follow';
import type { Output } from './output';
import { commandConfig, withTemporal } from './session';
import { summaryText } from './text';

/** `status ID`: what one batch is doing or how it ended. */
export async function status(batchId: string, output: Output): Promise<number> {
  return withTemporal(commandConfig([]), async ({ batches }) => {
    const summary = await batches.status(batchId);
    output.answer(summary, summaryText(summary, new Date()));
    return exitCodes.ok;
  });
}

/** `watch ID`: follows a batch to its end. */
export async function watch(batchId: string, output: Output): Promise<number> {
  return withTemporal(commandConfig([]), (session) => follow(session, batchId, output));
}

/** `list`: the newest batches. */
export async function list(flags: { status?: string; limit?: number }, output: Output): Promise<number> {
  const wanted = flags.status === undefined ? null : (batchStatuses.find((known): known is BatchStatus => known === flags.status) ?? null);
  if (flags.status !== undefined && wanted === null) {
    throw new CliError({ code: 'usage', message: `--status "${flags.status}" is none of: ${batchStatuses.join(', ')}.` });
  }
  return withTemporal(commandConfig([]), async ({ batches }) => {
    const found = await batches.list({ ...(wanted && { status: wanted }), ...(flags.limit && { limit: flags.limit }) });
    const width = Math.max(0, ...found.map(({ batchId }) => batchId.length));
    const lines = found.map((batch) => `${batch.batchId.padEnd(width)}  ${batch.startedAt.slice(0, 19)}Z  ${batch.status.padEnd(21)}  ${batch.documentsDone} of ${batch.documents}${batch.error ? `  ${batch.error.code}: plangrep-batch status ${batch.batchId}` : ''}`);
    output.answer({ batches: found }, lines.length > 0 ? lines.join('\n') : 'No batches.');
    return exitCodes.ok;
  });
}
