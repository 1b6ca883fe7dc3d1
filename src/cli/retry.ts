import { BatchNotFinishedError, BatchNotFoundError, type BatchInput, type BatchSummary } from '../client';
import { inputFileSchema, planSchema } from '../contract/archive';
import { batchKeys } from '../contract/keys';
import { FolderStore } from '../store/folder';
import { findJson } from '../store/jsonl';
import { startOrAttach } from './attach';
import { CliError } from './cli-error';
import { exitCodeOf, exitCodes } from './exit-codes';
import { follow } from './follow';
import type { Output } from './output';
import { checkProject } from './project-check';
import { commandConfig, withTemporal, type Session } from './session';

/** Flags of `retry`. */
export interface RetryFlags {
  id?: string;
  retryPartial?: boolean;
  archive?: string;
}

/** `retry ID`: a new batch of what a finished one did not process; then as `run`. */
export async function retry(batchId: string, flags: RetryFlags, output: Output): Promise<number> {
  const config = commandConfig(['plangrep'], { archive: flags.archive });
  return withTemporal(config, async (session) => {
    const old = await summaryOf(session, batchId);
    if (old?.closedAt === null) throw new BatchNotFinishedError(batchId, 'running');
    const input = await oldInput(session, batchId);
    if (old) refusePointless(old, flags.retryPartial ?? input.retryPartialDocuments);
    await checkProject(config, input.project, { mayBeCreated: false });
    const options = { input, ...(flags.id !== undefined && { id: flags.id }), ...(flags.retryPartial && { retryPartialDocuments: true }) };
    const started = await startOrAttach(() => session.batches.retry(batchId, options));
    output.note(started.attached ? `Batch ${started.batchId} runs already and retries ${batchId}; following it.` : `Started batch ${started.batchId} with what ${batchId} did not process.`);
    const code = await follow(session, started.batchId, output);
    await tellLeftOut(session, started.batchId, output);
    return code;
  });
}

/** What was not taken for the sake of its cost must not look as if it were done. Told when this command sees the archive. */
async function tellLeftOut({ config }: Session, batchId: string, output: Output): Promise<void> {
  const plan = config.archive === null ? null : await findJson(new FolderStore(config.archive), batchKeys(batchId).plan, planSchema);
  if (!plan?.leftOut) return;
  const documents = plan.leftOut === 1 ? '1 document was' : `${plan.leftOut} documents were`;
  output.note(`${documents} left out: pages of them were, or may have been, paid for. --retry-partial takes them too.`);
}

/** The old batch; null when Temporal has forgotten it. */
async function summaryOf({ batches }: Session, batchId: string): Promise<BatchSummary | null> {
  try {
    return await batches.status(batchId, { ask: false });
  } catch (error) {
    if (error instanceof BatchNotFoundError) return null;
    throw error;
  }
}

/** A batch without documents would only fail. @throws CliError */
function refusePointless(old: BatchSummary, retryPartial: boolean): void {
  const { batchId, counts } = old;
  if (exitCodeOf(old) === exitCodes.ok) {
    throw new CliError({ code: 'nothing_to_retry', message: `Every document of batch ${batchId} is processed, or skipped or a duplicate of a processed one: there is nothing to retry.` });
  }
  const others = (['failed', 'rejected', 'cancelled', 'expired', 'duplicate'] as const).some((outcome) => (counts[outcome] ?? 0) > 0);
  if (retryPartial || others || !counts.partial) return;
  throw new CliError({
    code: 'nothing_to_retry',
    message: `All that batch ${batchId} did not process: ${counts.partial} partial, whose good pages would be paid for again.`,
    fix: 'Add --retry-partial to send them again all the same.',
  });
}

/** Temporal's own record of the input, else the archive's. */
async function oldInput({ batches, config }: Session, batchId: string): Promise<BatchInput> {
  try {
    return await batches.input(batchId);
  } catch (error) {
    if (!(error instanceof BatchNotFoundError) || config.archive === null) throw error;
    const archived = await findJson(new FolderStore(config.archive), batchKeys(batchId).input, inputFileSchema);
    if (!archived) throw error;
    return archived.input;
  }
}
