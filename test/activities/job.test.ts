import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteJob } from '../../src/contract/activities';
import { jobFileSchema } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import { maxHintedPollMs, maxPollMs } from '../../src/domain/pacing';
import { findJson } from '../../src/store/jsonl';
import { ActivityBench } from '../support/activity-bench';
import { makePdf } from '../support/documents';

const keys = jobKeys('bench', 1);
const week = 7 * 24 * 3_600_000;
const hour = 3_600_000;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const errorBody = { error: { code: 'not_found', message: 'No such job.' } };

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start({ scriptedClock: true, jobMs: 1000, credits: 100 });
  await writeFile(join(bench.source, 'a.pdf'), makePdf());
  await bench.plan();
});
afterEach(() => bench.stop());

const api = () => bench.activities.api;
const faults = () => bench.simulator.state.faults;
const advance = (ms: number) => bench.simulator.state.clock.advance(ms);
const job = () => [...bench.simulator.state.jobs.values()][0]!;
const expired = (remote: RemoteJob): RemoteJob => ({ ...remote, expiresAt: inMs(-1) });

async function uploaded(): Promise<RemoteJob> {
  const remote = await bench.create();
  await bench.upload(remote);
  await bench.run(api().completeUploads, bench.onRemote(remote));
  return remote;
}
/** A job that lacks the credits. */
async function blocked(): Promise<RemoteJob> {
  bench.simulator.state.credits.setAvailable(0);
  const remote = await uploaded();
  advance(10_000);
  return remote;
}

type Until = readonly ('blocked' | 'working')[];
interface LookOptions {
  until?: Until;
  attempt?: number;
  warnAt?: string | null;
}
const look = (remote: RemoteJob, { until = ['blocked'], attempt = 1, warnAt = null }: LookOptions = {}) =>
  bench.run(api().awaitJob, { ...bench.onRemote(remote, warnAt), until }, attempt);
/** The delay that a look asks for. */
const delayOf = (remote: RemoteJob, options?: LookOptions): Promise<number> =>
  look(remote, options).then(
    (sight) => Promise.reject(new Error(`The look ended with ${JSON.stringify(sight)}`)),
    (failure: { nextRetryDelay?: number }) => failure.nextRetryDelay!,
  );

describe('a job is looked at until its end', () => {
  test('which is kept in job.json', async () => {
    const remote = await uploaded();
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet, nonRetryable: false, category: 'BENIGN', message: expect.stringContaining('preflighting') as string });
    advance(10_000);
    expect(await look(remote)).toEqual({ kind: 'ended', status: 'completed', error: null, creditsDebited: job().creditsDebited });
    expect(await findJson(bench.store, keys.job, jobFileSchema)).toMatchObject({ jobId: remote.jobId, status: 'completed' });
  });

  test('a failed one says why', async () => {
    faults().add({ kind: 'job', failJob: { code: 'document_unreadable', message: 'Cannot be read.' } });
    const remote = await uploaded();
    advance(10_000);
    expect(await look(remote)).toEqual({ kind: 'ended', status: 'failed', error: { code: 'document_unreadable', message: 'Cannot be read.' }, creditsDebited: 0 });
  });

  test('or until it is blocked, when that is asked for; waiting for work it is left alone at first', async () => {
    const remote = await blocked();
    expect(await look(remote)).toEqual({ kind: 'blocked' });
    expect(await look(remote, { until: ['blocked', 'working'] })).toEqual({ kind: 'blocked' });
    const reads = bench.requests('getJob')['200'];
    await expect(look(remote, { until: ['working'] })).rejects.toMatchObject({ type: failureTypes.notYet, nextRetryDelay: 1000 });
    expect(bench.requests('getJob')['200']).toBe(reads);
    await expect(look(remote, { until: ['working'], attempt: 2 })).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('blocked') as string });
  });

  test('or until it works again: neither blocked nor about to be judged once more', async () => {
    const remote = await blocked();
    const until: Until = ['blocked', 'working'];
    bench.simulator.state.credits.setAvailable(100);
    await bench.run(api().resumeJob, bench.onRemote(remote));
    await expect(look(remote, { until })).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('preflighting') as string });
    advance(200);
    expect(await look(remote, { until })).toEqual({ kind: 'working' });
    expect(await look(remote, { until: ['working'], attempt: 2 })).toEqual({ kind: 'working' });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('processing') as string });
    advance(10_000);
    expect(await look(remote, { until })).toMatchObject({ kind: 'ended', status: 'completed' });
  });

  test('an unknown status is not the end, and a body that makes no sense is no reason to give up a paid job', async () => {
    const remote = await uploaded();
    faults().add({ kind: 'request', operation: 'getJob', status: 200, body: { job: { id: remote.jobId, status: 'pondering' } } });
    await expect(look(remote, { until: ['blocked', 'working'] })).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('pondering') as string });
    faults().add({ kind: 'request', operation: 'getJob', html: true, status: 200 });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet });
  });

  test.each([[404], [410]])('%i before the deadline closes the gate, after it the job is expired', async (status) => {
    const remote = await uploaded();
    faults().add({ kind: 'request', operation: 'getJob', status, times: 0, body: errorBody });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notFound, nonRetryable: true });
    expect(await look(expired(remote))).toEqual({ kind: 'ended', status: 'expired', error: null, creditsDebited: null });
  });

  test('at its deadline an unfinished job is expired, a finished one is what it is', async () => {
    const remote = await uploaded();
    expect(await look(expired(remote))).toMatchObject({ kind: 'ended', status: 'expired' });
    advance(10_000);
    expect(await look(expired(remote))).toMatchObject({ kind: 'ended', status: 'completed' });
  });

  test('for a refused key, and goes on with the next one', async () => {
    const remote = await uploaded();
    faults().add({ kind: 'request', operation: 'getJob', status: 401 });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.unauthorized, nonRetryable: true });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet });
  });
});

describe('the delay between two looks', () => {
  const delays = async (remote: RemoteJob, until: Until): Promise<number[]> => {
    const found: number[] = [];
    for (const attempt of [2, 3, 4, 5, 50]) found.push(await delayOf(remote, { until, attempt }));
    return found;
  };

  test.each([['running', ['blocked'] as const], ['blocked', ['working'] as const]])('grows by half to a minute: %s', async (state, until) => {
    const remote = state === 'blocked' ? await blocked() : await uploaded();
    expect(await delays(remote, until)).toEqual([1500, 2250, 3375, 5063, maxPollMs]);
  });

  test.each([['running', ['blocked'] as const], ['blocked', ['working'] as const]])('with webhooks on grows fourfold to ten minutes: %s', async (state, until) => {
    bench.settings.webhookUrl = 'http://127.0.0.1:1';
    const remote = state === 'blocked' ? await blocked() : await uploaded();
    expect(await delays(remote, until)).toEqual([4000, 16_000, 64_000, 256_000, maxHintedPollMs]);
  });

  test('ends soon after the deadline, or after the time to warn', async () => {
    bench.settings.webhookUrl = 'http://127.0.0.1:1';
    const remote = await uploaded();
    expect(await delayOf({ ...remote, expiresAt: inMs(60_000) }, { attempt: 9 })).toBeLessThanOrEqual(61_000);
    expect(await delayOf(remote, { attempt: 9, warnAt: inMs(60_000) })).toBeLessThanOrEqual(61_000);
  });

  test('is never below the minimum, whatever a look came to', async () => {
    bench.settings.minPollMs = 100_000;
    const remote = await uploaded();
    const failing = { kind: 'request', operation: 'getJob' } as const;
    for (const fault of [{ status: 503 }, { status: 429, headers: { 'retry-after': '1' } }, { drop: 'before' }, { drop: 'after' }, { html: true, status: 200 }, { status: 500 }] as const) {
      faults().add({ ...failing, ...fault });
      expect(await delayOf(remote)).toBe(100_000);
    }
    expect(await delayOf(remote, { warnAt: inMs(90_000) })).toBe(100_000);
    expect(await delayOf(remote, { until: ['working'] })).toBe(100_000);
    faults().add({ ...failing, status: 429, headers: { 'retry-after': '300' } });
    expect(await delayOf(remote)).toBe(300_000);
  });
});

describe('a job whose warning is due', () => {
  const due = inMs(-1);

  test.each([
    ['runs', null],
    ['cannot be reached', { drop: 'before' }],
    ['is busy', { status: 503 }],
  ] as const)('warns when it still %s', async (_what, fault) => {
    const remote = await uploaded();
    if (fault) faults().add({ kind: 'request', operation: 'getJob', ...fault });
    await expect(look(remote, { warnAt: due })).rejects.toMatchObject({ type: failureTypes.deadlineNears, nonRetryable: true, message: expect.stringContaining(fault ? remote.jobId : 'preflighting') as string });
  });

  test('leaves the next look to the step that is taken after the warning', async () => {
    const remote = await uploaded();
    const reads = bench.requests('getJob');
    await expect(look(remote, { warnAt: due, attempt: 7 })).rejects.toMatchObject({ type: failureTypes.deadlineNears });
    expect(bench.requests('getJob')).toEqual(reads);
    await expect(look(remote, { warnAt: inMs(hour) })).rejects.toMatchObject({ type: failureTypes.notYet });
  });

  test('does not warn when it is found at its end', async () => {
    const remote = await uploaded();
    advance(10_000);
    expect(await look(remote, { warnAt: due })).toMatchObject({ kind: 'ended', status: 'completed' });
  });

  test('warns at every step: its completion may be late too', async () => {
    const remote = await bench.create();
    await bench.upload(remote);
    faults().add({ kind: 'request', operation: 'completeUploads', status: 503 });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote, due))).rejects.toMatchObject({ type: failureTypes.deadlineNears });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote, inMs(hour)))).resolves.toBeUndefined();
  });
});

describe('the upload is closed', () => {
  test('once, also when the answer was lost and the key is forgotten', async () => {
    faults().add({ kind: 'request', operation: 'completeUploads', drop: 'after' });
    await expect(uploaded()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const remote = await bench.create();
    faults().add({ kind: 'request', operation: 'completeUploads', status: 409, body: { error: { code: 'invalid_state', message: 'The upload window is closed.' } } });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote), 2)).resolves.toBeUndefined();
  });

  test('when there are credits: else the call ends and is made again later', async () => {
    const remote = await bench.create();
    await bench.upload(remote);
    faults().add({ kind: 'request', operation: 'completeUploads', status: 402, body: { error: { code: 'insufficient_credits', message: 'Top up.' } } });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote))).rejects.toMatchObject({ type: failureTypes.insufficientCredit, nonRetryable: true, category: 'BENIGN' });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote))).resolves.toBeUndefined();
    expect(job().status).toBe('preflighting');
  });

  test('unless the job is gone: before its deadline that is an error, after it the next look finds it expired', async () => {
    const remote = await bench.create();
    await bench.upload(remote);
    faults().add({ kind: 'request', operation: 'completeUploads', status: 404, times: 0, body: errorBody });
    await expect(bench.run(api().completeUploads, bench.onRemote(remote))).rejects.toMatchObject({ type: failureTypes.notFound });
    await expect(bench.run(api().completeUploads, bench.onRemote(expired(remote)))).resolves.toBeUndefined();
  });
});

describe('a blocked job is resumed', () => {
  const resume = (remote: RemoteJob) => bench.run(api().resumeJob, bench.onRemote(remote));

  test('where it stopped', async () => {
    const remote = await blocked();
    await expect(resume(remote)).resolves.toBeUndefined();
    expect(job().status).toBe('preflighting');
  });

  test('and one that is not blocked (any more) is let be', async () => {
    const remote = await uploaded();
    await expect(resume(remote)).resolves.toBeUndefined();
    advance(10_000);
    await expect(resume(remote)).resolves.toBeUndefined();
    expect(bench.requests('resumeJob')).toEqual({ 409: 2 });
    for (const fault of [{ status: 400 }, { status: 200, html: true }] as const) {
      faults().add({ kind: 'request', operation: 'resumeJob', ...fault });
      await expect(resume(remote)).resolves.toBeUndefined();
    }
  });

  test.each([
    [402, failureTypes.insufficientCredit],
    [403, failureTypes.unauthorized],
    [404, failureTypes.notFound],
    [503, failureTypes.busy],
  ])('a refusal with %i is told', async (status, type) => {
    const remote = await blocked();
    faults().add({ kind: 'request', operation: 'resumeJob', status });
    await expect(resume(remote)).rejects.toMatchObject({ type });
  });

  test('a job that is gone after its deadline is left to the next look', async () => {
    const remote = await blocked();
    advance(2 * week);
    await expect(resume(expired(remote))).resolves.toBeUndefined();
  });
});

describe('a job is cancelled', () => {
  test('and one that has ended, or is gone, is let be', async () => {
    const remote = await uploaded();
    await bench.run(api().cancelJob, bench.onRemote(remote));
    expect(job().status).toBe('cancelled');
    expect(await findJson(bench.store, keys.job, jobFileSchema)).toMatchObject({ status: 'cancelled' });
    await expect(bench.run(api().cancelJob, bench.onRemote(remote), 2)).resolves.toBeUndefined();
    advance(2 * week);
    await expect(bench.run(api().cancelJob, bench.onRemote(remote), 3)).resolves.toBeUndefined();
    expect(bench.requests('cancelJob')).toEqual({ 200: 1, 409: 1, 404: 1 });
  });

  test('though its workflow was lost: what it left behind says which one it was', async () => {
    const remote = await uploaded();
    expect(await bench.run(api().abandonJob, { batchId: 'bench', job: 1 })).toEqual(remote);
    expect(job().status).toBe('cancelled');
    expect(await bench.run(api().abandonJob, { batchId: 'bench', job: 1 })).toEqual(remote);
  });

  test('unless the lost workflow had none', async () => {
    expect(await bench.run(api().abandonJob, { batchId: 'bench', job: 1 })).toBeNull();
    expect(bench.requests('cancelJob')).toEqual({});
  });
});
