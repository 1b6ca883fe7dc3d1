import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createActivities } from '../../src/activities';
import { createPace } from '../../src/activities/pace';
import { createIntentSchema, remoteJobSchema, type CreateIntent } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import { parseWebhookPath } from '../../src/contract/webhook-path';
import { findJson } from '../../src/store/jsonl';
import { Seal } from '../../src/store/seal';
import { ActivityBench } from '../support/activity-bench';
import { manyDocuments, writeDocuments } from '../support/documents';

const keys = jobKeys('bench', 1);
const workflowId = 'batch/bench/job/00001';

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
    expect(await create(2)).toMatchObject({ jobId: 'job_short', expiresAt: '2040-01-01T00:00:00.000Z' });
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

describe('with webhooks on', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start({ webhooks: false });
    bench.settings.webhookUrl = 'http://127.0.0.1:1/hooks';
    await writeDocuments(bench.source, manyDocuments(1));
    await bench.plan();
  });
  afterEach(() => bench.stop());

  const create = (attempt = 1) => bench.run(bench.activities.api.createJob, bench.createRequest, attempt);
  const jobs = () => [...bench.simulator.state.jobs.values()];
  const remote = () => findJson(bench.store, keys.remote, remoteJobSchema);
  const tokenOf = (webhookUrl: string | null) => parseWebhookPath(new URL(webhookUrl!).pathname.replace('/hooks', ''))!;
  const allFiles = async () => {
    const entries = await readdir(bench.store.location, { recursive: true, withFileTypes: true });
    return Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')));
  };

  test('the job is told an address of its own, whose token only we can make', async () => {
    await create();
    const { workflowId: named, token } = tokenOf(jobs()[0]!.webhookUrl);
    expect(named).toBe(workflowId);
    expect(bench.completionDeps.seal.isSigned(workflowId, token)).toBe(true);
  });

  test('the signing secret is kept sealed with the job id, and neither it nor the token can be read in any file', async () => {
    const created = (await create())!;
    const [{ webhookSecret, webhookUrl, id, createdAtMs }] = jobs() as [(ReturnType<typeof jobs>)[number]];
    expect(bench.completionDeps.seal.open(created.webhookSecret!, workflowId)).toBe(webhookSecret);
    expect(await remote()).toMatchObject({ jobId: id, webhookSecret: created.webhookSecret });
    expect(created.createdAt).toBe(new Date(createdAtMs).toISOString());
    const files = await allFiles();
    expect(files.length).toBeGreaterThan(4);
    for (const secret of [webhookSecret!, tokenOf(webhookUrl).token]) expect(files.filter((text) => text.includes(secret))).toEqual([]);
  });

  test('a repeat gives the same secret again, and asks Plangrep for nothing', async () => {
    const created = await create();
    expect(await create()).toEqual(created);
    expect(bench.requests('createJob')).toEqual({ 202: 1 });
  });

  test('every retry sends the body that was decided first, whatever the settings have become', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    bench.settings.webhookUrl = 'http://127.0.0.1:2/elsewhere';
    expect((await create(2))!.jobId).toBe(jobs()[0]!.id);
    expect(jobs().map(({ webhookUrl }) => new URL(webhookUrl!).port)).toEqual(['1']);
  });

  test('a replay that keeps the secret to itself leaves the job to its token', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    expect((await create(2))!.webhookSecret).toBeNull();
    expect((await remote())!.webhookSecret).toBeNull();
  });

  test('an abbreviated answer that brought the secret is completed without losing it', async () => {
    const body = { job: { id: 'job_short', status: 'awaiting_uploads' }, webhookSigningSecret: 'wss_once' };
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', after: true, status: 202, body });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.notYet });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', status: 200, body: { job: { id: 'job_short', status: 'awaiting_uploads', expiresAt: '2040-01-01T00:00:00Z' } } });
    expect(bench.completionDeps.seal.open((await create(2))!.webhookSecret!, workflowId)).toBe('wss_once');
  });

  test('the next generation gets the same address', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    await bench.plangrep.cancelJob(jobs()[0]!.id);
    await expect(create(2)).rejects.toMatchObject({ type: failureTypes.notYet });
    expect((await create(3))!.externalId).toBe(`${workflowId}.2`);
    expect(new Set(jobs().map(({ webhookUrl }) => webhookUrl)).size).toBe(1);
  });

  test('an answer that repeats the address gives no token away', async () => {
    const faults = bench.simulator.state.faults;
    faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const { token } = tokenOf(jobs()[0]!.webhookUrl);
    faults.add({ kind: 'request', operation: 'createJob', status: 422, body: { error: { code: token, message: `Not reachable: ${jobs()[0]!.webhookUrl}, token ${token}` } } });
    const failure = await create(2).then(() => null, (error: Error) => error);
    expect(failure).toMatchObject({ type: failureTypes.rejected, message: expect.stringContaining('Not reachable') as string });
    expect(JSON.stringify([failure!.message, (failure as unknown as { details: unknown }).details])).not.toContain(token);
  });

  test('an intent sealed under a key that is gone is no reason to pay twice: it waits for the key', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', drop: 'after' });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const stranger = { store: bench.store, plangrep: bench.plangrep, seal: new Seal(randomBytes(32)), pace: createPace(1000), temporal: {} as never, settings: bench.settings };
    await expect(bench.run(createActivities(stranger).api.createJob, bench.createRequest, 2)).rejects.toMatchObject({ type: failureTypes.internal, nonRetryable: false });
    expect(jobs()).toHaveLength(1);
  });

  test('missing credits end the call, and the job is made when it is made again', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', status: 402 });
    await expect(create()).rejects.toMatchObject({ type: failureTypes.insufficientCredit, nonRetryable: true, category: 'BENIGN' });
    expect((await create())!.webhookSecret).not.toBeNull();
  });
});
