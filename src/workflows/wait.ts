import { CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import type { EndedJob, JobSight } from '../contract/activities';
import { jobBlockedSignal, jobResumedSignal } from '../contract/messages';
import { afterEvent, blockedStatus, hasResult, readUntil } from '../domain/job-state';
import type { JobWatch } from '../domain/job-state';
import { recordStatus, refOf, showJob, tell } from './open-job';
import type { OpenJob } from './open-job';
import { remoteActivities } from './proxies';
import { step } from './step';

/** How often a blocked job whose batch is gone asks to go on by itself, in ms. */
const orphanProbeMs = 3_600_000;

/**
 * Waits for the end of the remote job: by webhook or by polling, whichever speaks first; what counts is what a read says. On the way it
 * may be blocked and resumed any number of times. Null: the history is full, and the next run must go on.
 */
export async function awaitEnd(job: OpenJob): Promise<EndedJob | null> {
  let orphaned = false;
  for (;;) {
    const { phase } = job.watch;
    const sight = await step(job, () => look(job, orphaned));
    if (sight) job.watch = afterEvent(job.watch, { kind: 'read', found: sight.kind === 'ended' ? sight.status : sight.kind });
    if (sight?.kind === 'ended') {
      // It got through between two looks, so the others can go on too.
      if (phase !== 'waiting' && hasResult(sight.status)) await tell(job, jobResumedSignal, { job: job.input.job });
      return sight;
    }
    if (sight) orphaned = !(await tellOfBlock(job, phase));
    if (job.watch.phase === 'blocked' && job.resumeAsked) await resume(job);
    if (workflowInfo().continueAsNewSuggested) return null;
  }
}

/** One activity that reads the job until there is something to say; null when news, or the batch, came first. */
async function look(job: OpenJob, orphaned: boolean): Promise<JobSight | null> {
  const { read, poll } = remoteActivities(job.input.job, job.remote!, job.warnings);
  const activity = job.watch.hinted ? read : poll;
  job.watch = afterEvent(job.watch, { kind: 'reading' });
  const scope = new CancellationScope();
  const isInterrupted = () => job.watch.hinted || (job.watch.phase === 'blocked' && job.resumeAsked);
  try {
    return await scope.run(() => {
      const interrupted = orphaned ? condition(isInterrupted, orphanProbeMs).then(() => (job.resumeAsked = true)) : condition(isInterrupted);
      return Promise.race([activity.awaitJob({ ...refOf(job), until: readUntil(job.watch) }), interrupted.then(() => null)]);
    });
  } finally {
    // What lost the race is given up; a read that runs at this moment changes nothing.
    scope.cancel();
  }
}

/** Tells the batch when the job is blocked, again or for the first time, or goes on. False: nobody is there to resume it. */
async function tellOfBlock(job: OpenJob, before: JobWatch['phase']): Promise<boolean> {
  const { phase } = job.watch;
  const number = job.input.job;
  if (phase === 'blocked') {
    job.status = blockedStatus;
    if (before === 'waiting') recordStatus(job);
    showJob(job, 'waiting for credits', 'add credits at Plangrep, then resume the batch: its page says how');
    return tell(job, jobBlockedSignal, { job: number, how: 'resume', reason: 'insufficient_credits', expiresAt: job.remote!.expiresAt });
  }
  job.status = 'processing';
  recordStatus(job);
  showJob(job, 'waiting for Plangrep');
  await tell(job, jobResumedSignal, { job: number });
  return true;
}

/** Asks Plangrep to go on with a blocked job. */
async function resume(job: OpenJob): Promise<void> {
  job.resumeAsked = false;
  await step(job, () => remoteActivities(job.input.job, job.remote!, job.warnings).resume.resumeJob(refOf(job)));
  job.watch = afterEvent(job.watch, { kind: 'resumed' });
}
