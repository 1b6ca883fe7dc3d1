import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { failureTypes } from '../../src/contract/failures';
import { batchWorkflowId, gateOpenedSignal, jobWorkflowId, taskQueues, workflowTypes } from '../../src/contract/messages';
import { fakeActivities, type FakeBatch } from '../../test/support/fake-activities';
import { FakeRemote } from '../../test/support/fake-remote';
import { bundleWorkflows, quietRuntime, startBatch, tearDown, timeSkipping, withWorkers } from '../../test/support/workflow-runner';
import { readHistory } from './files';
import { type Kind, type Place, theBatch, theJob } from './kind';

const hour = 3_600_000;
const day = 24 * hour;

/** What a kind plays with: a server that skips time, and activities that do nothing. */
interface Stage {
  env: TestWorkflowEnvironment;
  remote: FakeRemote;
  id: string;
}

/** A kind that takes hours or days, on a clock that is skipped. `play` ends before the batch does, and answers where the parts are. */
function skipped(name: string, about: string, parts: Kind['parts'], batch: Partial<FakeBatch>, play: (stage: Stage) => Promise<Place[]>, batchless = false): Kind {
  return {
    name,
    about,
    parts,
    record: async () => {
      quietRuntime();
      const [env, bundle] = await Promise.all([timeSkipping(), bundleWorkflows()]);
      try {
        const remote = new FakeRemote(() => env.currentTimeMs());
        const findProject = async () => {
          if (remote.refusal !== null) throw ApplicationFailure.create({ type: remote.refusal, nonRetryable: true });
          return { projectId: 'p' };
        };
        const { activities } = fakeActivities({ jobs: 1, documentsPerJob: 2, maxConcurrentJobs: 5, ...batch }, { api: { ...remote.activities, findProject } });
        const places = await withWorkers(env, bundle, activities, async () => {
          if (!batchless) await startBatch(env.client, name);
          const found = await play({ env, remote, id: name });
          if (!batchless) await env.client.workflow.getHandle(batchWorkflowId(name)).result();
          return found;
        });
        return await Promise.all(places.map(({ workflowId }) => readHistory(env.client, workflowId)));
      } finally {
        await tearDown(env);
      }
    },
  };
}

/** Batches and jobs that wait long. */
export const clockKinds: Kind[] = [
  skipped('probed', 'credits are missing for hours: the batch tries by itself, less and less often', { batch: ['TIMER_FIRED', 'tells resumeJob'], job: ['resumeJob'] }, { jobs: 2 }, async ({ env, remote, id }) => {
    remote.block(1, 2);
    remote.afterResume = () => 'blocked_insufficient_credits';
    await env.sleep(3 * hour);
    remote.afterResume = () => 'completed';
    return [theBatch(id), theJob(id, 1)];
  }),

  skipped('call-probed', 'a call of the batch itself is refused for hours, before it has any job', { batch: ['ACTIVITY_TASK_FAILED', 'TIMER_FIRED'] }, {}, async ({ env, remote, id }) => {
    remote.refusal = failureTypes.insufficientCredit;
    await env.sleep(3 * hour);
    remote.refusal = null;
    return [theBatch(id)];
  }),

  skipped('slow', 'a job that is processed for days: open jobs are compared with Temporal, and its deadline nears', { batch: ['TIMER_FIRED', 'findClosedJobs', 'deadlineNeared'], job: ['tells deadlineNeared'] }, {}, async ({ env, remote, id }) => {
    remote.statuses.set(1, 'processing');
    await env.sleep(6.5 * day);
    remote.statuses.clear();
    return [theBatch(id), theJob(id, 1)];
  }),

  skipped('alone', 'a job whose batch is gone is blocked, and tries by itself', { job: ['SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED', 'TIMER_FIRED', 'resumeJob'] }, {}, async ({ env, remote, id }) => {
    remote.block(1);
    remote.afterResume = () => 'completed';
    const input = { batchId: id, job: 1, projectId: 'p', upload: 'signed', skipProcessed: false, attributes: [] };
    const handle = await env.client.workflow.start(workflowTypes.job, { workflowId: jobWorkflowId(id, 1), taskQueue: taskQueues.batch, args: [input] });
    await handle.signal(gateOpenedSignal);
    await handle.result();
    return [theJob(id, 1)];
  }, true),
];
