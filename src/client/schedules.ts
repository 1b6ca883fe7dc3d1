import { setTimeout as delay } from 'node:timers/promises';
import { ScheduleAlreadyRunning, ScheduleNotFoundError as UnknownToTemporal, type Client, type ScheduleClient, type ScheduleDescription } from '@temporalio/client';
import type { BatchInputOptions } from '../contract/batch';
import { parseBatchWorkflowId, workflowTypes, type SearchAttributeName } from '../contract/messages';
import { InvalidInputError } from './errors';
import type { Unreadable } from './known';
import { checkSchedule, scheduleIdProblem, temporalSchedule, type ScheduleOptions } from './schedule-definition';
import { ScheduleIdInUseError, ScheduleNotFoundError } from './schedule-errors';
import { readSchedule, type BatchSchedule } from './schedule-reading';
import { schedulesWithoutInput } from './visibility';

/** Schedules that are looked at side by side. */
const listPage = 20;
/** How long `trigger` waits for Temporal to say what came of it, and how often it looks. */
const [triggerTimeoutMs, triggerPauseMs] = [10_000, 200];

/** What came of `trigger`. */
export interface Triggered {
  scheduleId: string;
  /** `skipped`: a batch runs and the overlap policy allows no second. `buffered`: one starts once the running one has ended. `pending`: Temporal has taken the request and not said yet. */
  outcome: 'started' | 'skipped' | 'buffered' | 'pending';
  /** The batch that started, or the one that runs already; null when neither is known. */
  batchId: string | null;
}

/** Batches that start by the clock, on Temporal's schedules. Schedules of other programs are neither seen nor touched. */
export class BatchSchedules {
  readonly #client: Client;
  readonly #registered: () => Promise<SearchAttributeName[]>;
  readonly #unreadable: Unreadable;

  /** @param registered the search attributes that may be set */
  constructor(client: Client, registered: () => Promise<SearchAttributeName[]>, unreadable: Unreadable) {
    this.#client = client;
    this.#registered = registered;
    this.#unreadable = unreadable;
  }

  /**
   * Creates a schedule whose batches are named `<id>-<time>`. The input is that of {@link BatchClient.start}, with absolute paths;
   * `allowEmpty` and `skipProcessed` are true unless it says otherwise. A repeat throws {@link ScheduleIdInUseError}.
   * @param id as a batch's, at most 98 characters
   * @throws InvalidInputError also for what Temporal refuses and for times that never come; ScheduleIdInUseError; errors of `@temporalio/client`
   */
  async create(id: string, input: BatchInputOptions, options: ScheduleOptions): Promise<BatchSchedule> {
    const checked = checkSchedule(id, input, options);
    await this.#create(temporalSchedule(checked, await this.#registered()));
    const created = await this.describe(id);
    if (created.nextTimes.length > 0) return created;
    // Only Temporal can tell, and only of a schedule that is there; it starts nothing before it is gone again.
    await this.#client.schedule.getHandle(id).delete();
    throw new InvalidInputError([{ field: 'cron', message: 'names no time that will ever come' }]);
  }

  async #create(options: Parameters<Client['schedule']['create']>[0]): Promise<void> {
    try {
      await this.#client.schedule.create(options);
    } catch (error) {
      if (error instanceof ScheduleAlreadyRunning) throw new ScheduleIdInUseError(options.scheduleId);
      // The SDK's error for what the server calls an invalid argument.
      if (error instanceof TypeError) throw new InvalidInputError([{ field: /time ?zone/i.test(error.message) ? 'timeZone' : 'cron', message: `is refused by Temporal: ${error.message}` }]);
      throw error;
    }
  }

  /** All schedules of batches, by id. Temporal lists a new one about a second after it was created. */
  async list(): Promise<BatchSchedule[]> {
    const found: BatchSchedule[] = [];
    for await (const page of this.#pages()) found.push(...(await Promise.all(page.map((id) => this.#read(id)))).flat());
    return found.sort((a, b) => (a.scheduleId < b.scheduleId ? -1 : 1));
  }

  async *#pages(): AsyncGenerator<string[]> {
    let page: string[] = [];
    for await (const { scheduleId, action } of schedulesWithoutInput(this.#client).list()) {
      if (action?.workflowType !== workflowTypes.batch || scheduleIdProblem(scheduleId).length > 0) continue;
      page.push(scheduleId);
      if (page.length < listPage) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  /** Nothing for one that was deleted since it was listed. */
  async #read(id: string): Promise<BatchSchedule[]> {
    try {
      return [await this.describe(id)];
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return [];
      throw error;
    }
  }

  /**
   * One that is encrypted with another key is shown without its input, with an `error` that names the key.
   * @throws ScheduleNotFoundError, InvalidInputError for what is no id; errors of `@temporalio/client`
   */
  async describe(id: string): Promise<BatchSchedule> {
    const { description, error } = await this.#open(id);
    return { ...(await readSchedule(this.#client, description, this.#unreadable)), error };
  }

  /** A schedule with its input, or with what keeps that from being read. */
  async #open(id: string): Promise<{ description: ScheduleDescription; error: BatchSchedule['error'] }> {
    try {
      return { description: await this.#find(id, this.#client.schedule), error: null };
    } catch (cause) {
      const error = this.#unreadable(cause);
      if (!error) throw cause;
      return { description: await this.#find(id), error };
    }
  }

  /** No batch starts until `unpause`; running ones go on. Safe to repeat. @throws ScheduleNotFoundError */
  async pause(id: string, note = 'paused'): Promise<void> {
    await this.#find(id);
    await this.#client.schedule.getHandle(id).pause(note);
  }

  /** Batches start again at the next time that is due; times that went by are not made up for. Safe to repeat. @throws ScheduleNotFoundError */
  async unpause(id: string, note = 'unpaused'): Promise<void> {
    await this.#find(id);
    await this.#client.schedule.getHandle(id).unpause(note);
  }

  /** Starts a batch now, under the schedule's own overlap policy, also while it is paused. Not safe to repeat. @throws ScheduleNotFoundError */
  async trigger(id: string): Promise<Triggered> {
    const before = await this.#find(id);
    const handle = schedulesWithoutInput(this.#client).getHandle(id);
    await anotherSecond(before);
    await handle.trigger(before.policies.overlap);
    const deadline = Date.now() + triggerTimeoutMs;
    for (;;) {
      const outcome = outcomeOf(before, await handle.describe());
      if (outcome || Date.now() > deadline) return { scheduleId: id, ...(outcome ?? { outcome: 'pending', batchId: null }) };
      await delay(triggerPauseMs);
    }
  }

  /** Deletes the schedule; batches that it started go on. @throws ScheduleNotFoundError */
  async delete(id: string): Promise<void> {
    await this.#find(id);
    await this.#client.schedule.getHandle(id).delete();
  }

  /** A schedule of ours; without its input, unless it is asked of another client. */
  async #find(id: string, schedules: ScheduleClient = schedulesWithoutInput(this.#client)): Promise<ScheduleDescription> {
    const problems = scheduleIdProblem(id);
    if (problems.length > 0) throw new InvalidInputError(problems);
    try {
      const description = await schedules.getHandle(id).describe();
      if (description.action.workflowType === workflowTypes.batch) return description;
    } catch (error) {
      if (!(error instanceof UnknownToTemporal)) throw error;
    }
    throw new ScheduleNotFoundError(id);
  }
}

/** A batch is named by the second it was due: within one second the next would have the name of the last. */
async function anotherSecond({ info }: ScheduleDescription): Promise<void> {
  const sinceMs = Date.now() - (info.recentActions.at(-1)?.scheduledAt.getTime() ?? 0);
  if (sinceMs >= 0 && sinceMs < 1_000) await delay(1_000 - sinceMs);
}

/** What a trigger has changed, or null while nothing has. */
function outcomeOf(before: ScheduleDescription, now: ScheduleDescription): Omit<Triggered, 'scheduleId'> | null {
  const runs = new Set(before.info.recentActions.map(({ action }) => action.workflow.firstExecutionRunId));
  const started = now.info.recentActions.findLast(({ action }) => !runs.has(action.workflow.firstExecutionRunId));
  if (started) return { outcome: 'started', batchId: parseBatchWorkflowId(started.action.workflow.workflowId) };
  const running = now.info.runningActions.at(-1);
  const batchId = running ? parseBatchWorkflowId(running.workflow.workflowId) : null;
  if (now.info.numActionsSkippedOverlap > before.info.numActionsSkippedOverlap) return { outcome: 'skipped', batchId };
  // Without a running batch a buffered one is about to start.
  return running && waiting(now) > waiting(before) ? { outcome: 'buffered', batchId } : null;
}

const waiting = ({ raw }: ScheduleDescription): number => Number(raw.info?.bufferSize ?? 0);
