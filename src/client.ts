import { WorkflowExecutionAlreadyStartedError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { batchInputSchema, inputProblems, type BatchInput, type BatchInputOptions, type BatchStatus } from './contract/batch';
import { pauseUpdate, resumeUpdate, workflowTypes, type Answer, type SearchAttributeName } from './contract/messages';
import { checkBatchId, checkInput } from './client/checking';
import { BatchIdInUseError, InvalidInputError } from './client/errors';
import type { Unreadable } from './client/known';
import { listBatches } from './client/listing';
import { cancelBatch, tellBatch, type Cancellation } from './client/operating';
import { describeBatch, findBatch, lookAtJobs, readProgress, startOf } from './client/reading';
import { registeredAttributes } from './client/registered-attributes';
import { refuseUnfinished, retryInput, type RetryOptions } from './client/retrying';
import { readStartArgument } from './client/start-argument';
import { BatchSchedules } from './client/schedules';
import { defaultBatchId, inputDigest, retryOfMemo, startOptions } from './client/start-options';
import { unknownProgress, type BatchListing, type BatchSummary } from './client/summary';
import { findTrouble } from './client/trouble';
import { waitForEnd, type WaitOptions } from './client/waiting';
import { PayloadCodecError } from './codec/payload-codec';

export { BatchClosedError, BatchIdInUseError, BatchNotFinishedError, BatchNotFoundError, InvalidInputError, NoWorkerError } from './client/errors';
export { createDataConverter, createPayloadCodec, type PayloadKeyOptions } from './codec/data-converter';
export { PayloadCodecError } from './codec/payload-codec';
export type { Cancellation } from './client/operating';
export type { RetryOptions } from './client/retrying';
export type { ScheduleOptions, ScheduleOverlap } from './client/schedule-definition';
export { ScheduleIdInUseError, ScheduleNotFoundError } from './client/schedule-errors';
export type { BatchSchedule, ScheduledBatch } from './client/schedule-reading';
export type { BatchSchedules, Triggered } from './client/schedules';
export type { BatchListing, BatchSummary } from './client/summary';
export type { Trouble } from './client/trouble';
export type { WaitOptions } from './client/waiting';
export type { BatchInput, BatchInputOptions, BatchProgress, BatchStatus, Classification, Counts, DeadlineWarning, Gate, GateReason, InputProblem, Limits, Outcome, Source } from './contract/batch';
export type { Answer } from './contract/messages';

/** Meaning of the fields: see each. */
export interface BatchClientOptions {
  /**
   * A client of `@temporalio/client` 1.24 whose connection the caller opens and closes. Where batches are encrypted its `dataConverter` is what
   * {@link createDataConverter} makes of the same keys.
   */
  client: Client;
  /** Base address of Temporal's web UI, for {@link BatchSummary.webUrl}. Default: none, and that field is null. */
  webUiUrl?: string | null;
  /** Whether the archive holds this batch's manifest. Lets `start` and `retry` refuse what the worker would refuse later. Default: not known. */
  isArchived?: (batchId: string) => Promise<boolean>;
}

/** For what goes on with what it cannot read, and must not know the codec. */
const unreadable: Unreadable = (error) => (error instanceof PayloadCodecError ? error.problem : null);

/** What `start` started. */
export interface StartedBatch {
  batchId: string;
  workflowId: string;
  runId: string;
}

/** Starts, watches and steers batches. One instance serves any number of batches and callers. */
export class BatchClient {
  /** Batches that start by the clock. */
  readonly schedules: BatchSchedules;
  readonly #client: Client;
  readonly #webUiUrl: string | null;
  readonly #isArchived: ((batchId: string) => Promise<boolean>) | null;
  #registered: Promise<SearchAttributeName[]> | null = null;

  constructor({ client, webUiUrl = null, isArchived }: BatchClientOptions) {
    this.schedules = new BatchSchedules(client, () => this.#attributes(), unreadable);
    this.#client = client;
    this.#webUiUrl = webUiUrl;
    this.#isArchived = isArchived ?? null;
  }

  /**
   * Starts a batch. Not safe to repeat without an `id`: each call would make another batch. With one it is: a repeat throws
   * {@link BatchIdInUseError}, whose `sameInput` says whether the batch that runs is the one that was meant.
   * @param options.id the batch's id; default: the time and six random letters
   * @throws InvalidInputError, BatchIdInUseError; errors of `@temporalio/client` when Temporal does not answer
   */
  async start(input: BatchInputOptions, { id = defaultBatchId(new Date()) }: { id?: string } = {}): Promise<StartedBatch> {
    const accepted = checkInput(input, id);
    await this.#refuseTaken(id, accepted);
    const registered = await this.#attributes();
    try {
      const handle = await this.#client.workflow.start(workflowTypes.batch, startOptions(id, accepted, registered));
      return { batchId: id, workflowId: handle.workflowId, runId: handle.firstExecutionRunId };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await this.#refuseTaken(id, accepted);
      throw new BatchIdInUseError(id, 'finished', false);
    }
  }

  /**
   * What the batch is doing or how it ended. Closed batches need no worker; a running one whose worker does not answer within
   * 5 s is shown as far as Temporal itself knows it, with `error.code` `no_worker`.
   * @param options.ask false leaves a running batch's worker alone and shows what Temporal knows: cheap, and right for one that just started
   * @throws BatchNotFoundError; errors of `@temporalio/client` when Temporal does not answer
   */
  async status(batchId: string, { ask = true }: { ask?: boolean } = {}): Promise<BatchSummary> {
    const description = await this.#describe(batchId);
    const running = description.status.name === 'RUNNING';
    const [progress, startedAt, jobs, trouble] = await Promise.all([
      running && !ask ? unknownProgress(description.typedSearchAttributes, 'planning', null) : readProgress(this.#client, description),
      startOf(this.#client, description),
      running && (await this.#attributes()).includes('ResultExpiresAt') ? lookAtJobs(this.#client, batchId) : null,
      // It only explains why nothing moves: an answer without it is better than none.
      running && ask ? findTrouble(this.#client, batchId, description).catch(() => null) : null,
    ]);
    const retryOf = description.memo?.[retryOfMemo];
    return {
      type: 'summary',
      batchId,
      workflowId: description.workflowId,
      runId: description.runId,
      ...progress,
      trouble,
      error: progress.error ?? jobs?.problem ?? null,
      nextExpiresAt: jobs?.nextExpiresAt ?? null,
      retryOf: typeof retryOf === 'string' ? retryOf : null,
      startedAt: startedAt.toISOString(),
      closedAt: description.closeTime?.toISOString() ?? null,
      webUrl: this.#webUrl(description),
    };
  }

  /**
   * Waits until the batch is closed and says how it ended; a failed batch is an answer, no error. Outages of Temporal are waited out.
   * @throws BatchNotFoundError, the signal's reason
   */
  async wait(batchId: string, options: WaitOptions = {}): Promise<BatchSummary> {
    options.signal?.throwIfAborted();
    await this.#describe(batchId);
    return waitForEnd(this.#client, batchId, () => this.status(batchId), options);
  }

  /**
   * Starts no new job of a running batch until `resume`; jobs that run are finished. Safe to repeat. Answers once a worker has taken it.
   * @throws BatchNotFoundError, BatchClosedError; NoWorkerError when no worker answers within 12 s
   */
  async pause(batchId: string): Promise<Answer> {
    checkBatchId(batchId);
    return tellBatch(this.#client, batchId, pauseUpdate);
  }

  /**
   * Opens the gate of a batch, whatever closed it: a pause, missing credits, a refused key, failures in a row. Answers at once; what was
   * blocked then goes on by itself, or closes the gate again. Safe to repeat. @throws as `pause`
   */
  async resume(batchId: string): Promise<Answer> {
    checkBatchId(batchId);
    return tellBatch(this.#client, batchId, resumeUpdate);
  }

  /**
   * Ends a running batch: it cancels its jobs at Plangrep, archives those that finished first, and writes its manifest; `wait` sees the end.
   * Of a batch that was terminated, or that Temporal has forgotten, the jobs that go on without it are cancelled. Safe to repeat.
   * @throws BatchNotFoundError when there is neither batch nor job
   */
  async cancel(batchId: string): Promise<Cancellation> {
    checkBatchId(batchId);
    return cancelBatch(this.#client, batchId, unreadable);
  }

  /** The input that a batch was started with, with every default. @throws BatchNotFoundError, also when Temporal has forgotten its beginning */
  async input(batchId: string): Promise<BatchInput> {
    checkBatchId(batchId);
    const { success, data, error } = batchInputSchema.safeParse(await readStartArgument(this.#client, batchId));
    if (!success) throw new InvalidInputError(inputProblems(error));
    return data;
  }

  /**
   * Starts a batch over those documents of a finished one that were not processed, with the old batch's input where `options` say nothing else.
   * Documents whose pages were, or may have been, paid for are taken only with `retryPartialDocuments`. As repeatable as `start`.
   * @throws BatchNotFinishedError when the old batch runs or has no manifest; BatchNotFoundError when its input is not known any more and
   * `options.input` does not give it; what `start` throws
   */
  async retry(batchId: string, options: RetryOptions = {}): Promise<StartedBatch> {
    checkBatchId(batchId);
    await refuseUnfinished(this.#client, batchId, this.#isArchived);
    const old = options.input ?? (await this.input(batchId));
    return this.start(retryInput(batchId, old, options), options.id === undefined ? {} : { id: options.id });
  }

  /**
   * Batches, the newest first; when there are more than `limit`, the open ones and those that closed last. Temporal shows a change here
   * about a second after it happened.
   * @param options.status only batches of this status
   * @param options.limit at most so many; default 100
   */
  async list({ status, limit = 100 }: { status?: BatchStatus; limit?: number } = {}): Promise<BatchListing[]> {
    const byAttribute = status !== undefined && (await this.#attributes()).includes('BatchStatus');
    return listBatches(this.#client, { status, limit, byAttribute, unreadable });
  }

  async #describe(batchId: string): Promise<WorkflowExecutionDescription> {
    checkBatchId(batchId);
    return describeBatch(this.#client, batchId);
  }

  async #refuseTaken(batchId: string, input: BatchInput): Promise<void> {
    const taken = await findBatch(this.#client, batchId);
    if (taken?.status.name === 'RUNNING') throw new BatchIdInUseError(batchId, 'running', taken.memo?.['inputSha256'] === inputDigest(input));
    // One that failed before it could write its manifest goes on where it was, once what was in its way is mended.
    const isOver = taken?.status.name === 'FAILED' && this.#isArchived !== null;
    const restartable = !taken || isOver || taken.status.name === 'TERMINATED' || taken.status.name === 'TIMED_OUT';
    if (!restartable || (await this.#isArchived?.(batchId))) throw new BatchIdInUseError(batchId, 'finished', false);
  }

  #attributes(): Promise<SearchAttributeName[]> {
    this.#registered ??= registeredAttributes(this.#client.connection, this.#client.options.namespace).catch(() => {
      this.#registered = null; // asked again next time; until then the batch does without
      return [];
    });
    return this.#registered;
  }

  #webUrl({ workflowId, runId }: { workflowId: string; runId: string }): string | null {
    if (this.#webUiUrl === null) return null;
    return `${this.#webUiUrl}/namespaces/${this.#client.options.namespace}/workflows/${encodeURIComponent(workflowId)}/${runId}/history`;
  }
}
