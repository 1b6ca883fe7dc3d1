import { getExternalWorkflowHandle, isCancellation, log, metricMeter, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { SignalDefinition } from '@temporalio/workflow';
import type { OnRemoteJob, RemoteJob } from '../contract/activities';
import { batchWorkflowId, deadlineNearedSignal, gateOpenedSignal, jobStatusChangedSignal, resumeJobSignal } from '../contract/messages';
import type { JobInput, JobState } from '../contract/messages';
import { nextWarningAt, warningMarks, warningsDue } from '../domain/deadline';
import { afterEvent, newWatch } from '../domain/job-state';
import type { JobWatch } from '../domain/job-state';
import { recordAttributes } from './attributes';
import { table } from './details';

/** A job workflow's memory. */
export interface OpenJob {
  input: JobInput;
  /** Null until the remote job exists. */
  remote: RemoteJob | null;
  /** Plangrep's status as last known or concluded; for people. */
  status: string;
  watch: JobWatch;
  /** Warnings about the deadline that are behind it. */
  warnings: number;
  /** The batch said `gateOpened`, and no refused call has been made again since. */
  released: boolean;
  /** The batch said `resumeJob`, and that has not been done. */
  resumeAsked: boolean;
}

/** Takes up a job, a new one or what an earlier run handed over. Signals are heard from here on. */
export function openJob(input: JobInput, carried?: JobState): OpenJob {
  const watch = newWatch();
  const job: OpenJob = {
    input,
    remote: carried?.remote ?? null,
    status: carried?.status ?? 'creating',
    watch: carried ? { ...watch, phase: carried.phase, hinted: carried.hinted } : watch,
    warnings: carried?.warnings ?? 0,
    released: carried?.released ?? false,
    resumeAsked: carried?.resumeAsked ?? false,
  };
  setHandler(jobStatusChangedSignal, () => {
    job.watch = afterEvent(job.watch, { kind: 'webhook' });
  });
  setHandler(resumeJobSignal, () => {
    job.resumeAsked = true;
  });
  setHandler(gateOpenedSignal, () => {
    job.released = true;
  });
  return job;
}

/** What the next run of the same job needs. */
export function stateOf({ remote, status, watch, warnings, released, resumeAsked }: OpenJob): JobState {
  return { remote: remote!, status, phase: watch.phase === 'ended' ? 'waiting' : watch.phase, hinted: watch.hinted, warnings, released, resumeAsked };
}

/** Names the remote job in an activity's request. Only for jobs that have one. */
export function refOf({ input: { batchId, job }, remote, warnings }: OpenJob): OnRemoteJob {
  const { jobId, externalId, createdAt, expiresAt } = remote!;
  return { batchId, job, remote: { jobId, externalId, createdAt, expiresAt }, warnAt: nextWarningAt(remote!, warnings) };
}

/** Tells the batch. False: it is not there any more. */
export async function tell<Args extends [object]>({ input: { batchId, job } }: OpenJob, signal: SignalDefinition<Args>, ...args: Args): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(batchWorkflowId(batchId)).signal(signal, ...args);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('The batch is not there to be told', { batchId, job, signal: signal.name });
    return false;
  }
}

/** Shows where the job stands on its page in the web UI; `advice` says what an operator can do. */
export function showJob({ input: { job }, remote, status, warnings }: OpenJob, stage: string, advice?: string): void {
  const left = warnings > 0 ? ` (**less than ${warningMarks[warnings - 1]} % of its time left**)` : '';
  setCurrentDetails(
    table([
      ['Job', String(job)],
      ['Stage', stage],
      ['Plangrep', remote ? `${status}, job \`${remote.jobId}\`` : 'no job yet'],
      ['Deadline', remote ? `${remote.expiresAt}${left}` : 'none yet'],
      ['What to do', advice ?? 'nothing'],
    ]),
  );
}

/** Shows the job's status in the lists: only when it says something that the plain way of a job does not. */
export function recordStatus({ input, status }: OpenJob): void {
  recordAttributes(input.attributes, { PlangrepStatus: status });
}

/** Says that the job is open although half, or nine tenths, of its time are over. */
export async function warn(job: OpenJob): Promise<void> {
  const remote = job.remote!;
  job.warnings = Math.max(job.warnings + 1, warningsDue(remote, Date.now()));
  const percentLeft = warningMarks[Math.min(job.warnings, warningMarks.length) - 1]!;
  log.warn('The deadline of a job nears', { workflowId: workflowInfo().workflowId, jobId: remote.jobId, expiresAt: remote.expiresAt, percentLeft });
  metricMeter.createCounter('plangrep_deadline_warnings', undefined, 'Jobs that were open when half or nine tenths of their time were over').add(1, { percent_left: String(percentLeft) });
  recordStatus(job);
  showJob(job, 'late', 'see why it waits: its pending activity, or the gate of its batch');
  await tell(job, deadlineNearedSignal, { job: job.input.job, expiresAt: remote.expiresAt, percentLeft });
}
