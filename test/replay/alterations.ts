import type { Alteration } from '../support/altered-workflows';

/** A change to the workflows that must not pass, and the recorded histories that refuse it. */
export interface Refused {
  change: string;
  by: string[];
  alterations: Alteration[];
}

const altered = (change: string, by: string[], file: string, from: string, to: string): Refused => ({ change, by, alterations: [{ file, from, to }] });

/** One for each thing that somebody could change in good faith: order, commands left out, commands added, state that is not carried over. */
export const refusals: Refused[] = [
  {
    change: 'a job closes its upload after it has its result',
    by: ['plain-job', 'webhook-job'],
    alterations: [
      { file: 'job.ts', from: '  await step(job, () => onRemote(job).complete.completeUploads(refOf(job)));\n', to: '' },
      { file: 'job.ts', from: "  showJob(job, 'archiving');\n", to: "  await step(job, () => onRemote(job).complete.completeUploads(refOf(job)));\n" },
    ],
  },
  altered('a cancelled job leaves its remote job alone', ['cancelled-job', 'cancelled-upload', 'orphaned-cancelled'], 'job.ts', "showJob(job, 'cancelling');", 'if (job.remote) return close(job, cancelled);'),
  altered('a job that is refused at its upload leaves its remote job alone', ['rejected-upload'], 'job.ts', 'await abandon(job);', ';'),
  altered('a job does not end its run when its history is full', ['continued-job-first', 'continued-job-middle'], 'wait.ts', 'if (workflowInfo().continueAsNewSuggested) return null;', ''),
  altered('a job that goes on does not tell its batch', ['blocked-job'], 'wait.ts', 'await tell(job, jobResumedSignal, { job: number });', ''),
  altered('a job waits for its poll although there is news', ['webhook-job'], 'wait.ts', 'const isInterrupted = () => job.watch.hinted || (', 'const isInterrupted = () => ('),
  altered('a job whose batch is gone waits for somebody to resume it', ['alone-job'], 'wait.ts', 'condition(isInterrupted, orphanProbeMs).then(() => (job.resumeAsked = true))', 'condition(isInterrupted)'),
  altered('a refused call is not made again', ['unauthorized-job', 'unauthorized-create', 'vanished-job'], 'step.ts', 'if (reason) await waitAtGate(job, reason);', 'if (reason) throw error;'),
  altered('a job does not warn of its deadline', ['expired-job', 'slow-job'], 'step.ts', 'else if (isLate(job, error)) await warn(job);', ''),
  altered('a job shows its status on every step', ['plain-job', 'form-job'], 'job.ts', "  job.status = 'uploading';\n", "  job.status = 'uploading';\n  recordStatus(job);\n"),
  altered('a batch finds its project before it plans', ['plain-batch', 'empty-batch'], 'batch.ts', 'input.skipProcessed ? await findProject(batch) : null', 'await findProject(batch)'),
  altered('a batch stays in its run when its history is full', ['continued-first'], 'window.ts', 'workflowInfo().continueAsNewSuggested;', 'false;'),
  altered('a run that continues another does not look for what ended in between', ['continued-middle', 'continued-last'], 'window.ts', 'suspected = workflowInfo().continuedFromExecutionRunId !== undefined;', 'suspected = false;'),
  altered('jobs of the plan go before follow-ups that wait', ['rejected-batch'], 'window.ts', 'batch.waiting.shift() ?? batch.nextJob++', 'batch.nextJob <= batch.plannedJobs ? batch.nextJob++ : batch.waiting.shift()!'),
  altered('open jobs are not compared with Temporal by the clock', ['plain-batch', 'slow-batch'], 'window.ts', '() => lost.watch(), ', ''),
  altered('a lost job is given up at once', ['lost-batch'], 'window.ts', '!batch.adopted.includes(job) && ', ''),
  altered('a job that runs already is not asked', ['adopted-batch'], 'window.ts', 'await askAnew(batchId, job, suspect);', ''),
  altered('a cancelled batch does not ask its jobs to end', ['cancelled-batch', 'cancelled-blocked-batch'], 'batch.ts', 'if (batch.cancelled) await cancelOpenJobs(batch);', ''),
  altered('a cancelled batch leaves no summary', ['cancelled-batch', 'cancelled-early-batch'], 'batch.ts', 'upsertMemo({ [summaryMemo]: progress });', ''),
  altered('of blocked jobs the one with most time left goes first', ['blocked-batch'], 'gate.ts', "(a.expiresAt ?? '~').localeCompare(b.expiresAt ?? '~')", "(b.expiresAt ?? '~').localeCompare(a.expiresAt ?? '~')"),
  altered('a closed gate is not tried by the batch itself', ['probed-batch', 'call-probed-batch'], 'gate.ts', "const probes = reason !== 'paused'", "const probes = reason === 'paused'"),
  altered('a paused batch starts its next job', ['paused-batch'], 'gate.ts', 'gate === null && blocked.length === 0;', "(gate === null || gate.reason === 'paused') && blocked.length === 0;"),
  altered('what an operator sees in lists changes with every report', ['failing-batch', 'continued-last'], 'batch-state.ts', 'if (!changed && Date.now() - batch.shownAt < showEveryMs) return;', ''),
  altered('failed documents are not sent again', ['resubmitted-batch', 'split-batch'], 'report.ts', 'if (report.resend) batch.resends.push({ job, how: report.resend });', ''),
  altered('three failures in a row stop nothing', ['failing-batch'], 'gate.ts', "if (inARow >= failuresToStop) closeGate(batch, 'failing');", ''),
];
