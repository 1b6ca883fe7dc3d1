import { failureTypes } from '../../src/contract/failures';
import { createIntentSchema } from '../../src/contract/archive';
import { jobKeys } from '../../src/contract/keys';
import type { FaultOptions } from '../../src/simulator/faults';
import { findJson } from '../../src/store/jsonl';
import { ActivityBench } from '../support/activity-bench';
import { manyDocuments, writeDocuments } from '../support/documents';

const keys = jobKeys('bench', 1);
const hour = 3_600_000;

/** What a test wants to know of a failure. */
interface Failure {
  type: string;
  message: string;
  nextRetryDelay?: number;
}

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start({ scriptedClock: true });
  await writeDocuments(bench.source, manyDocuments(3));
  await bench.plan();
});
afterEach(() => bench.stop());

const create = (attempt = 1) => bench.run(bench.activities.api.createJob, bench.createRequest, attempt);
const jobs = () => [...bench.simulator.state.jobs.values()];
const fault = (options: Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind'>) => bench.simulator.state.faults.add({ kind: 'request', operation: 'createJob', ...options });
const failureOf = async (attempt = 1): Promise<Failure> =>
  create(attempt).then(
    () => Promise.reject(new Error('It went well')),
    (failure: Failure) => failure,
  );
/** The attempts that Temporal would make while a failure is one to be retried. */
async function createWithRetries(most = 50) {
  const failures: Failure[] = [];
  for (let attempt = 1; attempt <= most; attempt += 1) {
    try {
      return { created: (await create(attempt))!, failures };
    } catch (error) {
      failures.push(error as Failure);
      if (![failureTypes.notYet, failureTypes.unreachable, failureTypes.busy].includes((error as Failure).type as never)) break;
    }
  }
  return { created: null, failures };
}
/** Time passes for us; for Plangrep it does when its clock is moved too. */
async function age(ms: number): Promise<void> {
  const intent = (await findJson(bench.store, keys.intent, createIntentSchema))!;
  await bench.store.write(keys.intent, JSON.stringify({ ...intent, at: new Date(Date.parse(intent.at) - ms).toISOString() }));
}

describe('an answer that is none, though the job was made', () => {
  test.each<[string, Parameters<typeof fault>[0]]>([
    ['a web page', { html: true, status: 200 }],
    ['nothing', { status: 202, body: '' }],
    ['half of it', { status: 202, body: '{"job":{"id":"job_' }],
    ['compressed bytes that nobody asked for', { status: 202, body: '\u001f\u008b\u0008\u0000', headers: { 'content-encoding': 'gzip' } }],
    ['JSON of another shape', { status: 202, body: { ok: true } }],
    ['a list', { status: 202, body: [] }],
    ['a job that is another batch’s', { status: 202, body: { job: { id: 'job_other', status: 'awaiting_uploads', externalId: 'batch/other/job/00001' } } }],
    ['a redirect', { status: 302, headers: { location: 'https://status.example/' } }],
    ['less than was promised', { truncateBytes: 20 }],
    ['no answer at all', { drop: 'after' }],
    ['503', { status: 503 }],
  ])('%s: the call is repeated, and there is one job', async (_what, effect) => {
    fault({ after: true, times: 3, ...effect });
    const { created, failures } = await createWithRetries();
    expect(failures).toHaveLength(3);
    expect(jobs().map(({ id }) => id)).toEqual([created!.jobId]);
  });

  test('of another shape time after time is given up, with the names of its fields; a page never is', async () => {
    fault({ times: 0, status: 202, body: { job: { id: 7 } } });
    expect(await failureOf(19)).toMatchObject({ type: failureTypes.unreachable });
    expect(await failureOf(20)).toMatchObject({ type: failureTypes.contractViolation, message: expect.stringContaining('job.id: invalid_type') as string });
    bench.simulator.state.faults.clear();
    fault({ times: 0, html: true, status: 200 });
    expect(await failureOf(5_000)).toMatchObject({ type: failureTypes.unreachable, message: expect.stringContaining('not JSON (content type text/html)') as string });
  });
});

describe('a project that is upgraded while the batch runs', () => {
  const project = () => bench.simulator.state.projects.get('proj_quickstart')!;

  test('is waited for; its jobs do not fail', async () => {
    project().upgradeStatus = 'in_progress';
    expect(await failureOf()).toMatchObject({ type: failureTypes.notYet, nextRetryDelay: 1000, message: 'Project proj_quickstart takes no jobs at the moment: it is being upgraded' });
    project().upgradeStatus = null;
    expect(await create(2)).not.toBeNull();
  });

  test('and a 409 of a project that is ready is what it says', async () => {
    fault({ status: 409, body: { error: { code: 'too_many_jobs', message: 'No.' } } });
    expect(await failureOf()).toMatchObject({ type: failureTypes.rejected });
  });
});

test('jobs that are ended at once, as those of a suspended account, are not made without end', async () => {
  fault({ times: 0, status: 202, body: { job: { id: 'job_x', status: 'failed', error: { code: 'suspended', message: 'Ask support.' } } } });
  const { created, failures } = await createWithRetries();
  expect(created).toBeNull();
  expect(failures.at(-1)).toMatchObject({ type: failureTypes.rejected, message: expect.stringContaining('suspended Ask support.') as string });
  expect(bench.requests('createJob')).toEqual({ 202: 10 });
  const delays = failures.slice(0, -1).map(({ nextRetryDelay }) => nextRetryDelay!);
  expect(delays).toEqual([1, ...delays.slice(1).map((_, index) => 1000 * 2 ** (index + 2))]);
});

describe('a job that says absurd things of its life', () => {
  test.each([
    ['nothing', undefined, undefined],
    ['words', 'yesterday', 'soon'],
    ['an empty text', '', ''],
    ['an end before its beginning', '2030-01-02T00:00:00Z', '2030-01-01T00:00:00Z'],
    ['an end that no calendar has', undefined, '2030-13-45T99:99:99Z'],
    ['an end beyond all years', undefined, '+275760-09-13T00:00:00.000Z'],
    ['that it is over since years', '2020-01-01T00:00:00Z', '2020-01-08T00:00:00Z'],
    ['numbers', 5, 6],
  ])('%s: it lives for the usual week', async (_what, createdAt, expiresAt) => {
    const job = { id: 'job_odd', status: 'awaiting_uploads', createdAt, expiresAt };
    fault({ status: 202, body: { job } });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', times: 0, status: 200, body: { job } });
    const before = Date.now();
    const { created } = await createWithRetries();
    const [start, end] = [Date.parse(created!.createdAt), Date.parse(created!.expiresAt)];
    expect(end - start).toBe(7 * 24 * hour);
    expect(new Date(end).toISOString()).toBe(created!.expiresAt);
    // Only the environment of this test calls 1970 the time of the attempt.
    if (start > 1_000) expect(end).toBeGreaterThanOrEqual(before);
  });

  test('a clock that is days off: the length of its life counts, from now on', async () => {
    fault({ status: 202, body: { job: { id: 'job_old', status: 'awaiting_uploads', createdAt: '2021-05-01T00:00:00Z', expiresAt: '2021-05-03T00:00:00Z' } } });
    const before = Date.now();
    const { created } = await createWithRetries();
    expect(Date.parse(created!.expiresAt) - before).toBeGreaterThanOrEqual(48 * hour);
    expect(Date.parse(created!.expiresAt) - before).toBeLessThan(49 * hour);
  });
});

test.each([
  ['zero', { maxFiles: 0, maxDeclaredBytes: 0 }],
  ['negative', { maxFiles: -1, maxDeclaredBytes: -10 }],
  ['a fraction', { maxFiles: 1.5, maxDeclaredBytes: 0.1 }],
  ['beyond counting', { maxFiles: 1e300, maxDeclaredBytes: 1e300 }],
  ['no numbers', { maxFiles: '2', maxDeclaredBytes: null }],
  ['none', null],
])('limits that are %s say nothing: the documented ones count', async (_what, limits) => {
  fault({ status: 202, body: { job: { id: 'job_odd', status: 'awaiting_uploads', expiresAt: new Date(Date.now() + hour).toISOString(), limits } } });
  expect(await create()).toMatchObject({ jobId: 'job_odd', lowered: null });
  expect(await create(2)).toMatchObject({ jobId: 'job_odd', lowered: null });
});

test('a secret that is too long for a workflow’s memo is none; the job has its address', async () => {
  fault({ status: 202, body: { job: { id: 'job_1', status: 'awaiting_uploads', expiresAt: new Date(Date.now() + hour).toISOString() }, webhookSigningSecret: 'x'.repeat(2_000_000) } });
  expect(await create()).toMatchObject({ jobId: 'job_1', webhookSecret: null });
});

describe('a list of jobs that does not tell all', () => {
  const made = async () => {
    fault({ drop: 'after' });
    expect(await failureOf()).toMatchObject({ type: failureTypes.unreachable });
    return jobs()[0]!;
  };

  test('because it is behind: the key finds the job, as long as it is remembered', async () => {
    const first = await made();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'listJobs', status: 200, body: { jobs: [] } });
    await age(2 * hour);
    const { created, failures } = await createWithRetries();
    expect(failures.map(({ message }) => message)).toEqual(['No job was found for batch/bench/job/00001']);
    expect(created!.jobId).toBe(first.id);
    expect(jobs()).toHaveLength(1);
  });

  test('for a day, until the key is forgotten: a second job is made, and the first one stays empty and costs nothing', async () => {
    const first = await made();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'listJobs', status: 200, body: { jobs: [] } });
    bench.simulator.state.clock.advance(25 * hour);
    await age(25 * hour);
    const { created } = await createWithRetries();
    await bench.upload(created!);
    expect(jobs().map(({ id, documents }) => [id === first.id, documents.length])).toEqual([[true, 0], [false, 3]]);
  });

  test('of several with the name, one that can be used counts, wherever it stands; of none, the next generation is made', async () => {
    const first = await made();
    const name = 'batch/bench/job/00001';
    const listed = (...statuses: string[]) => bench.simulator.state.faults.add({
      kind: 'request', operation: 'listJobs', status: 200,
      body: { jobs: [{ id: 'job_a', status: 'processing', externalId: `${name}.2` }, ...statuses.map((status, index) => ({ id: status === 'live' ? first.id : `job_${index}`, externalId: name, status: status === 'live' ? 'awaiting_uploads' : status, expiresAt: new Date(Date.now() + (status === 'over' ? -hour : hour)).toISOString() }))] },
    });
    listed('cancelled', 'over', 'live', 'expired');
    await age(2 * hour);
    expect((await createWithRetries()).created!.jobId).toBe(first.id);
    await bench.store.remove(keys.remote);
    await age(2 * hour);
    listed('failed', 'cancelled', 'over');
    expect((await createWithRetries()).created!.externalId).toBe(`${name}.2`);
  });
});
