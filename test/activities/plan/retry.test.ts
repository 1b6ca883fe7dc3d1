import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobFileSchema, manifestLineSchema, planLineSchema, type ManifestLine, type PlanLine } from '../../../src/contract/archive';
import { batchInputSchema, type BatchInputOptions, type Outcome, type Reason } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys, jobKeys } from '../../../src/contract/keys';
import { planDocuments } from '../../../src/activities/plan';
import { FolderStore } from '../../../src/store/folder';
import { readBytes } from '../../../src/store/jsonl';
import { temporaryFolder, writeFiles } from './planning';

let root: string;
let store: FolderStore;
beforeEach(() => {
  root = join(temporaryFolder(), 'documents');
  store = new FolderStore(temporaryFolder());
});

const keys = batchKeys('old');
type Fate = Partial<Pick<ManifestLine, 'job' | 'jobId' | 'credits' | 'duplicateOf' | 'classification' | 'fileName'>> & { outcome: Outcome; contentType?: string; code?: Reason['code'] };

/** A finished batch whose documents, by source, ended like this. A job that debited nothing is in `free`. */
async function finished(fatesBySource: Record<string, Fate>, free: number[] = []): Promise<void> {
  const lines = Object.entries(fatesBySource).map(([source, { contentType, code, ...fate }], at) => {
    const seq = at + 1;
    const name = { seq, source, fileName: fate.fileName ?? source, sizeBytes: 1, sha256: null, pages: null, classification: fate.classification ?? null };
    const reason = fate.outcome === 'processed' ? null : { code: code ?? 'remote_error', message: '' };
    const job = fate.job ?? null;
    const plan: PlanLine = { ...name, contentType: contentType ?? 'application/pdf', mtimeMs: 1, inode: '1', job, reason: job === null ? reason : null, duplicateOf: fate.duplicateOf ?? null };
    const manifest: ManifestLine = { ...name, job, jobId: null, documentId: null, duplicateOf: null, credits: null, pagesFailed: null, result: null, artifacts: [], reason, ...fate };
    return { plan: planLineSchema.parse(plan), manifest: manifestLineSchema.parse(manifest) };
  });
  const text = (objects: object[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join('');
  await store.write(keys.planLines, text(lines.map(({ plan }) => plan)));
  await store.write(keys.manifestLines, text(lines.map(({ manifest }) => manifest)));
  const plan = { batchId: 'old', root, createdAt: '', documents: lines.length, rejected: 0, duplicates: 0, bytes: 0, pages: null, limits: {}, lowerBoundJobs: 0, credits: null, jobs: [], sha256: '' };
  await store.write(keys.plan, JSON.stringify(plan));
  await store.write(keys.manifest, '{}');
  const nothing = { parent: null, batchId: 'old', jobId: 'job_1', externalId: null, status: 'failed', error: null, pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 1 };
  for (const job of free) await store.write(jobKeys('old', job).job, JSON.stringify(jobFileSchema.parse({ ...nothing, job, creditsDebited: 0 })));
}

/** Plans the retry of batch `old`. */
async function retry(rest: Partial<BatchInputOptions> = {}, retryOf = 'old') {
  const lines: PlanLine[] = [];
  const input = batchInputSchema.parse({ project: 'p', source: { retryOf }, ...rest });
  const plan = await planDocuments(input, { store, sink: (line) => void lines.push(line) });
  return { plan, lines, sources: lines.filter(({ job }) => job !== null).map(({ source }) => source) };
}

const sent = { job: 1, jobId: 'job_1' };
const everyKind: Record<string, Fate> = {
  'processed.pdf': { outcome: 'processed', ...sent },
  'no-page.pdf': { outcome: 'failed', ...sent, credits: 0 },
  'unknown.pdf': { outcome: 'failed', ...sent },
  'partial.pdf': { outcome: 'partial', ...sent, credits: 3 },
  'expired.pdf': { outcome: 'expired', ...sent },
  'free.pdf': { outcome: 'failed', job: 2, jobId: 'job_2' },
  'never-sent.pdf': { outcome: 'cancelled', job: 3 },
  'lost.pdf': { outcome: 'failed', job: 4, code: 'job_workflow_lost' },
  'rejected.pdf': { outcome: 'rejected', code: 'unreadable' },
  'skipped.pdf': { outcome: 'skipped', code: 'skipped' },
};
const writeAll = (names: string[]) => writeFiles(root, Object.fromEntries(names.map((name) => [name, `content of ${name}`])));

describe('a retry', () => {
  it('takes what was not processed, and of that what cannot have been paid for', async () => {
    writeAll(Object.keys(everyKind));
    await finished(everyKind, [2]);
    const { plan, sources } = await retry();
    expect(sources).toEqual(['no-page.pdf', 'free.pdf', 'never-sent.pdf', 'rejected.pdf']);
    expect(plan).toMatchObject({ root, documents: 4, rejected: 0 });
  });

  it('takes the rest when it may be paid for again', async () => {
    writeAll(Object.keys(everyKind));
    await finished(everyKind, [2]);
    const { sources } = await retry({ retryPartialDocuments: true });
    expect(sources.sort()).toEqual(Object.keys(everyKind).filter((name) => name !== 'processed.pdf' && name !== 'skipped.pdf').sort());
  });

  it('of a batch that paid for pages again counts what it sent again as paid, too', async () => {
    writeAll(['a.pdf', 'b.pdf']);
    await finished({ 'a.pdf': { outcome: 'failed', job: 2, jobId: 'job_2' }, 'b.pdf': { outcome: 'failed', job: 1, jobId: 'job_1' } }, [1, 2]);
    const again = { ...JSON.parse((await readBytes(store, jobKeys('old', 2).job, 10_000)).toString()) as object, parent: 1 };
    await store.write(jobKeys('old', 2).job, JSON.stringify(again));
    const accept = (retryPartialDocuments: boolean) => store.write(keys.input, JSON.stringify({ batchId: 'old', acceptedAt: '', input: { project: 'p', source: { folder: root }, retryPartialDocuments } }));
    await accept(false);
    expect((await retry()).sources).toEqual(['a.pdf', 'b.pdf']);
    await accept(true);
    expect((await retry()).sources).toEqual(['b.pdf']);
  });

  it('takes duplicates with the document that they equal, and compares them again', async () => {
    const duplicate = { outcome: 'duplicate', code: 'duplicate' } as const;
    writeFiles(root, { 'a.pdf': 'equal', 'b.pdf': 'unlike', 'c.pdf': 'equal', 'd.pdf': 'equal', 'e.pdf': 'unlike', 'f.pdf': 'equal' });
    await finished({
      'a.pdf': { outcome: 'rejected', job: 1 },
      'b.pdf': { outcome: 'processed', ...sent },
      'c.pdf': { ...duplicate, duplicateOf: 1 },
      'd.pdf': { ...duplicate, duplicateOf: 1 },
      'e.pdf': { ...duplicate, duplicateOf: 2 },
    });
    const { lines } = await retry();
    expect(lines.map(({ source, job, duplicateOf }) => [source, job, duplicateOf])).toEqual([['a.pdf', 1, null], ['c.pdf', null, 1], ['d.pdf', null, 1]]);
  });

  it('keeps the name, class and type that a document had', async () => {
    writeFiles(root, { 'x/a b%.bin': '1', 'y.pdf': '2' });
    const kept = { fileName: 'A (2).pdf', classification: 'plans', contentType: 'image/tiff' } as const;
    await finished({ 'x/a b%25.bin': { outcome: 'rejected', ...kept }, 'y.pdf': { outcome: 'rejected' } });
    const { lines } = await retry({ classify: [{ glob: '**', classification: 'other' }] });
    expect(lines.find(({ source }) => source === 'x/a b%25.bin')).toMatchObject({ ...kept, job: 1 });
    expect(lines.find(({ source }) => source === 'y.pdf')).toMatchObject({ classification: 'other', contentType: 'application/pdf' });
  });

  it('looks at each source anew: one that is gone is rejected, one that changed is as it is now', async () => {
    writeAll(['a.pdf']);
    await finished({ 'a.pdf': { outcome: 'rejected', code: 'changed' }, 'gone.pdf': { outcome: 'cancelled', job: 1 } });
    writeFileSync(join(root, 'a.pdf'), 'now longer than it was before');
    const { lines, plan } = await retry();
    expect(plan).toMatchObject({ documents: 2, rejected: 1 });
    expect(lines[0]).toMatchObject({ source: 'a.pdf', sizeBytes: 29, job: 1 });
    expect(lines[1]).toMatchObject({ source: 'gone.pdf', job: null, reason: { code: 'unreadable' } });
    rmSync(root, { recursive: true });
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  it('of more documents than are looked at together takes each once, in order', async () => {
    const names = Array.from({ length: 600 }, (_, at) => `${String(at).padStart(4, '0')}.pdf`);
    writeFiles(root, Object.fromEntries(names.map((name) => [name, name])));
    await finished(Object.fromEntries(names.map((name, at) => [name, at % 2 ? { outcome: 'rejected', job: 1 } : { outcome: 'processed', ...sent }])));
    expect((await retry()).lines.map(({ source }) => source).sort()).toEqual(names.filter((_, at) => at % 2));
  });

  it('of nothing says so, and what was left out and how it is taken', async () => {
    writeAll(['a.pdf', 'b.pdf']);
    await finished({ 'a.pdf': { outcome: 'processed', ...sent } });
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.emptySource, message: 'Batch old has no document that was not processed' });
    expect((await retry({ allowEmpty: true })).plan).toMatchObject({ documents: 0, jobs: [] });
    await finished({ 'a.pdf': { outcome: 'partial', ...sent }, 'b.pdf': { outcome: 'expired', ...sent } });
    const message = expect.stringMatching(/pages of 2 documents were, or may have been, paid for; retryPartialDocuments \(--retry-partial\) takes them$/) as string;
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.emptySource, message });
  });

  it('of some says in the plan how many were left out', async () => {
    writeAll(['a.pdf', 'b.pdf', 'c.pdf']);
    await finished({ 'a.pdf': { outcome: 'partial', ...sent }, 'b.pdf': { outcome: 'rejected' }, 'c.pdf': { outcome: 'processed', ...sent } });
    expect((await retry()).plan).toMatchObject({ documents: 1, leftOut: 1 });
    expect((await retry({ retryPartialDocuments: true })).plan).not.toHaveProperty('leftOut');
  });

  it('needs a finished batch of this archive', async () => {
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.invalidInput, message: 'Batch old is not in this archive' });
    await store.write(keys.input, '{}');
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.invalidInput, message: expect.stringContaining('is not finished') as string });
    await expect(retry({}, '../old')).rejects.toMatchObject({ type: failureTypes.invalidInput, message: expect.stringContaining('is no batch id') as string });
  });

  it('of a batch that failed before it had a plan has no document', async () => {
    await store.write(keys.manifest, '{}');
    await expect(retry()).rejects.toMatchObject({ type: failureTypes.emptySource });
  });

  it('stops at a plan that is not the one of the manifest', async () => {
    writeAll(['a.pdf']);
    await finished({ 'a.pdf': { outcome: 'rejected' } });
    await store.write(keys.planLines, '');
    await expect(retry()).rejects.toMatchObject({ name: 'BrokenFileError' });
  });
});
