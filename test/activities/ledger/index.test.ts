import { recordProcessed } from '../../../src/activities/ledger';
import { jobKeys } from '../../../src/contract/keys';
import { jsonText } from '../../../src/store/jsonl';
import type { FolderStore } from '../../../src/store/folder';
import { digest, entry, outcome, put, read, temporaryStore } from './entries';

const place = { projectId: 'p', batchId: 'b', job: 3 };
let store: FolderStore;
beforeEach(() => {
  store = temporaryStore();
});

const listed = async () => {
  const keys: string[] = [];
  for await (const { key } of store.list('ledger')) keys.push(key);
  return keys;
};

describe('recordProcessed', () => {
  test('writes where each content was processed, in a folder by its first digits', async () => {
    await recordProcessed(store, place, [outcome({ seq: 7 }), outcome({ seq: 8, sha256: digest(2), outcome: 'partial', documentId: 'doc_2' })]);
    expect(await listed()).toEqual([1, 2].map((number) => `ledger/p/00/${digest(number)}.json`));
    expect(await read(store)).toEqual({ ...entry({ state: 'processed', batchId: 'b', job: 3, seq: 7, jobId: 'job_1', documentId: 'doc_1', runId: null, paid: true }), at: expect.any(String) as string });
    expect(await read(store, digest(2))).toMatchObject({ state: 'partial', seq: 8, documentId: 'doc_2' });
  });

  test('takes documents as they come, and stops at what breaks them', async () => {
    async function* documents() {
      for (let number = 1; number <= 30; number += 1) yield outcome({ seq: number, sha256: digest(number) });
      await Promise.resolve();
      throw new Error('broken');
    }
    await expect(recordProcessed(store, place, documents())).rejects.toThrow('broken');
    await recordProcessed(store, place, Array.from({ length: 30 }, (_, at) => outcome({ seq: at + 1, sha256: digest(at + 1) })));
    expect(await listed()).toHaveLength(30);
  });

  test('leaves out what has no digest, was not sent, or came out with no page', async () => {
    await recordProcessed(store, place, [
      outcome({ sha256: null }),
      outcome({ outcome: 'rejected', jobId: null }),
      outcome({ outcome: 'failed', pagesPaid: 0 }),
      outcome({ outcome: 'failed', credits: 0 }),
      outcome({ outcome: 'skipped', jobId: null }),
      outcome({ outcome: 'cancelled', jobId: null }),
    ]);
    expect(await listed()).toEqual([]);
  });

  test('what may have been paid for counts as partial, unless the job debited nothing', async () => {
    await recordProcessed(store, place, [outcome({ outcome: 'expired' })]);
    expect(await read(store)).toMatchObject({ state: 'partial' });
    const file = { job: 4, parent: null, batchId: 'b', jobId: 'job_1', externalId: null, status: 'cancelled', error: null, creditsDebited: 0, pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 1 };
    await store.write(jobKeys('b', 4).job, jsonText(file));
    await recordProcessed(store, { ...place, job: 4 }, [outcome({ outcome: 'cancelled', sha256: digest(2) })]);
    expect(await read(store, digest(2))).toBeNull();
  });

  test.each([
    ['claimed', 'processed', true],
    ['claimed', 'partial', true],
    ['partial', 'processed', true],
    ['partial', 'partial', false],
    ['processed', 'partial', false],
    ['processed', 'processed', false],
  ] as const)('of what is %s, what is now %s is written: %s', async (before, now, written) => {
    await put(store, entry({ state: before }));
    await recordProcessed(store, place, [outcome({ outcome: now })]);
    expect(await read(store)).toMatchObject(written ? { state: now, batchId: 'b' } : { state: before, batchId: 'old' });
  });

  test('can be repeated, by several at once', async () => {
    const documents = Array.from({ length: 20 }, (_, at) => outcome({ seq: at + 1, sha256: digest(at + 1), outcome: at % 2 ? 'partial' : 'processed' }));
    await Promise.all([1, 2, 3].map(() => recordProcessed(store, place, documents)));
    expect(await listed()).toHaveLength(20);
    expect(await read(store, digest(1))).toMatchObject({ state: 'processed' });
    expect(await read(store, digest(2))).toMatchObject({ state: 'partial' });
  });
});
