import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIntentSchema, type CreateIntent } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import { findJson } from '../../src/store/jsonl';
import { ActivityBench } from '../support/activity-bench';
import { makePdf, manyDocuments, writeDocuments } from '../support/documents';

const keys = jobKeys('bench', 1);
const week = 7 * 24 * 3_600_000;

describe('a remote job is created once', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start();
    await writeDocuments(bench.source, manyDocuments(3));
    await bench.plan();
  });
  afterEach(() => bench.stop());

  const create = (attempt = 1) => bench.run(bench.activities.api.createJob, bench.createRequest, attempt);
  const jobs = () => [...bench.simulator.state.jobs.values()];
  const intent = () => findJson(bench.store, keys.intent, createIntentSchema);
  const age = async (hours: number) => {
    const known = (await intent())!;
    await bench.store.write(keys.intent, JSON.stringify({ ...known, at: new Date(Date.now() - hours * 3_600_000).toISOString() } satisfies CreateIntent));
  };
  /** The attempts that Temporal would make, until one answers. */
  async function createWithRetries() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await create(attempt);
      } catch (error) {
        if ((error as { type?: string }).type !== failureTypes.notYet || attempt > 5) throw error;
      }
    }
  }

  test('and a repeat asks Plangrep for nothing', async () => {
    const created = await create();
    expect(created).toMatchObject({ externalId: 'batch/bench/job/00001', lowered: null });
    expect(await create(2)).toEqual(created);
    expect(bench.requests('createJob')).toEqual({ 202: 1 });
  });

  test('though the first answer was lost', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const created = await create(2);
    expect(jobs().map(({ id }) => id)).toEqual([created!.jobId]);
  });

  test('though the key has been forgotten since: it is found by its externalId', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    await age(30);
    expect((await createWithRetries())!.jobId).toBe(jobs()[0]!.id);
    expect(jobs()).toHaveLength(1);
    expect(bench.requests('listJobs')).toEqual({ 200: 1 });
    expect(bench.requests('createJob')).toEqual({ dropped: 1 });
  });

  test('an old intent that made no job is used after the search', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'before' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    await age(2);
    expect(await createWithRetries()).not.toBeNull();
    expect(jobs()).toHaveLength(1);
  });

  test('one that was cancelled in the meantime is never used: the next generation takes its place', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    await bench.plangrep.cancelJob(jobs()[0]!.id);
    const created = await createWithRetries();
    expect(created!.externalId).toBe('batch/bench/job/00001.2');
    expect(jobs().map(({ status }) => status)).toEqual(['cancelled', 'awaiting_uploads']);
  });

  test('an abbreviated answer is completed by a read', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', after: true, status: 202, body: { job: { id: 'job_short', status: 'awaiting_uploads' } } });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.notYet });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', status: 200, body: { job: { id: 'job_short', status: 'awaiting_uploads', expiresAt: '2040-01-01T00:00:00Z' } } });
    expect(await create(2)).toMatchObject({ jobId: 'job_short', expiresAt: '2040-01-01T00:00:00Z' });
  });

  test('a closed job is not created again', async () => {
    await bench.store.write(keys.documents, '');
    expect(await create()).toBeNull();
    expect(jobs()).toHaveLength(0);
  });

  test('limits below the plan are told before anything is sent', async () => {
    bench.simulator.state.faults.add({ kind: 'job', limits: { maxFiles: 2 } });
    expect((await create())!.lowered).toMatchObject({ maxFiles: 2 });
  });

  test('job.json holds what was last seen, and no URL', async () => {
    const created = (await create())!;
    const text = await readFile(join(bench.store.location, keys.job), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ job: 1, jobId: created.jobId, status: 'awaiting_uploads' });
    expect(text).not.toContain('http');
  });
});

describe('a remote job is read until its end', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start({ scriptedClock: true, jobMs: 1000 });
    await writeFile(join(bench.source, 'a.pdf'), makePdf());
    await bench.plan();
  });
  afterEach(() => bench.stop());

  async function uploaded() {
    const remote = await bench.create();
    await bench.run(bench.activities.transfer.uploadDocuments, { batchId: bench.batchId, job: 1, remote, upload: 'signed' });
    const request = { batchId: bench.batchId, job: 1, remote };
    await bench.run(bench.activities.api.completeUploads, request);
    return request;
  }
  const look = (request: Awaited<ReturnType<typeof uploaded>>, attempt = 1) => bench.run(bench.activities.api.awaitJob, request, attempt);

  test('every look at one that runs asks for the next one later', async () => {
    const request = await uploaded();
    await expect(look(request)).rejects.toMatchObject({ type: failureTypes.notYet, nextRetryDelay: 1000 });
    await expect(look(request, 4)).rejects.toMatchObject({ nextRetryDelay: 3375 });
    bench.simulator.state.clock.advance(10_000);
    expect(await look(request)).toMatchObject({ status: 'completed', error: null });
  });

  test('a repeated completion is one, also when its answer was lost and its key is forgotten', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'completeUploads', drop: 'after' });
    await expect(uploaded()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const remote = await bench.create();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'completeUploads', status: 409, body: { error: { code: 'invalid_state', message: 'The upload window is closed.' } } });
    await expect(bench.run(bench.activities.api.completeUploads, { batchId: bench.batchId, job: 1, remote }, 2)).resolves.toBeUndefined();
  });

  test('a body that makes no sense is no reason to give up a paid job', async () => {
    const request = await uploaded();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', html: true, status: 200 });
    await expect(look(request)).rejects.toMatchObject({ type: failureTypes.notYet });
  });

  test('an unknown status is not the end', async () => {
    const request = await uploaded();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', status: 200, body: { job: { id: request.remote.jobId, status: 'pondering' } } });
    await expect(look(request)).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('pondering') });
  });

  test('gone before the deadline is an error, gone after it is expired', async () => {
    const request = await uploaded();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', status: 404, times: 0, body: { error: { code: 'not_found', message: 'No such job.' } } });
    await expect(look(request)).rejects.toMatchObject({ type: failureTypes.notFound });
    const past = { ...request, remote: { ...request.remote, expiresAt: new Date(Date.now() - 1).toISOString() } };
    expect(await look(past)).toMatchObject({ status: 'expired' });
  });

  test('a job that is still unfinished at its deadline is expired', async () => {
    const request = await uploaded();
    const past = { ...request, remote: { ...request.remote, expiresAt: new Date(Date.now() - 1).toISOString() } };
    expect(await look(past)).toMatchObject({ status: 'expired' });
  });

  test('cancelling one that has ended, or is gone, is no error', async () => {
    const request = await uploaded();
    await bench.run(bench.activities.api.cancelJob, request);
    await expect(bench.run(bench.activities.api.cancelJob, request, 2)).resolves.toBeUndefined();
    bench.simulator.state.clock.advance(2 * week);
    await expect(bench.run(bench.activities.api.cancelJob, request, 3)).resolves.toBeUndefined();
  });

  test('missing credits are waited for', async () => {
    const remote = await bench.create();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'completeUploads', status: 402, body: { error: { code: 'insufficient_credits', message: 'Top up.' } } });
    await bench.run(bench.activities.transfer.uploadDocuments, { batchId: bench.batchId, job: 1, remote, upload: 'signed' });
    const failure = bench.run(bench.activities.api.completeUploads, { batchId: bench.batchId, job: 1, remote });
    await expect(failure).rejects.toMatchObject({ type: failureTypes.insufficientCredit, nonRetryable: false });
  });
});

describe('the project', () => {
  let bench: ActivityBench;
  beforeAll(async () => {
    bench = await ActivityBench.start({ projects: ['Harbour Annex', 'Town Hall'] });
  });
  afterAll(() => bench.stop());
  const api = () => bench.activities.api;

  test('is found by id, then by name', async () => {
    const { projectId } = (await bench.run(api().findProject, { project: 'Town Hall', orFail: true }))!;
    expect(await bench.run(api().findProject, { project: projectId, orFail: true })).toEqual({ projectId });
  });

  test('that is not there names those that are near, and is not created', async () => {
    await expect(bench.run(api().findProject, { project: 'Harbor Anex', orFail: true })).rejects.toMatchObject({
      type: failureTypes.projectNotFound,
      message: 'No project has the id or name "Harbor Anex"; near: "Harbour Annex"',
    });
    expect(await bench.run(api().findProject, { project: 'Harbor Anex', orFail: false })).toBeNull();
    expect(bench.requests('createProject')).toEqual({});
  });

  test('is created once, though the answer was lost', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createProject', drop: 'after' });
    await expect(bench.run(api().createProject, { name: 'New' })).rejects.toMatchObject({ type: failureTypes.unreachable });
    const { projectId } = await bench.run(api().createProject, { name: 'New' }, 2);
    expect([...bench.simulator.state.projects.values()].filter(({ name }) => name === 'New').map(({ id }) => id)).toEqual([projectId]);
  });

  test('is waited for while it is set up, for five minutes, and given up when it failed', async () => {
    bench.simulator.state.faults.add({ kind: 'project', name: 'Slow', provisioningMs: 3_600_000 });
    bench.simulator.state.faults.add({ kind: 'project', name: 'Broken', failed: true, provisioningMs: 0 });
    const slow = await bench.run(api().createProject, { name: 'Slow' });
    const broken = await bench.run(api().createProject, { name: 'Broken' });
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    await expect(bench.run(api().awaitProject, { ...slow, since: ago(0) })).rejects.toMatchObject({ type: failureTypes.notYet });
    await expect(bench.run(api().awaitProject, { ...slow, since: ago(301_000) })).rejects.toMatchObject({ type: failureTypes.projectNotReady });
    await expect(bench.run(api().awaitProject, { ...broken, since: ago(0) })).rejects.toMatchObject({ type: failureTypes.projectNotReady });
  });

  test.each([[null], ['none']])('is ready when its upgradeStatus is %s', async (upgradeStatus) => {
    bench.simulator.state.faults.add({ kind: 'project', name: `U ${upgradeStatus}`, provisioningMs: 0, upgradeStatus });
    const project = await bench.run(api().createProject, { name: `U ${upgradeStatus}` });
    await expect(bench.run(api().awaitProject, { ...project, since: new Date().toISOString() })).resolves.toBeUndefined();
  });

  test('is held back from while it is being upgraded', async () => {
    bench.simulator.state.faults.add({ kind: 'project', name: 'Upgrading', provisioningMs: 0, upgradeStatus: 'in_progress' });
    const project = await bench.run(api().createProject, { name: 'Upgrading' });
    await expect(bench.run(api().awaitProject, { ...project, since: new Date().toISOString() })).rejects.toMatchObject({ type: failureTypes.notYet });
  });
});
