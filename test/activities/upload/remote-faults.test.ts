import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteJob } from '../../../src/contract/activities';
import { failureTypes } from '../../../src/contract/failures';
import type { FaultOptions } from '../../../src/simulator/faults';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf, manyDocuments, writeDocuments } from '../../support/documents';

let bench: ActivityBench;
afterEach(() => bench.stop());
const start = async (options: Parameters<typeof ActivityBench.start>[0] = {}, documents = 4): Promise<RemoteJob> => {
  bench = await ActivityBench.start({ partThreshold: 200_000, partBytes: 100_000, ...options });
  await writeDocuments(bench.source, manyDocuments(documents));
  await bench.plan();
  return bench.create();
};
type RequestOptions = Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind'>;
const fault = (operation: string, options: RequestOptions) => bench.simulator.state.faults.add({ kind: 'request', operation, ...options });
const job = () => [...bench.simulator.state.jobs.values()][0]!;
/** The attempts that Temporal would make. @throws what would not be retried */
async function upload(remote: RemoteJob, most = 10): Promise<string[]> {
  const types: string[] = [];
  for (let attempt = 1; attempt <= most; attempt += 1) {
    try {
      await bench.upload(remote);
      return types;
    } catch (error) {
      types.push((error as { type: string }).type);
      if ((error as { nonRetryable: boolean }).nonRetryable) throw error;
    }
  }
  throw new Error(`still not done: ${types.join()}`);
}
const stored = () => job().documents.filter(({ content }) => content !== null);

describe('bytes are sent again, and each document is in the job once', () => {
  test.each<[string, RequestOptions]>([
    ['the connection is cut before storage took it', { drop: 'before', nth: 2 }],
    ['the connection is cut after storage took it', { drop: 'after', nth: 2 }],
    ['a whole storm of cuts', { drop: 'after', times: 3 }],
    ['storage answers 500', { status: 500, times: 2, headers: { 'retry-after': '0' } }],
    ['storage answers 503 with an absurd wish for patience', { status: 503, headers: { 'retry-after': '-5' } }],
  ])('%s', async (_what, effect) => {
    const remote = await start();
    fault('putObject', effect);
    await upload(remote);
    expect(stored().map(({ fileName }) => fileName).sort()).toEqual(['drawing-0001.pdf', 'drawing-0002.pdf', 'drawing-0003.pdf', 'drawing-0004.pdf']);
    expect(job().documents).toHaveLength(4);
    expect(bench.requests('registerUploads')).toEqual({ 200: 1 });
  });
});

test('one file that storage will not have is named, and the others go on', async () => {
  const remote = await start();
  fault('putObject', { status: 400, times: 3, body: { error: { code: 'InvalidArgument', message: 'no' } } });
  await upload(remote);
  expect((await bench.records()).filter(({ sent }) => !sent).map(({ reason }) => reason!.code).every((code) => code === 'remote_error')).toBe(true);
  expect(stored().length).toBeGreaterThanOrEqual(3);
  await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
  expect(job().documents.filter(({ included }) => included).length).toBeGreaterThanOrEqual(3);
});

describe('parts', () => {
  const large = async () => {
    bench = await ActivityBench.start({ partThreshold: 200_000, partBytes: 100_000 });
    await writeFile(join(bench.source, 'large.pdf'), makePdf({ marker: 'large', sizeBytes: 350_000 }));
    await bench.plan();
    return bench.create();
  };

  test.each(['', ' '])('an ETag that is lost (%j) has the part sent again', async (etag) => {
    const remote = await large();
    fault('putPart', { etag });
    expect(await upload(remote)).toEqual([failureTypes.unreachable]);
    await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
    expect(job().documents.map(({ included }) => included)).toEqual([true]);
  });

  test('an ETag that was changed on its way is refused at the completion, which says so', async () => {
    const remote = await large();
    fault('putPart', { etag: '"another"' });
    await upload(remote);
    await expect(bench.run(bench.activities.api.completeUploads, bench.onRemote(remote))).rejects.toMatchObject({ type: failureTypes.rejected });
  });
});

describe('clocks that differ', () => {
  test('by hours: a URL that was born expired by our clock is used, and nothing is registered twice', async () => {
    // The simulator's clock stands, and a URL lives for a moment of it: by our clock it is over when it comes.
    const remote = await start({ scriptedClock: true, uploadUrlMs: 1 });
    job().limits.maxFiles = 4;
    fault('putObject', { drop: 'before', nth: 3 });
    await upload(remote);
    expect((await bench.records()).map(({ sent }) => sent)).toEqual([true, true, true, true]);
    expect(bench.requests('registerUploads')).toEqual({ 200: 1 });
  });

  test('the other way: a URL that has expired by theirs is replaced', async () => {
    const remote = await start();
    fault('putObject', { drop: 'before', nth: 3 });
    await expect(bench.upload(remote)).rejects.toMatchObject({ type: failureTypes.unreachable });
    bench.simulator.state.clock.advance(3 * 3_600_000);
    await upload(remote);
    expect((await bench.records()).map(({ sent }) => sent)).toEqual([true, true, true, true]);
    expect(bench.requests('registerUploads')['200']).toBeGreaterThan(1);
  });
});

describe('a registration', () => {
  test.each<[string, RequestOptions]>([
    ['that is cut off before its effect', { drop: 'before' }],
    ['that is cut off after its effect', { drop: 'after' }],
    ['whose answer is a page', { after: true, html: true, status: 200 }],
    ['whose answer is compressed', { gzip: true }],
    ['whose answer is shorter than it should be', { lengthOff: -20 }],
    ['whose answer is about another job', { after: true, status: 200, body: { job: { id: 'job_other', status: 'uploading' }, uploads: [] } }],
  ])('%s is made again while the job has room', async (_what, effect) => {
    const remote = await start();
    fault('registerUploads', effect);
    expect(await upload(remote)).toEqual([failureTypes.unreachable]);
    expect(stored()).toHaveLength(4);
  });

  test('that was lost fills a job that had no room to spare: the job is refused, and says why', async () => {
    const remote = await start();
    job().limits.maxFiles = 4;
    fault('registerUploads', { drop: 'after' });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.rejected, message: expect.stringContaining('A job takes 4 files') as string });
    expect(stored()).toEqual([]);
  });

  test('whose instructions make no sense is not made over and over', async () => {
    const remote = await start();
    fault('registerUploads', { status: 200, body: { job: { id: remote.jobId, status: 'uploading' }, uploads: [{}, {}, {}, {}] } });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.contractViolation, message: expect.stringContaining('documentId: missing') as string });
  });
});
