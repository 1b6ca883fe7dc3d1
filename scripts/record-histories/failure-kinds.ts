import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { batchWorkflowId, taskQueues, workflowTypes } from '../../src/contract/messages';
import { makePdf } from '../../test/support/documents';
import { atOnce, type Kind, oneByOne, played, theBatch, theJob } from './kind';

/** Batches whose documents, jobs or inputs are refused or fail. */
export const failureKinds: Kind[] = [
  played('split', 'a job that fails is halved until the document that spoils it stands alone', { batch: ['resendDocuments'], job: ['closeJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', fileName: 'poison.pdf', failJob: { code: 'unreadable_document' } });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'poison.pdf'], { maxConcurrentJobs: 1 });
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('resubmitted', 'documents that failed are sent again in a job of their own', { batch: ['resendDocuments'], job: ['archiveJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'document', fileName: 'b.pdf', failPages: 'all', times: 1 });
    await story.begin(id, ['a.pdf', 'b.pdf']);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('retried', 'a batch of what an earlier one left', { batch: ['planBatch', 'jobFinished'] }, {}, async (story, id) => {
    story.fault({ kind: 'document', fileName: 'b.pdf', failPages: 'all', times: 1 });
    await story.begin(`${id}-before`, ['a.pdf', 'b.pdf'], { retryFailedDocuments: 0 });
    await story.wait(`${id}-before`);
    await story.stack.batches.retry(`${id}-before`, { id });
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('lowered', 'a job may take less than planned: it is given back and split', { batch: ['splitJob'], job: ['cancelJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/`, limits: { maxFiles: 2 }, times: 1 });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf', 'e.pdf'], { maxConcurrentJobs: 1 });
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('failing', 'three jobs in a row fail, and an operator lets the batch go on', { batch: ['resume'], job: ['closeJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/`, failJob: { code: 'unreadable_document' } });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], { ...oneByOne, splitFailedJobs: false });
    await story.until(id, ({ status }) => status === 'failing');
    story.stack.simulator.state.faults.clear();
    await story.stack.batches.resume(id);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('changed', 'no document of a job can be sent', { job: ['uploadDocuments', 'cancelJob', 'closeJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'request', operation: 'createJob', delayMs: 3_000 });
    await story.begin(id, ['a.pdf']);
    await story.until(id, ({ jobs }) => jobs.open === 1);
    await writeFile(join(story.stack.source(id), 'a.pdf'), makePdf({ pages: 2, marker: 'changed' }));
    await story.wait(id);
    return [theJob(id, 1)];
  }),

  played('rejected', 'Plangrep refuses to create one job, and to register the documents of another', { batch: ['jobFinished'], create: ['createJob', 'ACTIVITY_TASK_FAILED', 'closeJob'], upload: ['ACTIVITY_TASK_FAILED', 'cancelJob', 'closeJob'] }, {}, async (story, id) => {
    story.fault(
      { kind: 'request', operation: 'createJob', status: 422 },
      { kind: 'request', operation: 'registerUploads', externalId: `batch/${id}/job/00002`, status: 422, times: 0 },
    );
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], oneByOne);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1), theJob(id, 2)];
  }),

  played('refused', 'the key is refused at the first call: the batch fails before anything is started', { batch: ['ACTIVITY_TASK_FAILED', 'writeManifest', 'WORKFLOW_EXECUTION_FAILED'] }, {}, async (story, id) => {
    story.writeKey('pgk_sim_unknown');
    await story.begin(id, ['a.pdf']);
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('invalid', 'the input, or the id, is refused', { batch: ['acceptBatch', 'WORKFLOW_EXECUTION_FAILED'], id: ['WORKFLOW_EXECUTION_FAILED'] }, {}, async (story, id) => {
    const places = [theBatch(id), { workflowId: `${batchWorkflowId(id)}/${id}` }];
    for (const { workflowId } of places) {
      await story.stack.env.client.workflow.execute(workflowTypes.batch, { workflowId, taskQueue: taskQueues.batch, args: [{}] }).catch(() => undefined);
    }
    return places;
  }),

  played('lost', 'workflows of jobs are ended from outside: one is taken up again, one given up', { batch: ['findClosedJobs', 'abandonJob', 'closeJob'], job: ['archiveJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf'], atOnce);
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    const runId = async (job: number) => (await story.handle(theJob(id, job).workflowId).describe()).runId;
    for (const job of [1, 2]) {
      const first = await runId(job);
      await story.handle(theJob(id, job).workflowId).terminate('recorded');
      while ((await runId(job)) === first) await story.until(id, () => true);
    }
    await story.handle(theJob(id, 2).workflowId).terminate('recorded');
    await story.untilJobs(id, (jobs) => jobs.some(({ status }) => status === 'cancelled'));
    await story.control('/jobs', { job: theJob(id, 1).workflowId, action: 'release' });
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('adopted', 'a batch that was terminated is started again: one of its jobs runs, one has ended', { batch: ['START_CHILD_WORKFLOW_EXECUTION_FAILED', 'tells gateOpened', 'tells resumeJob'] }, {}, async (story, id) => {
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 2 });
    await story.untilJobs(id, (jobs) => jobs.some(({ status }) => status === 'processing'));
    await story.until(id, ({ jobs }) => jobs.done > 0);
    await story.batchHandle(id).terminate('recorded');
    await story.stack.batches.start({ project: 'Quickstart', source: { folder: story.stack.source(id) }, limits: { maxFiles: 1 }, maxConcurrentJobs: 2 }, { id });
    await story.until(id, ({ jobs }) => jobs.done > 0);
    await story.control('/jobs', { job: theJob(id, 1).workflowId, action: 'release' });
    await story.wait(id);
    return [theBatch(id)];
  }),
];
