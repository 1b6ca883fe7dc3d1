import { atOnce, type Kind, played, theBatch, theJob } from './kind';

/** Batches and jobs that end before their time. */
export const endKinds: Kind[] = [
  played('cancelled', 'an operator cancels: jobs in mid-upload, being processed, and one that finishes first', { batch: ['WORKFLOW_EXECUTION_CANCEL_REQUESTED', 'REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', 'WORKFLOW_EXECUTION_CANCELED'], job: ['cancelJob', 'closeJob', 'WORKFLOW_EXECUTION_CANCELED'], upload: ['uploadDocuments', 'ACTIVITY_TASK_CANCELED', 'cancelJob'], finished: ['cancelJob', 'archiveJob'] }, {}, async (story, id) => {
    story.fault(
      { kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' },
      { kind: 'job', externalId: `batch/${id}/job/00003`, hold: 'processing', finishesFirst: true },
      { kind: 'request', operation: 'putObject', externalId: `batch/${id}/job/00002`, times: 0, drop: 'before' },
    );
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], { ...atOnce, maxConcurrentJobs: 3 });
    await story.untilJobs(id, (jobs) => jobs.filter(({ status }) => status === 'processing').length === 2 && jobs.some(({ status }) => status === 'uploading'));
    await story.stack.batches.cancel(id);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1), theJob(id, 2), theJob(id, 3)];
  }),

  played('cancelled-early', 'cancelled before there is a job', { batch: ['WORKFLOW_EXECUTION_CANCEL_REQUESTED', 'writeManifest', 'WORKFLOW_EXECUTION_CANCELED'] }, {}, async (story, id) => {
    story.fault({ kind: 'request', operation: 'listProjects', delayMs: 3_000 });
    await story.begin(id, ['a.pdf']);
    await story.until(id, ({ documents }) => documents === 1);
    await story.stack.batches.cancel(id);
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('cancelled-creating', 'cancelled while a job is being created', { job: ['WORKFLOW_EXECUTION_CANCEL_REQUESTED', 'createJob', 'cancelJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'request', operation: 'createJob', delayMs: 3_000 });
    await story.begin(id, ['a.pdf']);
    await story.until(id, ({ jobs }) => jobs.open === 1);
    await story.stack.batches.cancel(id);
    await story.wait(id);
    return [theJob(id, 1)];
  }),

  played('cancelled-blocked', 'cancelled while its jobs wait for credits', { batch: ['jobBlocked', 'REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED'], job: ['tells jobBlocked', 'cancelJob'] }, { simulator: { credits: 0 } }, async (story, id) => {
    await story.begin(id, ['a.pdf', 'b.pdf'], atOnce);
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await story.batchHandle(id).cancel();
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('cancelled-refused', 'cancelled with a key that may not cancel, until it may', { batch: ['jobBlocked', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED', 'resume'], job: ['cancelJob', 'gateOpened'] }, {}, async (story, id) => {
    const set = (scopes: string[]) => story.control('/keys', { key: 'pgk_sim_recorded', scopes });
    await set(['jobs:read', 'jobs:write', 'artifacts:read']);
    story.writeKey('pgk_sim_recorded');
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf']);
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    await set([]);
    await story.until(id, ({ status }) => status === 'blocked_auth');
    await story.stack.batches.cancel(id);
    await set(['jobs:read', 'jobs:write', 'artifacts:read']);
    await story.stack.batches.resume(id);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('expired', 'deadlines near and pass: while a job is processed, archived, or waits at the gate', { batch: ['deadlineNeared'], job: ['tells deadlineNeared', 'closeJob'], archiving: ['archiveJob', 'closeJob'], gate: ['tells jobBlocked', 'TIMER_FIRED', 'closeJob'] }, {}, async (story, id) => {
    const [archiving, poor] = [`${id}-archiving`, `${id}-poor`];
    story.fault(
      { kind: 'job', externalId: `batch/${id}/`, hold: 'processing', retentionMs: 10_000 },
      { kind: 'job', externalId: `batch/${archiving}/`, retentionMs: 10_000 },
      { kind: 'job', externalId: `batch/${poor}/`, hold: 'processing', retentionMs: 10_000 },
      { kind: 'request', operation: 'getJobArtifact', externalId: `batch/${archiving}/`, nth: 2, times: 0, delayMs: 12_000 },
      { kind: 'request', operation: 'completeUploads', externalId: `batch/${poor}/`, status: 402, times: 0 },
    );
    const ids = [id, archiving, poor];
    await Promise.all(ids.map((batch) => story.begin(batch, ['a.pdf'])));
    await Promise.all(ids.map((batch) => story.wait(batch)));
    return [theBatch(id), ...ids.map((batch) => theJob(batch, 1))];
  }),

  played('orphaned', 'the batch is terminated: its jobs end without it', { job: ['SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED', 'archiveJob'], cancelled: ['SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED', 'WORKFLOW_EXECUTION_CANCELED'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf'], atOnce);
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    await story.batchHandle(id).terminate('recorded');
    await story.control('/jobs', { job: theJob(id, 1).workflowId, action: 'release' });
    for (let asked = 0; asked < 1; ) asked += (await story.stack.batches.cancel(id)).jobs;
    for (const job of [1, 2]) await story.handle(theJob(id, job).workflowId).result().catch(() => undefined);
    return [theJob(id, 1), theJob(id, 2)];
  }),
];
