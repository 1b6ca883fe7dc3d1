import { failureTypes } from '../../src/contract/failures';
import { jobWorkflowId } from '../../src/contract/messages';
import type { BatchInputOptions } from '../../src/client';
import type { FaultOptions } from '../../src/simulator/faults';
import { Story } from '../support/story';

type RequestOptions = Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind' | 'operation'>;

describe('Plangrep answers oddly', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start();
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const fault = (operation: string, options: RequestOptions) => story.fault({ kind: 'request', operation, ...options });
  const oneEach: Partial<BatchInputOptions> = { limits: { maxFiles: 1 } };
  const project = () => story.stack.simulator.state.projects.get('proj_quickstart')!;
  const paidOnce = async (id: string, documents: number) => expect(await story.debits(id)).toEqual(Array.from({ length: documents }, () => [1]));
  const statuses = (id: string) => story.jobs(id).map(({ status }) => status);

  test('a project that is upgraded in mid-batch holds it up, and fails nothing', async () => {
    const id = 'upgraded';
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { ...oneEach, maxConcurrentJobs: 1 });
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    project().upgradeStatus = 'in_progress';
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    const refused = story.requests('createJob', 409, 409);
    await story.until(id, ({ jobs }) => jobs.done === 1 && story.requests('createJob', 409, 409) > refused + 2);
    project().upgradeStatus = 'none';
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
    await story.manifest(id);
    await paidOnce(id, 3);
  });

  test('a job that says absurd things of its life, limits and numbers is a job like any other', async () => {
    const id = 'absurd';
    const absurd = { createdAt: 'yesterday', expiresAt: 'never', limits: { maxFiles: 0, maxDeclaredBytes: -1 }, pageCount: -2, billing: { creditsDebited: 'none' } };
    // The real job is made, and its first two answers are about its id and nothing else that makes sense.
    fault('createJob', { after: true, status: 202, html: true });
    await story.begin(id, ['a.pdf', 'b.pdf']);
    await story.untilJobs(id, (jobs) => jobs.length === 1);
    const body = { job: { id: story.jobs(id)[0]!.id, status: 'awaiting_uploads', ...absurd } };
    fault('createJob', { status: 202, body });
    fault('getJob', { status: 200, body });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    expect(statuses(id)).toEqual(['completed']);
    await story.manifest(id);
    await paidOnce(id, 2);
  });

  test('a Retry-After of a day, shortly before the deadline, does not outlast the job', async () => {
    const id = 'patient';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, retentionMs: 30_000 });
    fault('completeUploads', { status: 429, headers: { 'retry-after': '86400' } });
    await story.begin(id, ['a.pdf']);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 1 } });
    await story.manifest(id);
  });

  test('a registration whose answer is lost leaves a full job no room: its documents go in another one, and nothing is paid twice', async () => {
    const id = 'full';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, limits: { maxFiles: 3 } });
    fault('registerUploads', { drop: 'after' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf']);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
    expect(statuses(id)).toEqual(['cancelled', 'completed']);
    await story.manifest(id);
    await paidOnce(id, 3);
  });

  test('an ETag that was changed on its way costs the job, and its documents go in another one', async () => {
    const id = 'etag';
    fault('completeUploads', { status: 400, body: { error: { code: 'invalid_parts', message: 'The ETag of part 1 is another one.' } } });
    await story.begin(id, ['a.pdf', 'b.pdf']);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    expect(statuses(id)).toEqual(['cancelled', 'completed']);
    await story.manifest(id);
    await paidOnce(id, 2);
  });

  test('jobs that are ended at once are not made over and over, and the reason is in the manifest', async () => {
    const id = 'suspended';
    let made = 0;
    fault('createJob', { times: 0, status: 202, body: { job: { id: 'job_dead', status: 'failed', error: { code: 'account_suspended', message: 'Ask support.' } } } });
    await story.begin(id, ['a.pdf'], { retryFailedDocuments: 0 });
    made = story.requests('createJob', 202, 202);
    await story.until(id, () => story.requests('createJob', 202, 202) >= made + 2);
    // The rest of it takes minutes, at longer and longer distances: here somebody gives it up.
    await story.stack.batches.cancel(id);
    story.stack.simulator.state.faults.clear();
    expect(await story.wait(id)).toMatchObject({ status: 'cancelled' });
    expect(story.requests('createJob', 202, 202)).toBeLessThan(made + 8);
  });

  test('pages, redirects, compressed and cut answers, many of each to every kind of call: the batch comes to the same as without', async () => {
    const names = Array.from({ length: 6 }, (_, index) => `${index}.pdf`);
    const input = { limits: { maxFiles: 2 } };
    await story.begin('calm', names, input, { marker: 'same' });
    expect(await story.wait('calm')).toMatchObject({ status: 'completed', counts: { processed: 6 } });
    const effects: RequestOptions[] = [{ html: true, status: 200 }, { html: true, status: 200, after: true }, { gzip: true }, { truncateBytes: 15 }, { lengthOff: -7 }, { status: 302, headers: { location: 'https://status.example/' } }, { status: 503, html: true, headers: { 'retry-after': 'soon' } }];
    // What reads jobs may be answered with anything at all; the batch's first call must find the project.
    for (const effect of [...effects, { status: 400, html: true }, { status: 200, body: { job: { id: 'job_other', status: 'failed' } } }]) fault('getJob', { times: 0, rate: 0.04, ...effect });
    for (const operation of ['createJob', 'registerUploads', 'completeUploads', 'getJobResult', 'getJobArtifact']) {
      // An artifact has no end that could be missed: one whose announced length is a lie is cut, and nobody can know.
      const fitting = effects.filter(({ lengthOff }) => lengthOff === undefined || operation !== 'getJobArtifact');
      for (const [index, effect] of fitting.entries()) fault(operation, { nth: 1 + (index % 3), ...effect });
    }
    await story.begin('odd', names, input, { marker: 'same' });
    expect(await story.wait('odd')).toMatchObject({ status: 'completed', counts: { processed: 6 } });
    expect(statuses('odd')).toEqual(['completed', 'completed', 'completed']);
    await paidOnce('odd', 6);
    expect(await story.shape('odd')).toEqual(await story.shape('calm'));
  });

  test('what a step waits for is told where an operator looks: in its pending activity', async () => {
    const id = 'told';
    fault('createJob', { times: 0, html: true, status: 200 });
    await story.begin(id, ['a.pdf']);
    await story.until(id, () => story.requests('createJob', 200, 200) > 2);
    const { raw } = await story.handle(jobWorkflowId(id, 1)).describe();
    const [pending] = raw.pendingActivities!;
    expect(pending!.lastFailure).toMatchObject({ applicationFailureInfo: { type: failureTypes.unreachable }, message: expect.stringContaining('POST /api/open/v1/projects/proj_quickstart/jobs: body: not JSON (content type text/html)') as string });
    story.stack.simulator.state.faults.clear();
    expect(await story.wait(id)).toMatchObject({ status: 'completed' });
  });
});
