import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failureTypes } from '../../src/contract/failures';
import { batchKeys } from '../../src/contract/keys';
import { ActivityBench } from '../support/activity-bench';

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
      input: { project: 'Quickstart', limits: {}, maxConcurrentJobs: 5, upload: 'auto', createProject: false, allowEmpty: false, labels: { order: '4711' } },
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
});
