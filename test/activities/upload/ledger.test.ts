import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../../src/activities/upload/ledger';
import type { Registration } from '../../../src/activities/upload/ledger';
import { jobKeys } from '../../../src/contract/keys';
import { FolderStore } from '../../../src/store/folder';
import { Seal } from '../../../src/store/seal';

const ref = { batchId: 'b', job: 1 };
const direct = (seq: number, documentId: string): Registration => ({
  seq,
  sha256: 'a'.repeat(64),
  sizeBytes: 100,
  instruction: { mode: 'direct_put', documentId, uploadToken: `ut_${documentId}`, url: `https://storage.example/${documentId}?sig=secret`, headers: {}, expiresAt: null },
});
const parts = (seq: number, documentId: string): Registration => ({
  seq,
  sha256: 'b'.repeat(64),
  sizeBytes: 300,
  instruction: {
    mode: 'multipart', documentId, uploadToken: 'ut_m', multipartUploadId: 'mpu_1', expiresAt: null,
    parts: [1, 2, 3].map((partNumber) => ({ partNumber, url: `https://storage.example/p${partNumber}?sig=secret`, startByte: (partNumber - 1) * 100, endByte: partNumber * 100 - 1 })),
  },
});

describe('the upload ledger', () => {
  let folder: string;
  let deps: { store: FolderStore; seal: Seal };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ledger-'));
    deps = { store: new FolderStore(folder), seal: new Seal(randomBytes(32)) };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const open = () => Ledger.open(deps, ref);

  test('another process finds what was registered and sent', async () => {
    const ledger = await open();
    await ledger.register([direct(1, 'doc_1'), parts(2, 'doc_2')]);
    await ledger.markSent(1, { documentId: 'doc_1', etag: null, sha256: null });
    await ledger.markPart(parts(2, 'doc_2'), { partNumber: 2, etag: '"e2"' });

    const later = await open();
    expect(later.registrations.get(1)).toEqual(direct(1, 'doc_1'));
    expect(later.sentDocument(1)).toMatchObject({ documentId: 'doc_1' });
    expect(later.sentDocument(2)).toBeNull();
    expect(await later.sentParts(parts(2, 'doc_2'))).toEqual([{ partNumber: 2, etag: '"e2"' }]);
  });

  test('a new registration forgets what was sent under the old one, which still counts and is declared failed', async () => {
    const ledger = await open();
    await ledger.register([parts(1, 'doc_old')]);
    await ledger.markPart(parts(1, 'doc_old'), { partNumber: 1, etag: '"e1"' });
    await ledger.register([parts(1, 'doc_new')]);

    for (const view of [ledger, await open()]) {
      expect(await view.sentParts(view.registrations.get(1)!)).toEqual([]);
      expect(view.superseded.map(({ instruction }) => instruction.documentId)).toEqual(['doc_old']);
      expect(view.registered()).toEqual({ files: 2, bytes: 600 });
    }
  });

  test('registrations at the same time, as when several URLs expire together, are all kept, and so are those of two attempts', async () => {
    const [ledger, other] = await Promise.all([open(), open()]);
    await ledger.register([direct(1, 'doc_1'), direct(2, 'doc_2'), direct(3, 'doc_3')]);
    await Promise.all([ledger.register([direct(1, 'doc_1b')]), ledger.register([direct(2, 'doc_2b')]), other.register([direct(3, 'doc_3b')])]);
    const later = await open();
    expect([1, 2, 3].map((seq) => later.registrations.get(seq)!.instruction.documentId)).toEqual(['doc_1b', 'doc_2b', 'doc_3b']);
    expect(later.superseded.map(({ instruction }) => instruction.documentId).sort()).toEqual(['doc_1', 'doc_2', 'doc_3']);
  });

  test('documents that are recorded together are written together, and by two attempts at once beside each other', async () => {
    const [ledger, other] = await Promise.all([open(), open()]);
    const marks = [1, 2, 3, 4, 5].map((seq) => ledger.markSent(seq, { documentId: `doc_${seq}`, etag: null, sha256: null }));
    await Promise.all([...marks, other.markSent(1, { documentId: 'doc_again', etag: null, sha256: null })]);
    const keys: string[] = [];
    for await (const { key } of deps.store.list(jobKeys('b', 1).sent)) keys.push(key);
    expect(keys).toHaveLength(3);
    const later = await open();
    expect([2, 3, 4, 5, 6].map((seq) => later.sentDocument(seq)?.documentId)).toEqual(['doc_2', 'doc_3', 'doc_4', 'doc_5', undefined]);
  });

  test('what version 0.1.0 recorded, one object a document, counts', async () => {
    await deps.store.write(`${jobKeys('b', 1).sent}/7`, JSON.stringify({ documentId: 'doc_7', etag: null, sha256: null }));
    expect((await open()).sentDocument(7)).toMatchObject({ documentId: 'doc_7' });
  });

  test('upload tokens and signed URLs are on disk only sealed', async () => {
    await (await open()).register([direct(1, 'doc_1'), parts(2, 'doc_2')]);
    for await (const { key } of deps.store.list(jobKeys('b', 1).work)) {
      const text = await readFile(join(folder, key), 'latin1');
      expect(text).not.toMatch(/ut_doc|"ut_m|sig=|storage\.example/);
    }
  });

  test('a slice does not open for another job', async () => {
    await (await open()).register([direct(1, 'doc_1')]);
    const from = `${jobKeys('b', 1).registrations}/00001`;
    await deps.store.write(`${jobKeys('b', 2).registrations}/00001`, await readFile(join(folder, from)));
    await expect(Ledger.open(deps, { batchId: 'b', job: 2 })).rejects.toThrow();
  });
});
