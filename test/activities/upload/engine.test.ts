import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createActivities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import { createUploadEngine, type UploadEngine } from '../../../src/activities/upload/engine';
import { SourceFile } from '../../../src/activities/upload/file';
import { Streams } from '../../../src/activities/upload/streams';
import { failureTypes } from '../../../src/contract/failures';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf, manyDocuments, writeDocuments } from '../../support/documents';

const busy = { kind: 'request', operation: 'putObject', status: 503, headers: { 'retry-after': '0' } } as const;

describe('the upload engine', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start({ partThreshold: 200_000, partBytes: 100_000 });
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await bench.stop();
  });

  async function upload(given: Partial<UploadEngine> = {}, mode: 'form' | 'signed' = 'signed') {
    const { store, plangrep, settings, completionDeps: { seal } } = bench;
    const { transfer } = createActivities({ store, plangrep, seal, pace: createPace(1000), temporal: {} as never, settings, uploads: createUploadEngine(given) });
    await bench.plan();
    const remote = await bench.create();
    const result = await bench.run(transfer.uploadDocuments, { ...bench.onRemote(remote), projectId: 'proj_quickstart', upload: mode, skipProcessed: false });
    await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
    return result;
  }

  /** How many PUTs storage has at the same time, at most: each waits until as many are there as are expected. */
  function atOnce(expected: number): { most: number } {
    const seen = { now: 0, most: 0 };
    let arrived = (): void => undefined;
    const all = new Promise<void>((resolve) => (arrived = resolve));
    const put = bench.plangrep.putSigned.bind(bench.plangrep);
    jest.spyOn(bench.plangrep, 'putSigned').mockImplementation(async (url, options) => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      if (seen.now === expected) arrived();
      await all;
      try {
        return await put(url, options);
      } finally {
        seen.now -= 1;
      }
    });
    return seen;
  }

  test('sends parts of one file at once, and no more than the process may', async () => {
    await writeFile(join(bench.source, 'large.pdf'), makePdf({ marker: 'large', sizeBytes: 1_150_000 }));
    const seen = atOnce(5);
    expect(await upload({ streams: new Streams({ start: 5 }) })).toMatchObject({ sent: 1 });
    expect(seen.most).toBe(5);
    expect(bench.requests('putPart')).toEqual({ 200: 12 });
  });

  test('sends parts of one file beside other files', async () => {
    await writeFile(join(bench.source, 'large.pdf'), makePdf({ marker: 'large', sizeBytes: 450_000 }));
    await writeDocuments(bench.source, manyDocuments(3));
    atOnce(8);
    expect(await upload()).toMatchObject({ sent: 4 });
    expect(bench.requests('putPart')).toEqual({ 200: 5 });
    expect(bench.requests('putObject')).toEqual({ 200: 3 });
  });

  test('waits in place for a storage that is busy, with fewer streams', async () => {
    await writeDocuments(bench.source, manyDocuments(6));
    bench.simulator.state.faults.add({ ...busy, nth: 3 });
    const streams = new Streams();
    expect(await upload({ streams })).toMatchObject({ sent: 6 });
    expect(bench.requests('putObject')).toEqual({ 200: 6, 503: 1 });
    expect(bench.requests('registerUploads')).toEqual({ 200: 1 });
    expect(streams.allowed).toBe(4);
  });

  test.each([
    ['stays busy', { ...busy, times: 0 }, 5],
    ['asks for more patience than an attempt has', { ...busy, headers: { 'retry-after': '60' } }, 1],
  ] as const)('a storage that %s ends the attempt', async (_what, fault, requests) => {
    await writeDocuments(bench.source, manyDocuments(1));
    bench.simulator.state.faults.add(fault);
    await expect(upload()).rejects.toMatchObject({ type: failureTypes.busy });
    expect(bench.requests('putObject')).toEqual({ 503: requests });
  });

  test.each(['signed', 'form'] as const)('a source that stops giving bytes ends a %s upload, which names the file', async (mode) => {
    await writeFile(join(bench.source, 'a.pdf'), makePdf({ marker: 'A' }));
    jest.spyOn(SourceFile.prototype, 'read').mockImplementation(async function* ({ moved, awaiting }) {
      moved(4);
      yield Buffer.from('%PDF');
      await awaiting('source', new Promise<never>(() => undefined));
    });
    await expect(upload({ stallLimitMs: 3_000 }, mode)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable, nonRetryable: false, message: expect.stringMatching(/^a\.pdf stood still/) });
  });

  test('a source that hangs while it is hashed ends the attempt', async () => {
    await writeFile(join(bench.source, 'a.pdf'), makePdf({ marker: 'A' }));
    jest.spyOn(SourceFile.prototype, 'sha256').mockReturnValue(new Promise(() => undefined));
    await expect(upload({ stallLimitMs: 3_000 })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    expect(bench.requests('registerUploads')).toEqual({});
  });

  test('a document that stands still keeps the others from nothing', async () => {
    await writeDocuments(bench.source, manyDocuments(12));
    const put = bench.plangrep.putSigned.bind(bench.plangrep);
    jest.spyOn(bench.plangrep, 'putSigned').mockImplementationOnce(() => new Promise(() => undefined)).mockImplementation(put);
    const streams = new Streams({ start: 2 });
    await expect(upload({ streams, stallLimitMs: 3_000 })).rejects.toMatchObject({ type: failureTypes.unreachable });
    expect(bench.requests('putObject')).toEqual({ 200: 11 });
    expect(streams.allowed).toBe(1);
  });
});
