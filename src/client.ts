import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, type Client, type WorkflowExecutionDescription, type WorkflowExecutionInfo } from '@temporalio/client';
import { batchInputSchema, inputProblems, type BatchInput, type BatchInputOptions, type BatchStatus } from './contract/batch';
import { batchIdRule, batchWorkflowId, isBatchId, parseBatchWorkflowId, workflowTypes, type SearchAttributeName } from './contract/messages';
import { untilClosed } from './client/closing';
import { BatchIdInUseError, BatchNotFoundError, InvalidInputError } from './client/errors';
import { describeBatch, isOutage, nextExpiry, readProgress, startOf } from './client/reading';
import { registeredAttributes } from './client/registered-attributes';
import { defaultBatchId, inputDigest, maxInputBytes, startOptions } from './client/start-options';
import { attributesOf, unknownProgress, type BatchListing, type BatchSummary } from './client/summary';

export { BatchIdInUseError, BatchNotFoundError, InvalidInputError } from './client/errors';
export type { BatchListing, BatchSummary } from './client/summary';
export type { BatchInput, BatchInputOptions, BatchProgress, BatchStatus, Classification, Counts, InputProblem, Limits, Outcome, Source } from './contract/batch';

/** Statuses of batches that are closed. */
const finalStatuses: BatchStatus[] = ['completed', 'completed_with_errors', 'failed', 'cancelled'];
/** Batches that `list` looks into at a time. */
const listPage = 20;

/** Meaning of the fields: see each. */
export interface BatchClientOptions {
  /** A client of `@temporalio/client` 1.24 whose connection the caller opens and closes. */
  client: Client;
  /** Base address of Temporal's web UI, for {@link BatchSummary.webUrl}. Default: none, and that field is null. */
  webUiUrl?: string | null;
  /** Whether the archive holds this batch's manifest. Lets `start` refuse an id that Temporal has forgotten; the worker refuses it in any case. */
  isArchived?: (batchId: string) => Promise<boolean>;
}

/** What `start` started. */
export interface StartedBatch {
  batchId: string;
  workflowId: string;
  runId: string;
}

/** Options of {@link BatchClient.wait}. */
export interface WaitOptions {
  /** Called now and then while the batch runs: after 1 s first, later every 15 s. */
  onProgress?: (summary: BatchSummary) => void;
  /** Called once an outage of Temporal, which is waited out. */
  onOutage?: (error: unknown) => void;
  /** Ends the wait, never the batch. */
  signal?: AbortSignal;
}

/** Starts and watches batches. One instance serves any number of batches and callers. */
export class BatchClient {
  readonly #client: Client;
  readonly #webUiUrl: string | null;
  readonly #isArchived: (batchId: string) => Promise<boolean>;
  #registered: Promise<SearchAttributeName[]> | null = null;

  constructor({ client, webUiUrl = null, isArchived = async () => false }: BatchClientOptions) {
    this.#client = client;
    this.#webUiUrl = webUiUrl;
    this.#isArchived = isArchived;
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
    const [progress, startedAt, nextExpiresAt] = await Promise.all([
      running && !ask ? unknownProgress(description.typedSearchAttributes, 'planning', null) : readProgress(this.#client, description),
      startOf(this.#client, description),
      running && (await this.#attributes()).includes('ResultExpiresAt') ? nextExpiry(this.#client, batchId) : null,
    ]);
    return {
      type: 'summary',
      batchId,
      workflowId: description.workflowId,
      runId: description.runId,
      ...progress,
      nextExpiresAt,
      startedAt: startedAt.toISOString(),
      closedAt: description.closeTime?.toISOString() ?? null,
      webUrl: this.#webUrl(description),
    };
  }

  /**
   * Waits until the batch is closed and says how it ended; a failed batch is an answer, no error. Outages of Temporal are waited out.
   * @throws BatchNotFoundError, the signal's reason
   */
  async wait(batchId: string, { onProgress, onOutage, signal }: WaitOptions = {}): Promise<BatchSummary> {
    signal?.throwIfAborted();
    await this.#describe(batchId);
    const over = new AbortController();
    const stop = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    const watch = () => {
      const promise = this.#closed(batchId, stop);
      promise.catch(() => {}); // reported by the race below, or of no interest once the wait is over
      return promise;
    };
    let closed = watch();
    try {
      for (let waitedMs = 0, out = false; ; ) {
        const pauseMs = Math.min(15_000, Math.max(1_000, waitedMs / 20));
        waitedMs += pauseMs;
        const ended = await Promise.race([closed, delay(pauseMs, false, { signal: stop })]);
        try {
          const summary = await this.status(batchId);
          if (summary.closedAt !== null) return summary;
          onProgress?.(summary);
          out = false;
          if (ended) closed = watch(); // terminated, and started again since
        } catch (error) {
          if (!isOutage(error)) throw error;
          if (!out) onOutage?.(error);
          out = true;
          if (ended) await delay(pauseMs, null, { signal: stop });
        }
      }
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      over.abort();
    }
  }

  /**
   * Batches, the newest first; when there are more than `limit`, the open ones and those that closed last. Temporal shows a change here
   * about a second after it happened.
   * @param options.status only batches of this status
   * @param options.limit at most so many; default 100
   */
  async list({ status, limit = 100 }: { status?: BatchStatus; limit?: number } = {}): Promise<BatchListing[]> {
    const byStatus = status && (await this.#attributes()).includes('BatchStatus') ? ` AND BatchStatus = '${status}'` : '';
    const query = `WorkflowType = '${workflowTypes.batch}' AND ExecutionStatus != 'ContinuedAsNew'${byStatus}`;
    const found: BatchListing[] = [];
    for await (const page of this.#pages(query)) {
      const listings = await Promise.all(page.map((info) => this.#listing(info)));
      found.push(...listings.filter((listing) => !status || listing.status === status));
      if (found.length >= limit) break;
    }
    return found.slice(0, limit).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  }

  /** Batches in visibility's own order, each once: a terminated one that was started again as what it is now. */
  async *#pages(query: string): AsyncGenerator<WorkflowExecutionInfo[]> {
    const seen = new Set<string>();
    let page: WorkflowExecutionInfo[] = [];
    for await (const info of this.#client.workflow.list({ query })) {
      if (seen.has(info.workflowId) || parseBatchWorkflowId(info.workflowId) === null) continue;
      seen.add(info.workflowId);
      page.push(info);
      if (page.length < listPage) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async #listing(info: WorkflowExecutionInfo): Promise<BatchListing> {
    const lost = info.status.name === 'TERMINATED' || info.status.name === 'TIMED_OUT';
    const shown = lost ? unknownProgress(info.typedSearchAttributes, 'failed', null) : attributesOf(info.typedSearchAttributes);
    // Without registered attributes, or with ones that an abrupt end left behind, the batch is asked or its result read.
    const current = shown.status && (info.status.name === 'RUNNING' || finalStatuses.includes(shown.status));
    const known = current ? shown : await readProgress(this.#client, await this.#client.workflow.getHandle(info.workflowId, info.runId).describe());
    return {
      batchId: parseBatchWorkflowId(info.workflowId)!,
      status: known.status!,
      documents: known.documents ?? 0,
      documentsDone: known.documentsDone ?? 0,
      startedAt: (await startOf(this.#client, info)).toISOString(),
      closedAt: info.closeTime?.toISOString() ?? null,
    };
  }

  async #describe(batchId: string): Promise<WorkflowExecutionDescription> {
    if (!isBatchId(batchId)) throw new InvalidInputError([{ field: 'id', message: `must have ${batchIdRule}` }]);
    return describeBatch(this.#client, batchId);
  }

  async #refuseTaken(batchId: string, input: BatchInput): Promise<void> {
    const taken = await describeBatch(this.#client, batchId).catch((error: unknown) => {
      if (error instanceof BatchNotFoundError) return null;
      throw error;
    });
    if (taken?.status.name === 'RUNNING') throw new BatchIdInUseError(batchId, 'running', taken.memo?.['inputSha256'] === inputDigest(input));
    const restartable = !taken || taken.status.name === 'TERMINATED' || taken.status.name === 'TIMED_OUT';
    if (!restartable || (await this.#isArchived(batchId))) throw new BatchIdInUseError(batchId, 'finished', false);
  }

  /** Resolves when the batch has closed, however it did; survives restarts of Temporal. */
  async #closed(batchId: string, stop: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        await untilClosed(this.#client, batchWorkflowId(batchId), stop);
        return true;
      } catch (error) {
        if (stop.aborted || !isOutage(error)) throw error;
        await delay(1_000, null, { signal: stop });
      }
    }
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

/** @throws InvalidInputError */
function checkInput(input: BatchInputOptions, id: string): BatchInput {
  const parsed = batchInputSchema.safeParse(input);
  const problems = parsed.success ? [] : inputProblems(parsed.error);
  if (!isBatchId(id)) problems.push({ field: 'id', message: `must have ${batchIdRule}` });
  const size = parsed.success ? Buffer.byteLength(JSON.stringify(parsed.data)) : 0;
  if (size > maxInputBytes) problems.push({ field: '(input)', message: `has ${size} bytes, at most ${maxInputBytes} are taken: put the documents into a list file` });
  if (!parsed.success || problems.length > 0) throw new InvalidInputError(problems);
  return parsed.data;
}
