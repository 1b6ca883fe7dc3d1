import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createActivities, type Activities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import { batchInputSchema } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import type { Store } from '../../../src/store';
import { storeError } from '../../../src/store/store-error';
import { verifyBatch } from '../../../src/verify';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf } from '../../support/documents';
import { systemError } from '../../store/small-disk';

const [batchId, projectId] = ['bench', 'proj_quickstart'];
const documents = 2;

/** A store whose disk is full at its `nth` write and at the next ones that are tried, `times` in all. */
function fullAt(store: Store, nth: number, times: number): { store: Store; writes: string[] } {
  const writes: string[] = [];
  const full = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      const call = (value as (...args: unknown[]) => unknown).bind(target);
      if (!['write', 'createIfAbsent', 'replaceIf'].includes(String(name))) return call;
      return async (key: string, ...rest: unknown[]) => {
        writes.push(key);
        if (writes.length >= nth && writes.length < nth + times) throw storeError(systemError('ENOSPC', 'write'), target.location, `write ${key}`);
        return call(key, ...rest);
      };
    },
  });
  return { store: full, writes };
}

/** Runs a step as Temporal would, again and again; every failure must be of the full archive. */
async function untilDone<P, R>(bench: ActivityBench, activity: (request: P) => Promise<R>, request: P): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await bench.run(activity, request, attempt);
    } catch (error) {
      const { type, nonRetryable, message } = error as { type: string; nonRetryable: boolean; message: string };
      if (type === failureTypes.notYet) continue;
      expect({ type, nonRetryable }).toEqual({ type: failureTypes.archiveUnavailable, nonRetryable: false });
      expect(message).toMatch(/^On .*: the archive .* is full \(cannot write .*: ENOSPC\)\. Free space .*goes on by itself/);
    }
  }
}

/** A whole batch of one job, step by step. */
async function live(bench: ActivityBench, { batch, api, transfer, archive }: Activities, upload: 'signed' | 'form'): Promise<void> {
  const input = batchInputSchema.parse({ project: 'Quickstart', source: { folder: bench.source } });
  await untilDone(bench, batch.acceptBatch, { batchId, input, startedAt: '2026-01-01T00:00:00.000Z' });
  await untilDone(bench, transfer.planBatch, { batchId, projectId: null });
  const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await untilDone(bench, api.createJob, { batchId, job: 1, projectId }))!;
  const onRemote = { batchId, job: 1, remote, warnAt: null };
  expect(await untilDone(bench, transfer.uploadDocuments, { ...onRemote, projectId, upload, skipProcessed: true })).toMatchObject({ sent: documents, notSent: 0 });
  await untilDone(bench, api.completeUploads, onRemote);
  expect(await untilDone(bench, api.awaitJob, { ...onRemote, until: [] })).toMatchObject({ kind: 'ended', status: 'completed' });
  await untilDone(bench, archive.archiveJob, { ...onRemote, projectId });
  const totals = await untilDone(bench, transfer.writeManifest, { batchId, projectId, startedAt: '2026-01-01T00:00:00.000Z', closedAt: '2026-01-01T01:00:00.000Z', failure: null, error: null, cancelled: false });
  expect(totals).toMatchObject({ status: 'completed', counts: { processed: documents } });
}

/** One life, with a disk that is full at its `nth` write. Answers which write that was, or null when there are fewer. */
async function liveWithFullDisk(upload: 'signed' | 'form', nth: number): Promise<string | null> {
  const bench = await ActivityBench.start();
  try {
    for (let at = 0; at < documents; at += 1) await writeFile(join(bench.source, `${at}.pdf`), makePdf({ marker: String(at) }));
    const { store, writes } = fullAt(bench.store, nth, 2);
    const deps = { store, plangrep: bench.plangrep, seal: bench.completionDeps.seal, pace: createPace(1000), settings: bench.settings };
    await live(bench, createActivities({ ...deps, temporal: {} as Client }), upload);
    const { jobs } = bench.simulator.state;
    expect(jobs.size).toBe(1);
    // Room for its answer was there a moment before, and only then the disk was full: that call is made again.
    const again = writes.slice(nth - 1, nth + 1).some((key) => key.includes('/registrations/'));
    expect(bench.requests('registerUploads')).toEqual(upload === 'form' ? {} : { 200: again ? expect.any(Number) : 1 });
    if (!again) expect([...jobs.values()][0]!.documents).toHaveLength(documents);
    expect((await verifyBatch(bench.store, batchId)).problems).toEqual([]);
    for await (const { key } of bench.store.list('work')) throw new Error(`${key} was left`);
    return writes[nth - 1] ?? null;
  } finally {
    await bench.stop();
  }
}

test('a disk that is full at any write of a batch’s life: each step says so and waits, one job is made, each document is registered once, and all of it is whole in the end', async () => {
  const met: string[] = [];
  for (let nth = 1; ; nth += 1) {
    const key = await liveWithFullDisk('signed', nth);
    if (key === null) break;
    met.push(key);
  }
  for (const name of ['input.json', 'plan.jsonl', 'plan.json', 'intent.json', 'remote.json', 'job.json', 'uploads.jsonl', 'result.json', 'extract.jsonl', 'results.jsonl', 'files.jsonl', 'documents.jsonl', 'manifest.jsonl', 'manifest.json']) {
    expect(met.filter((key) => key.endsWith(`/${name}`))).not.toEqual([]);
  }
  for (const part of ['ledger/', '/artifacts/', '/sent/', '/registrations/']) expect(met.filter((key) => key.includes(part))).not.toEqual([]);
});

test('the same for each write of an upload by form', async () => {
  const met: string[] = [];
  for (let nth = 1; !met.at(-1)?.endsWith('uploads.jsonl'); nth += 1) met.push((await liveWithFullDisk('form', nth))!);
  expect(met.filter((key) => key.includes('/sent/'))).not.toEqual([]);
});
