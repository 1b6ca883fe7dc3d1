import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { Activities } from '../../src/activities';
import type { ClosedJob } from '../../src/contract/activities';
import type { BatchProgress, Counts, Outcome } from '../../src/contract/batch';
import { batchWorkflowId, jobFinishedSignal, jobWorkflowId, statusQuery } from '../../src/contract/messages';
import type { JobReport } from '../../src/contract/messages';
import { closedJob, createdJob, endedJob, fakeActivities } from './fake-activities';

/** What happens to a job, in its own workflow and from outside. */
export interface JobScript {
  /** When it closes: so many ms after its start, or at once with all others that wait for the same moment. */
  closes: number | 'together';
  /** `again`, `halves`: its documents fail and are sent again, in one job or two. `lowered`: Plangrep takes less than planned, so it becomes two. */
  ending: 'processed' | 'failed' | 'again' | 'halves' | 'lowered';
  /** Its workflow is terminated as it starts, once or twice; removed from Temporal; or terminated when its documents are written down and nothing is told. */
  lost: 'never' | 'once' | 'twice' | 'removed' | 'unheard';
  /** Its report comes twice, and with it the reports of jobs that are not open. */
  repeats: boolean;
}

/** A batch of jobs with scripts; the script of job n is the one at n modulo their number. */
export interface BatchScript {
  jobs: number;
  maxConcurrentJobs: number;
  scripts: JobScript[];
  /** The batch is cancelled when so many jobs have closed; null for never. */
  cancelAfter: number | null;
}

/** Documents of a planned job. */
const documentsPerJob = 4;
/** How long jobs that close together wait for each other, in ms. */
const togetherMs = 60;

/** A batch whose jobs follow a script, and the account of what was done to it: what the batch itself says must be the same. */
export class ScriptedBatch {
  /** Of each job: its documents; how often its workflow began; what it came to. */
  readonly sizes = new Map<number, number>();
  readonly starts = new Map<number, number>();
  readonly closed = new Map<number, ClosedJob>();
  readonly activities: Activities;
  /** The batch's own account when all its jobs had closed. */
  progress: BatchProgress | null = null;
  readonly counts: Counts = {};
  #split = new Set<number>();
  #moment: Promise<void> | null = null;
  #cancelled = false;

  constructor(readonly batchId: string, readonly script: BatchScript, readonly client: Client) {
    const { jobs, maxConcurrentJobs } = script;
    for (let job = 1; job <= jobs; job += 1) this.sizes.set(job, documentsPerJob);
    this.activities = fakeActivities(
      { jobs, documentsPerJob, maxConcurrentJobs },
      {
        batch: {
          closeJob: ({ job, ending }) => this.#close(job, ending.kind === 'ended' ? ending.outcome : null),
          findClosedJobs: ({ jobs: open }) => this.#findClosed(open),
          splitJob: async ({ job, next }) => ({ jobs: this.#split.has(job) ? this.#replace(job, [next, next + 1]) : [job] }),
        },
        api: { createJob: ({ job }) => this.#create(job), awaitJob: async () => endedJob('cancelled') },
        transfer: {
          planBatch: async () => {
            // Nothing is open yet, so these change nothing.
            for (const job of [1, jobs]) await this.#tell(reportOf(job, closedJob({ processed: documentsPerJob })));
            return { documents: jobs * documentsPerJob, rejected: 0, duplicates: 0, skipped: 0, jobs, bytes: 1, pages: null };
          },
          resendDocuments: async ({ job, how, next }) => {
            const { counts } = this.closed.get(job)!;
            this.#count(counts, -1);
            const made = how === 'halves' && this.sizes.get(job)! > 1 ? [next, next + 1] : [next];
            return { jobs: this.#replace(job, made), counts, nextFollowUp: next + made.length };
          },
          writeManifest: async ({ cancelled }) => {
            this.progress = await client.workflow.getHandle(batchWorkflowId(batchId)).query(statusQuery);
            return { status: cancelled ? 'cancelled' : 'completed', documents: jobs * documentsPerJob, counts: this.counts, pages: 0, credits: 0 };
          },
        },
      },
    ).activities;
  }

  /** What happens to a job. Jobs that were not planned are sent again no more, so that all of it ends. */
  scriptOf(job: number): JobScript {
    const { jobs, scripts } = this.script;
    const script = scripts[job % scripts.length]!;
    return job <= jobs || ['processed', 'failed'].includes(script.ending) ? script : { ...script, ending: 'processed' };
  }

  async #create(job: number) {
    const start = (this.starts.get(job) ?? 0) + 1;
    this.starts.set(job, start);
    const { closes, lost, ending } = this.scriptOf(job);
    if (start <= { never: 0, unheard: 0, once: 1, removed: 1, twice: 2 }[lost]) await this.#lose(job, lost === 'removed');
    if (closes === 'together') await (this.#moment ??= delay(togetherMs).then(() => { this.#moment = null; }));
    else await delay(closes);
    if (ending !== 'lowered') return null;
    this.#split.add(job);
    return createdJob(job, { lowered: { maxFiles: documentsPerJob / 2 } });
  }

  async #close(job: number, outcome: Outcome | null): Promise<ClosedJob> {
    const { repeats, lost } = this.scriptOf(job);
    const known = this.closed.get(job);
    const closed = known ?? this.#endingOf(job, outcome);
    if (!known) this.#count(closed.counts, 1);
    this.closed.set(job, closed);
    await this.#cancelWhenDue();
    if (repeats) for (const report of [reportOf(job, closed), reportOf(job, closed), reportOf(0, closed), reportOf(1_000_000, closed)]) await this.#tell(report);
    if (lost === 'unheard' && !known) await this.#lose(job, false);
    return closed;
  }

  #endingOf(job: number, outcome: Outcome | null): ClosedJob {
    const documents = this.sizes.get(job)!;
    const { ending } = this.scriptOf(job);
    if (outcome) return closedJob({ [outcome]: documents });
    if (ending === 'processed') return closedJob({ processed: documents });
    // No code comes three times in a row, which would close the gate.
    return closedJob({ failed: documents }, { failedWith: `code ${job}`, resend: ending === 'again' ? 'documents' : ending === 'halves' ? 'halves' : null });
  }

  #replace(job: number, parts: number[]): number[] {
    const documents = this.sizes.get(job)!;
    parts.forEach((part, at) => this.sizes.set(part, Math.floor((documents + at) / parts.length)));
    return parts;
  }

  #count(counts: Counts, sign: 1 | -1): void {
    for (const [outcome, count] of Object.entries(counts) as [Outcome, number][]) this.counts[outcome] = (this.counts[outcome] ?? 0) + sign * count;
  }

  async #cancelWhenDue(): Promise<void> {
    if (this.#cancelled || this.script.cancelAfter === null || this.closed.size < this.script.cancelAfter) return;
    this.#cancelled = true;
    await this.client.workflow.getHandle(batchWorkflowId(this.batchId)).cancel();
  }

  /** A batch that has ended hears nothing, and misses nothing. */
  async #tell(report: JobReport): Promise<void> {
    try {
      await this.client.workflow.getHandle(batchWorkflowId(this.batchId)).signal(jobFinishedSignal, report);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  async #lose(job: number, remove: boolean): Promise<void> {
    const workflowId = jobWorkflowId(this.batchId, job);
    await this.client.workflow.getHandle(workflowId).terminate('lost');
    if (remove) await this.client.workflowService.deleteWorkflowExecution({ namespace: this.client.options.namespace, workflowExecution: { workflowId } });
  }

  async #findClosed(jobs: number[]): Promise<JobReport[]> {
    const reports = await Promise.all(
      jobs.map(async (job): Promise<JobReport | null> => {
        if (await this.#isRunning(job)) return null;
        const closed = this.closed.get(job);
        return closed ? reportOf(job, closed) : { ...reportOf(job, closedJob({}, { pages: 0, credits: 0 })), kind: 'lost' };
      }),
    );
    return reports.filter((report) => report !== null);
  }

  async #isRunning(job: number): Promise<boolean> {
    try {
      return (await this.client.workflow.getHandle(jobWorkflowId(this.batchId, job)).describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }
}

const reportOf = (job: number, closed: ClosedJob): JobReport => ({ job, kind: 'closed', limits: null, ...closed });
