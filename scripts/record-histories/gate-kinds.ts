import { batchWorkflowId } from '../../src/contract/messages';
import type { Story } from '../../test/support/story';
import { atOnce, type Kind, oneByOne, played, theBatch, theJob } from './kind';

const blocked = 'blocked_insufficient_credits';
const scopes = ['jobs:read', 'jobs:write', 'artifacts:read'];

/** A key that is Plangrep's until it is revoked. */
async function useKey(story: Story, key: string): Promise<{ revoke(): Promise<void>; grant(): Promise<void> }> {
  const set = (granted: string[]) => story.control('/keys', { key, scopes: granted });
  await set(scopes);
  story.writeKey(key);
  return { revoke: () => set([]), grant: () => set(scopes) };
}

/** Resumes as often as the gate closes, to the end. */
async function resumeToEnd(story: Story, id: string): Promise<void> {
  for (;;) {
    await story.stack.batches.resume(id);
    const { closedAt } = await story.until(id, (summary) => summary.closedAt !== null || summary.gate !== null);
    if (closedAt !== null) return;
  }
}

/** Batches whose gate closes. */
export const gateKinds: Kind[] = [
  played('blocked', 'credits run out, twice, and an operator resumes', { batch: ['jobBlocked', 'resume', 'tells resumeJob', 'jobResumed'], job: ['tells jobBlocked', 'resumeJob', 'tells jobResumed'] }, { simulator: { credits: 0 } }, async (story, id) => {
    await story.begin(id, ['a.pdf', 'b.pdf'], { ...atOnce, classify: [{ glob: '**', classification: 'plans' }] }, { pages: 3 });
    await story.until(id, ({ status }) => status === 'blocked_credits' && story.jobs(id).length === 2 && story.jobs(id).every((job) => job.status === blocked));
    await story.control('/credits', { available: 15 });
    await story.stack.batches.resume(id);
    await story.untilJobs(id, (jobs) => jobs.some((job) => job.creditsDebited > 0 && job.status === blocked));
    await story.control('/credits', { available: 1_000 });
    await resumeToEnd(story, id);
    const first = story.jobs(id).findIndex(({ history }) => history.filter(({ status }) => status === blocked).length > 1);
    return [theBatch(id), theJob(id, first + 1)];
  }),

  played('paused', 'an operator pauses and resumes', { batch: ['pause', 'resume'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf'], oneByOne);
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    await story.stack.batches.pause(id);
    await story.control('/jobs', { job: theJob(id, 1).workflowId, action: 'release' });
    await story.until(id, ({ jobs }) => jobs.done === 1);
    await story.stack.batches.resume(id);
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('unauthorized', 'the key is revoked while a job is processed, and another waits to be created', { batch: ['jobBlocked', 'tells gateOpened', 'resume'], job: ['tells jobBlocked', 'gateOpened', 'tells jobResumed'], create: ['createJob', 'tells jobBlocked', 'gateOpened'] }, {}, async (story, id) => {
    const key = await useKey(story, 'pgk_sim_recorded');
    story.fault(
      { kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' },
      { kind: 'request', operation: 'createJob', nth: 2, delayMs: 3_000 },
    );
    await story.begin(id, ['a.pdf', 'b.pdf'], { ...oneByOne, maxConcurrentJobs: 2 });
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    await key.revoke();
    await story.until(id, ({ status, jobs }) => status === 'blocked_auth' && jobs.open === 2);
    while (!/jobs \d, \d/.test(await story.details(batchWorkflowId(id)))) await story.until(id, () => true);
    await key.grant();
    for (const job of story.jobs(id)) await story.control('/jobs', { job: job.id, action: 'release' }).catch(() => undefined);
    await resumeToEnd(story, id);
    const first = Number(story.jobs(id)[0]!.externalId!.slice(-5));
    return [theBatch(id), theJob(id, first), theJob(id, 3 - first)];
  }),

  played('vanished', 'a job is not there any more, and is again', { batch: ['jobBlocked', 'resume'], job: ['tells jobBlocked', 'gateOpened'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await story.begin(id, ['a.pdf']);
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    for (const action of ['hide', null, 'show', 'release']) {
      if (action) await story.control('/jobs', { job: theJob(id, 1).workflowId, action });
      else await story.until(id, ({ gate }) => gate !== null);
    }
    await resumeToEnd(story, id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('call', 'a call of the batch itself is refused, before it has any job', { batch: ['createProject', 'ACTIVITY_TASK_FAILED', 'resume'] }, {}, async (story, id) => {
    story.fault({ kind: 'request', operation: 'createProject', status: 402 });
    await story.begin(id, ['a.pdf'], { project: 'Recorded', createProject: true });
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await resumeToEnd(story, id);
    return [theBatch(id)];
  }),
];
