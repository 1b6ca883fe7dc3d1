import { makePdf } from '../../test/support/documents';
import { type Kind, played, theBatch, theJob } from './kind';

/** Batches in which nothing goes wrong. */
export const plainKinds: Kind[] = [
  played('plain', 'a batch by polling', { batch: ['planBatch', 'jobFinished', 'writeManifest'], job: ['createJob', 'archiveJob', 'tells jobFinished'] }, {}, async (story, id) => {
    await story.begin(id, ['a.pdf', 'b.pdf']);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('webhook', 'the end of a job comes by webhook', { batch: ['jobFinished'], job: ['jobStatusChanged', 'WORKFLOW_PROPERTIES_MODIFIED', 'ACTIVITY_TASK_CANCEL_REQUESTED'] }, { webhooks: true, simulator: { jobMs: 2_000 } }, async (story, id) => {
    story.settings.minPollMs = 60_000;
    await story.begin(id, ['a.pdf', 'b.pdf']);
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('form', 'documents go through the form', { batch: ['jobFinished'], job: ['uploadDocuments'] }, {}, async (story, id) => {
    await story.begin(id, ['a.pdf', 'b.pdf'], { upload: 'form' });
    await story.wait(id);
    return [theBatch(id), theJob(id, 1)];
  }),

  played('empty', 'nothing to send, and that is allowed', { batch: ['planBatch', 'writeManifest'] }, {}, async (story, id) => {
    await story.begin(id, [], { allowEmpty: true });
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('project', 'the project is made first', { batch: ['createProject', 'awaitProject'] }, {}, async (story, id) => {
    await story.begin(id, ['a.pdf'], { project: 'Recorded', createProject: true });
    await story.wait(id);
    return [theBatch(id)];
  }),

  played('scheduled', 'started by a schedule: what is new, and a second time when nothing is', { batch: ['findProject', 'jobFinished'], job: ['archiveJob'], again: ['findProject', 'writeManifest'] }, {}, async (story, id) => {
    const { stack } = story;
    const source = await stack.write(id, [{ path: Buffer.from('a.pdf'), content: makePdf() }]);
    await stack.batches.schedules.create(id, { project: 'Quickstart', source: { folder: source } }, { cron: '0 4 1 1 *' });
    const batches: string[] = [];
    for (const _ of ['new', 'again']) {
      const { batchId } = await stack.batches.schedules.trigger(id);
      await story.wait(batchId!);
      batches.push(batchId!);
    }
    return [theBatch(batches[0]!), theJob(batches[0]!, 1), theBatch(batches[1]!)];
  }),
];
