import { ApplicationFailure } from '@temporalio/common';
import type { ApiActivities } from '../../src/contract/activities';
import { failureTypes } from '../../src/contract/failures';
import { blockedStatus, isTerminal } from '../../src/domain/job-state';
import { createdJob, endedJob } from './fake-activities';

/** How often the fake polls, in ms: seldom, since a skipped poll costs a test real time all the same. */
const pollMs = 2 * 3_600_000;

/**
 * Plangrep as far as job workflows see it, on the test server's clock: jobs that finish, are blocked while credits are short, and
 * expire. Everything may be changed at any time; `refusal` is what every call answers with while it is set.
 */
export class FakeRemote {
  /** By job; a job that is not named is `completed` as soon as it is read. */
  readonly statuses = new Map<number, string>();
  /** Life of a job, in ms. */
  lifeMs = 7 * 24 * 3_600_000;
  readonly lifeOf = new Map<number, number>();
  /** What a resumed job becomes. */
  afterResume: (job: number) => string = () => 'processing';
  refusal: string | null = null;
  /** Calls as they came: `resume 2`. */
  readonly calls: string[] = [];

  constructor(private readonly now: () => Promise<number>) {}

  /** To put in place of the fake activities' own. */
  readonly activities: Pick<ApiActivities, 'createJob' | 'awaitJob' | 'resumeJob' | 'cancelJob'> = {
    createJob: async ({ job }) => {
      this.#called('create', job);
      return createdJob(job, { nowMs: await this.now(), lifeMs: this.lifeOf.get(job) ?? this.lifeMs });
    },
    awaitJob: async ({ job, remote, until, warnAt }) => {
      this.#called('read', job);
      const now = await this.now();
      const status = now >= Date.parse(remote.expiresAt) ? 'expired' : (this.statuses.get(job) ?? 'completed');
      if (isTerminal(status)) return endedJob(status);
      if (status === blockedStatus && until.includes('blocked')) return { kind: 'blocked' };
      if (status === 'processing' && until.includes('working')) return { kind: 'working' };
      if (warnAt !== null && now >= Date.parse(warnAt)) throw failure(failureTypes.deadlineNears, true);
      throw failure(failureTypes.notYet, false);
    },
    resumeJob: async ({ job }) => {
      this.#called('resume', job);
      this.statuses.set(job, this.afterResume(job));
    },
    cancelJob: async ({ job }) => {
      this.#called('cancel', job);
      if (!isTerminal(this.statuses.get(job) ?? 'completed')) this.statuses.set(job, 'cancelled');
    },
  };

  /** Blocks these jobs for credits. */
  block(...jobs: number[]): void {
    for (const job of jobs) this.statuses.set(job, blockedStatus);
  }

  /** The jobs of one kind of call, in order. */
  of(name: string): number[] {
    return this.calls.filter((call) => call.startsWith(`${name} `)).map((call) => Number(call.split(' ')[1]));
  }

  #called(name: string, job: number): void {
    this.calls.push(`${name} ${job}`);
    if (this.refusal !== null) throw failure(this.refusal, true);
  }
}

const failure = (type: string, nonRetryable: boolean): ApplicationFailure =>
  ApplicationFailure.create({ type, message: type, nonRetryable, ...(!nonRetryable && { nextRetryDelay: pollMs }) });
