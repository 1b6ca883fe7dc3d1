import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { DocumentOutcome } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { batchKeys, jobKeys } from '../../src/contract/keys';
import { ActivityBench } from '../support/activity-bench';
import { manyDocuments, writeDocuments } from '../support/documents';

const keys = batchKeys('bench');
const input = { project: 'Quickstart', source: { folder: '/documents' }, labels: { order: '4711' } };

describe('acceptBatch', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start();
  });
  afterEach(() => bench.stop());
  const accept = (given: unknown, batchId = 'bench') =>
    bench.run(bench.activities.batch.acceptBatch, { batchId, input: given, startedAt: '2026-01-02T03:04:05.000Z' });

  test('writes the input with its defaults, and hands on all but the source', async () => {
    const accepted = await accept(input);
    expect(accepted).toEqual({
      input: {
        project: 'Quickstart', limits: {}, maxConcurrentJobs: 5, upload: 'auto', createProject: false, allowEmpty: false, labels: { order: '4711' },
        skipProcessed: false, retryFailedDocuments: 1, retryPartialDocuments: false, splitFailedJobs: true, probe: true,
      },
      attributes: [],
      archive: bench.store.location,
    });
    const file: unknown = JSON.parse(await readFile(join(bench.store.location, keys.input), 'utf8'));
    expect(file).toMatchObject({ batchId: 'bench', acceptedAt: '2026-01-02T03:04:05.000Z', input: { source: { folder: '/documents' }, classify: [] } });
  });

  test.each([
    ['nothing', undefined, '(input)'],
    ['a text', 'documents', '(input)'],
    ['an unknown field', { ...input, folder: '/documents' }, 'folder is not a known field'],
    ['an unknown field inside', { ...input, limits: { files: 3 } }, 'limits.files is not a known field'],
    ['limits above the API', { ...input, limits: { maxFiles: 101 } }, 'limits.maxFiles'],
    ['no project', { source: input.source }, 'project'],
    ['a class that is none', { ...input, classify: [{ glob: '**', classification: 'drawings' }] }, 'classify.0.classification'],
    ['too many jobs at once', { ...input, maxConcurrentJobs: 501 }, 'maxConcurrentJobs'],
    ['a tenant of more than 64 bytes', { ...input, tenant: 'é'.repeat(33) }, 'tenant must have at most 64 bytes'],
  ])('refuses %s by the name of the field, and writes nothing', async (_what, given, problem) => {
    await expect(accept(given)).rejects.toMatchObject({ type: failureTypes.invalidInput, nonRetryable: true, message: expect.stringContaining(problem) as string });
    expect(await bench.store.stat(keys.input)).toBeNull();
  });

  test('a thousand problems make a short message', async () => {
    const documents = Array.from({ length: 1_000 }, () => ({ path: '', classification: 'x'.repeat(200) }));
    const failure = await accept({ ...input, source: { documents } }).catch((error: Error) => error);
    expect((failure as Error).message.length).toBeLessThan(2_000);
  });

  test('the same input under the same id is accepted again; another one is not', async () => {
    await accept(input);
    await expect(accept(input)).resolves.toMatchObject({ archive: bench.store.location });
    await expect(accept({ ...input, maxConcurrentJobs: 7 })).rejects.toMatchObject({ type: failureTypes.batchIdTaken });
  });

  test('a finished batch is never started again', async () => {
    await bench.store.write(keys.manifest, '{}');
    await expect(accept(input)).rejects.toMatchObject({ type: failureTypes.batchIdTaken, message: expect.stringContaining('finished') as string });
    expect(await bench.store.stat(keys.input)).toBeNull();
  });

  test('hands on how failures, credits and what is known already are to be treated', async () => {
    const wanted = { skipProcessed: true, retryFailedDocuments: 3, retryPartialDocuments: true, splitFailedJobs: false, maxCredits: 500, probe: false, priority: 2, tenant: 'north' };
    expect((await accept({ ...input, ...wanted })).input).toMatchObject(wanted);
  });

  test('a retry needs a finished batch', async () => {
    await bench.store.write(batchKeys('older').manifest, '{}');
    await expect(accept({ ...input, source: { retryOf: 'older' } })).resolves.toMatchObject({ input: { project: 'Quickstart' } });
    expect(JSON.parse(await readFile(join(bench.store.location, keys.input), 'utf8'))).toMatchObject({ input: { source: { retryOf: 'older' } } });
  });

  test.each([
    ['itself', 'bench', 'names this batch itself'],
    ['one that nobody knows', 'nobody', 'names no finished batch'],
    ['one that still runs', 'running', 'names no finished batch'],
    ['a place outside', '../batches/older', 'names no finished batch'],
  ])('a retry of %s is refused, and writes nothing', async (_what, retryOf, problem) => {
    await bench.store.write(batchKeys('older').manifest, '{}');
    await bench.store.write(batchKeys('running').input, '{}');
    await expect(accept({ ...input, source: { retryOf } })).rejects.toMatchObject({ type: failureTypes.invalidInput, nonRetryable: true, message: expect.stringContaining(problem) as string });
    expect(await bench.store.stat(keys.input)).toBeNull();
  });
});

describe('findClosedJobs', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start();
  });
  afterEach(() => bench.stop());
  /** Job workflows by number: the rest was never started. */
  const workflows = (states: Record<string, 'RUNNING' | 'COMPLETED' | 'TERMINATED'>) =>
    Object.assign(bench.temporal, {
      workflow: {
        getHandle: (id: string) => ({
          describe: async () => {
            const name = states[id.slice(-1)];
            if (!name) throw new WorkflowNotFoundError('not found', id, undefined);
            return { status: { name } };
          },
        }),
      },
    });
  const outcome = (seq: number): DocumentOutcome => ({
    seq, outcome: 'cancelled', reason: { code: 'cancelled', message: 'Cancelled.' }, jobId: null, documentId: null, sha256: null,
    pages: null, pagesFailed: null, pagesPaid: 0, credits: null, result: null, artifacts: [],
  });
  const find = (jobs: number[]) => bench.run(bench.activities.batch.findClosedJobs, { batchId: 'bench', jobs });

  test('a job that runs is open; one that wrote its account is closed; one that did not is lost', async () => {
    workflows({ 1: 'RUNNING', 2: 'COMPLETED', 3: 'TERMINATED' });
    await writeDocuments(bench.source, manyDocuments(4));
    await bench.plan({ limits: { maxFiles: 1 } });
    for (const job of [1, 2]) await bench.store.write(jobKeys('bench', job).documents, `${JSON.stringify(outcome(job))}\n`);
    const lost = { kind: 'lost', limits: null, counts: {}, pages: 0, credits: 0, resend: null, failedWith: null };
    expect(await find([1, 2, 3, 4])).toEqual([
      { job: 2, kind: 'closed', limits: null, counts: { cancelled: 1 }, pages: 0, credits: 0, resend: null, failedWith: null },
      { job: 3, ...lost },
      { job: 4, ...lost },
    ]);
  });

  test('a report that never came is made up for, with what is to be sent again', async () => {
    workflows({ 1: 'COMPLETED' });
    await writeDocuments(bench.source, manyDocuments(4));
    await bench.plan();
    const keysOfJob = jobKeys('bench', 1);
    const seen = { job: 1, parent: null, batchId: 'bench', jobId: 'job_1', externalId: null, status: 'failed', error: { code: 'unreadable', message: 'x' }, creditsDebited: 0, pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 4 };
    await bench.store.write(keysOfJob.job, JSON.stringify(seen));
    const failed = [1, 2, 3, 4].map((seq) => ({ ...outcome(seq), outcome: 'failed', jobId: 'job_1', documentId: `doc_${seq}`, reason: { code: 'job_failed', message: 'x' } }));
    await bench.store.write(keysOfJob.documents, failed.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(await find([1])).toMatchObject([{ job: 1, kind: 'closed', counts: { failed: 4 }, resend: 'halves', failedWith: 'unreadable' }]);
  });
});
