import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteJob } from '../../src/contract/activities';
import { jobFileSchema } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import type { FaultOptions } from '../../src/simulator/faults';
import { findJson } from '../../src/store/jsonl';
import { ActivityBench } from '../support/activity-bench';
import { makePdf } from '../support/documents';

const keys = jobKeys('bench', 1);
const second = 1_000;
const hour = 3_600 * second;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start({ scriptedClock: true, jobMs: 1000 });
  await writeFile(join(bench.source, 'a.pdf'), makePdf());
  await bench.plan();
});
afterEach(() => bench.stop());

const api = () => bench.activities.api;
const fault = (operation: string, options: Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind'>) => bench.simulator.state.faults.add({ kind: 'request', operation, ...options });
const job = () => [...bench.simulator.state.jobs.values()][0]!;
const answers = (remote: RemoteJob, more: object) => fault('getJob', { status: 200, body: { job: { id: remote.jobId, status: 'completed', ...more } } });
const look = (remote: RemoteJob, { attempt = 1, warnAt = null as string | null } = {}) => bench.run(api().awaitJob, { ...bench.onRemote(remote, warnAt), until: ['blocked'] as const }, attempt);
const complete = (remote: RemoteJob, attempt = 1) => bench.run(api().completeUploads, bench.onRemote(remote), attempt);

async function completed(): Promise<RemoteJob> {
  const remote = await bench.create();
  await bench.upload(remote);
  await complete(remote);
  return remote;
}

describe('a job that is paid for is not given up over an odd answer', () => {
  test.each<[string, Parameters<typeof fault>[1]]>([
    ['another job', { status: 200, body: { job: { id: 'job_other', status: 'failed' } } }],
    ['a web page', { status: 200, html: true }],
    ['half an answer', { status: 200, body: '{"job":' }],
    ['JSON of another shape', { status: 200, body: { status: 'ok' } }],
    ['nothing', { status: 200, body: '' }],
    ['a redirect', { status: 302, headers: { location: 'https://status.example' } }],
    ['400, as of a gateway', { status: 400, html: true }],
    ['405', { status: 405 }],
    ['409', { status: 409 }],
    ['422', { status: 422 }],
    ['less than was promised', { truncateBytes: 10 }],
  ])('%s: it is looked at again', async (_what, effect) => {
    const remote = await completed();
    fault('getJob', { times: 0, ...effect });
    for (const attempt of [1, 20, 500]) {
      const failure = await look(remote, { attempt }).then(() => null, (error: object) => error);
      expect(failure).toMatchObject({ nonRetryable: false, nextRetryDelay: expect.any(Number) as number });
    }
    bench.simulator.state.faults.clear();
    bench.simulator.state.clock.advance(10 * second);
    expect(await look(remote, { attempt: 501 })).toMatchObject({ kind: 'ended', status: 'completed' });
  });

  test.each([
    ['negative', { pageCount: -3, billing: { creditsDebited: -5 } }],
    ['fractions', { pageCount: 2.5, billing: { creditsDebited: 1.5 } }],
    ['beyond counting', { pageCount: 1e300, billing: { creditsDebited: 'many' } }],
    ['no numbers', { pageCount: 'NaN', billing: [], limits: 'none' }],
    ['of no calendar', { createdAt: 'x', expiresAt: '0000-00-00', completedAt: {} }],
  ])('its numbers are %s: it ends all the same, and what is absurd is not known', async (_what, more) => {
    const remote = await completed();
    answers(remote, more);
    const sight = await look(remote);
    expect(sight).toMatchObject({ kind: 'ended', status: 'completed' });
    if (sight.kind === 'ended') expect(sight.creditsDebited === null || sight.creditsDebited >= 0).toBe(true);
    const file = (await findJson(bench.store, keys.job, jobFileSchema))!;
    expect(file.pageCount === null || file.pageCount >= 0).toBe(true);
  });

  test('its error is a book: history gets a page of it', async () => {
    const remote = await completed();
    answers(remote, { status: 'failed', error: { code: 'c'.repeat(5_000_000), message: 'm'.repeat(5_000_000) } });
    expect(JSON.stringify(await look(remote)).length).toBeLessThan(4_000);
  });

  test('its status is a book: that is no status', async () => {
    const remote = await completed();
    answers(remote, { status: 's'.repeat(5_000_000) });
    await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet });
  });

  test('it goes back in its status, or has one that nobody knows, for as long as it likes', async () => {
    const remote = await completed();
    for (const status of ['processing', 'awaiting_uploads', 'provisioning', 'uploading', 'pondering', 'COMPLETED', ' completed', 'processing']) {
      answers(remote, { status });
      await expect(look(remote)).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining(status) as string });
    }
  });
});

describe('a wish for patience', () => {
  const delayOf = async (remote: RemoteJob, retryAfter: string, warnAt: string | null = null): Promise<number> => {
    fault('getJob', { status: 429, headers: { 'retry-after': retryAfter } });
    return look(remote, { warnAt }).then(() => NaN, (failure: { type: string; nextRetryDelay: number }) => (failure.type === failureTypes.busy ? failure.nextRetryDelay : NaN));
  };

  test('is granted while there is time', async () => {
    const remote = await completed();
    expect(await delayOf(remote, '86400')).toBe(24 * hour);
    expect(await delayOf(remote, '300', inMs(hour))).toBe(300 * second);
  });

  test('is granted for half of the time that the job has left, so that its result is not lost over it', async () => {
    const remote = { ...(await completed()), expiresAt: inMs(2 * hour) };
    expect(await delayOf(remote, '86400')).toBeLessThanOrEqual(hour);
    expect(await delayOf(remote, '86400')).toBeGreaterThan(0.9 * hour);
    expect(await delayOf({ ...remote, expiresAt: inMs(5 * second) }, '86400')).toBe(10 * second);
  });

  test('is granted until the next warning is due', async () => {
    const delay = await delayOf(await completed(), '86400', inMs(3 * hour));
    expect(delay).toBeLessThanOrEqual(3 * hour);
    expect(delay).toBeGreaterThan(2.9 * hour);
  });
});

describe('an upload is closed though', () => {
  const uploaded = async (): Promise<RemoteJob> => {
    const remote = await bench.create();
    await bench.upload(remote);
    return remote;
  };

  test.each<[string, Parameters<typeof fault>[1]]>([
    ['its answer is lost', { drop: 'after' }],
    ['its answer is a page', { after: true, status: 200, html: true }],
    ['its answer is half of it', { truncateBytes: 10 }],
    ['its answer is about another job', { after: true, status: 202, body: { job: { id: 'job_other', status: 'preflighting' } } }],
    ['it is answered with 503', { after: true, status: 503 }],
    ['it leads elsewhere', { status: 307, headers: { location: 'https://elsewhere.example' } }],
  ])('%s: it is repeated under the same key, and counts once', async (_what, effect) => {
    const remote = await uploaded();
    fault('completeUploads', effect);
    await expect(complete(remote)).rejects.toMatchObject({ type: expect.stringMatching(/^(Unreachable|Busy)$/) as string });
    await complete(remote, 2);
    expect(job().history.filter(({ status }) => status === 'preflighting')).toHaveLength(1);
  });

  test('Plangrep has not heard yet of what its storage took: it is asked again for a while', async () => {
    const remote = await uploaded();
    fault('completeUploads', { status: 409, times: 2, body: { error: { code: 'not_uploaded', message: 'A document is missing.' } } });
    await expect(complete(remote)).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('A document is missing.') as string });
    await expect(complete(remote, 10)).rejects.toMatchObject({ type: failureTypes.rejected });
    await complete(remote, 3);
    expect(job().status).toBe('preflighting');
  });
});

describe('a cancellation', () => {
  test.each<[string, Parameters<typeof fault>[1]]>([
    ['is answered with a page', { status: 200, html: true }],
    ['is cut off before its effect', { drop: 'before' }],
    ['is cut off after its effect', { drop: 'after' }],
    ['leads elsewhere', { status: 302, headers: { location: 'https://status.example' } }],
    ['is answered with 500', { status: 500 }],
  ])('that %s is repeated', async (_what, effect) => {
    const remote = await completed();
    fault('cancelJob', effect);
    await expect(bench.run(api().cancelJob, bench.onRemote(remote))).rejects.toMatchObject({ nonRetryable: false });
    await bench.run(api().cancelJob, bench.onRemote(remote), 2);
    expect(job().status).toBe('cancelled');
  });
});

test('a status before the upload that nobody knows is waited out, and one after it is not', async () => {
  const remote = await bench.create();
  answers(remote, { status: 'warming_up' });
  await expect(bench.upload(remote)).rejects.toMatchObject({ type: failureTypes.notYet, message: expect.stringContaining('warming_up') as string });
  answers(remote, { status: 'processing' });
  await expect(bench.upload(remote)).rejects.toMatchObject({ type: failureTypes.rejected });
  await bench.upload(remote);
  expect(bench.requests('putObject')).toEqual({ 200: 1 });
});
