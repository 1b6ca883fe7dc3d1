import { isDeepStrictEqual } from 'node:util';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { registeredAttributes } from '../client/registered-attributes';
import type { AcceptedBatch, BatchActivities } from '../contract/activities';
import { inputFileSchema } from '../contract/archive';
import { batchInputSchema, inputProblems } from '../contract/batch';
import type { BatchInput } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { batchKeys } from '../contract/keys';
import { isBatchId, jobWorkflowId } from '../contract/messages';
import type { JobReport, SearchAttributeName } from '../contract/messages';
import type { Store } from '../store';
import { findJson, jsonText } from '../store/jsonl';
import { readClosedJob } from './archive/totals';
import type { Dependencies } from './dependencies';
import { giveUp } from './failure';

/** Activities of the batch that touch the store and Temporal for an instant. */
export function createBatchActivities({ store, temporal }: Dependencies): Pick<BatchActivities, 'acceptBatch' | 'findClosedJobs'> {
  return {
    async acceptBatch({ batchId, input, startedAt }): Promise<AcceptedBatch> {
      const parsed = parseInput(input);
      await refuseRetryOf(store, batchId, parsed);
      if (await store.stat(batchKeys(batchId).manifest)) throw giveUp(failureTypes.batchIdTaken, `Batch ${batchId} is finished; start another one under a new id`);
      await keepInput(store, batchId, parsed, startedAt);
      const { source: _source, classify: _classify, ...rest } = parsed;
      return { input: rest, attributes: await attributesOf(temporal), archive: store.location };
    },

    async findClosedJobs({ batchId, jobs }): Promise<JobReport[]> {
      const reports: JobReport[] = [];
      for (const job of jobs) {
        if (await isRunning(temporal, jobWorkflowId(batchId, job))) continue;
        reports.push(await reportOf(store, batchId, job));
      }
      return reports;
    },
  };
}

/** Problems of an input that are told; the first ones are enough to go on. */
const maxProblems = 10;

/** The input with its defaults: parsed here too, because a schedule or Temporal's own clients start batches past ours. */
function parseInput(input: unknown): BatchInput {
  const parsed = batchInputSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(parsed.error).slice(0, maxProblems);
  throw giveUp(failureTypes.invalidInput, `The input is not valid: ${problems.map(({ field, message }) => `${field} ${message}`).join('; ')}`, problems);
}

/** The batch whose documents are to be sent again must be another one, and finished: its manifest says which they are. */
async function refuseRetryOf(store: Store, batchId: string, { source }: BatchInput): Promise<void> {
  if (!('retryOf' in source)) return;
  const { retryOf } = source;
  const refuse = (message: string) => giveUp(failureTypes.invalidInput, `The input is not valid: source.retryOf ${message}`, [{ field: 'source.retryOf', message }]);
  if (retryOf === batchId) throw refuse('names this batch itself');
  const finished = isBatchId(retryOf) && (await store.stat(batchKeys(retryOf).manifest)) !== null;
  if (!finished) throw refuse('names no finished batch of this archive');
}

/** What a job whose workflow is over would have reported. Without an account of its documents nothing is known of them yet. */
async function reportOf(store: Store, batchId: string, job: number): Promise<JobReport> {
  const closed = await readClosedJob(store, batchId, job);
  if (!closed) return { job, kind: 'lost', limits: null, counts: {}, pages: 0, credits: 0, resend: null, failedWith: null };
  const { documents: _documents, ...report } = closed;
  return { job, kind: 'closed', limits: null, ...report };
}

/** Writes input.json; one that is there must say the same, as after a batch was terminated and started again. */
async function keepInput(store: Store, batchId: string, input: BatchInput, acceptedAt: string): Promise<void> {
  const key = batchKeys(batchId).input;
  if (await store.createIfAbsent(key, jsonText({ batchId, input, acceptedAt }))) return;
  const known = await findJson(store, key, inputFileSchema);
  if (!isDeepStrictEqual(known?.input, input)) {
    throw giveUp(failureTypes.batchIdTaken, `Batch ${batchId} was accepted before with another input; start this one under a new id`);
  }
}

/** A server that does not say which it knows has none, as far as a batch is concerned: lists show less, and nothing breaks. */
async function attributesOf({ connection, options }: Client): Promise<SearchAttributeName[]> {
  try {
    return await registeredAttributes(connection, options.namespace);
  } catch {
    return [];
  }
}

async function isRunning(temporal: Client, workflowId: string): Promise<boolean> {
  try {
    return (await temporal.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
