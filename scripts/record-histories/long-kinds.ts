import { batchWorkflowId, taskQueues } from '../../src/contract/messages';
import { batchWorkflow } from '../../src/workflows';
import { bundleWorkflows, quietRuntime, stopWorkers, withWorkers } from '../../test/support/workflow-runner';
import { stubActivities } from '../bench/children/stub-activities';
import { startLocalTemporal } from '../local-temporal';
import { readHistory } from './files';
import { firstMiddleLast, type Kind, oneByOne, played, theBatch, theJob } from './kind';

const blocked = 'blocked_insufficient_credits';
/** Events after which the server suggests to continue as new, so that few jobs are enough. */
const soon = (events: number) => ({ temporal: { extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${events}`] } });

/** Batches and jobs of several runs. */
export const longKinds: Kind[] = [
  played('continued', 'a batch whose history fills, with a paused gate and a job at it carried over', { first: ['WORKFLOW_EXECUTION_CONTINUED_AS_NEW'], middle: ['findClosedJobs', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW'], last: ['writeManifest'] }, { ...soon(60), simulator: { credits: 1_000 } }, async (story, id) => {
    await story.begin(id, Array.from({ length: 8 }, (_, index) => `${index}.pdf`), { ...oneByOne, maxConcurrentJobs: 2 });
    await story.until(id, ({ jobs }) => jobs.done >= 2);
    await story.control('/credits', { available: 0 });
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await story.control('/credits', { available: 1_000 });
    for (;;) {
      await story.stack.batches.resume(id);
      const { closedAt } = await story.until(id, (summary) => summary.closedAt !== null || summary.gate !== null);
      if (closedAt !== null) break;
    }
    return firstMiddleLast(story.stack.env.client, theBatch(id), 3);
  }),

  played('continued-job', 'a job whose history fills while it is blocked again and again', { first: ['createJob', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW'], middle: ['WORKFLOW_EXECUTION_CONTINUED_AS_NEW'], last: ['archiveJob'] }, { ...soon(60), simulator: { credits: 0 } }, async (story, id) => {
    await story.begin(id, ['a.pdf'], { classify: [{ glob: '**', classification: 'plans' }] }, { pages: 6 });
    // Each time enough for one page more.
    for (let pages = 1; pages <= 6; pages += 1) {
      await story.until(id, ({ gate }) => gate !== null);
      await story.untilJobs(id, ([job]) => job?.status === blocked);
      await story.control('/credits', { available: pages < 6 ? 15 : 1_000 });
      await story.stack.batches.resume(id);
      if (pages < 6) await story.untilJobs(id, ([job]) => job?.status === blocked && job.creditsDebited >= 10 * pages);
    }
    for (;;) {
      const { closedAt } = await story.until(id, (summary) => summary.closedAt !== null || summary.gate !== null);
      if (closedAt !== null) break;
      await story.stack.batches.resume(id);
    }
    return firstMiddleLast(story.stack.env.client, theJob(id, 1), 3);
  }),

  { name: 'thousand', about: 'a thousand jobs that do nothing, until the server itself suggests to continue as new', parts: { first: ['planBatch', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW'], last: ['findClosedJobs', 'writeManifest'] }, record: recordThousand },
];

async function recordThousand() {
  quietRuntime();
  const [env, bundle] = await Promise.all([startLocalTemporal(), bundleWorkflows()]);
  try {
    const workflowId = batchWorkflowId('thousand');
    const activities = stubActivities({ jobs: 1_000, documentsPerJob: 100, maxConcurrentJobs: 10, short: true, onClosed: () => undefined });
    await withWorkers(env, bundle, activities, () => env.client.workflow.execute(batchWorkflow, { workflowId, taskQueue: taskQueues.batch, args: [{}] }));
    const [first, , last] = await firstMiddleLast(env.client, { workflowId }, 2);
    return await Promise.all([first!, last!].map(({ runId }) => readHistory(env.client, workflowId, runId)));
  } finally {
    await stopWorkers(env);
    await env.teardown();
  }
}
