import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createPlanActivities } from '../../../src/activities/plan';
import { Skips } from '../../../src/activities/plan/skips';
import { planLineSchema, planSchema, type LedgerEntry, type PlanLine } from '../../../src/contract/archive';
import { batchInputSchema, type BatchInputOptions } from '../../../src/contract/batch';
import { batchKeys, ledgerKey } from '../../../src/contract/keys';
import { FolderStore } from '../../../src/store/folder';
import { readJson, readJsonLines } from '../../../src/store/jsonl';
import { entry, fakeTemporal, put } from '../ledger/entries';
import { fates, quietActivity, temporaryFolder, writeFiles } from './planning';

const settings = { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };
const keys = batchKeys('b1');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let folder: string;
let source: string;
let store: FolderStore;
beforeEach(() => {
  folder = temporaryFolder();
  source = join(folder, 'source');
  mkdirSync(source);
  store = new FolderStore(join(folder, 'archive'));
});

/** Plans a sweep over the source in project `p`. */
async function sweep(rest: Partial<BatchInputOptions> = {}, options: { projectId?: string | null; temporal?: ReturnType<typeof fakeTemporal>['temporal']; countPages?: () => Promise<{ pages: number }> } = {}) {
  const input = batchInputSchema.parse({ project: 'p', source: { folder: source }, skipProcessed: true, allowEmpty: true, ...rest });
  await store.write(keys.input, JSON.stringify({ batchId: 'b1', input, acceptedAt: new Date().toISOString() }));
  const { projectId = 'p', temporal = fakeTemporal({}).temporal, countPages } = options;
  const { planBatch } = createPlanActivities({ store, settings, temporal, ...(countPages && { countPages }) });
  const planned = await quietActivity().run(planBatch, { batchId: 'b1', projectId });
  const lines: PlanLine[] = [];
  for await (const line of readJsonLines(store, keys.planLines, planLineSchema)) lines.push(line);
  return { planned, lines, plan: await readJson(store, keys.plan, planSchema) };
}
const known = (text: string, rest: Partial<LedgerEntry> = {}) => put(store, entry({ sha256: sha256(text), state: 'processed', batchId: 'old', job: 3, seq: 12, ...rest }));

describe('planBatch with skipProcessed', () => {
  it('hashes everything, and says of what the ledger has where it was processed', async () => {
    writeFiles(source, { 'a.pdf': 'new', 'b.pdf': 'processed before', 'z/c.pdf': 'processed before', 'e.pdf': '' });
    await known('processed before');
    const { planned, lines, plan } = await sweep();
    expect(planned).toEqual({ documents: 4, rejected: 1, duplicates: 0, skipped: 2, jobs: 1, bytes: 3, pages: null });
    expect(plan).toMatchObject({ skipped: 2, lowerBoundJobs: 1, bytes: 3 });
    expect(fates(lines)).toEqual({ 'a.pdf': 1, 'b.pdf': 'skipped', 'e.pdf': 'empty', 'z/c.pdf': 'skipped' });
    expect(lines[0]).toMatchObject({ source: 'a.pdf', sha256: sha256('new') });
    expect(lines.find((line) => line.source === 'z/c.pdf')).toMatchObject({
      job: null, duplicateOf: null, sha256: sha256('processed before'),
      reason: { code: 'skipped', message: 'The same content was processed in batch old (job 3, document 12)' },
    });
  });

  it('names who is at it, and takes what somebody left', async () => {
    writeFiles(source, { 'held.pdf': 'held', 'left.pdf': 'left' });
    await known('held', { state: 'claimed', batchId: 'running' });
    await known('left', { state: 'claimed', batchId: 'over' });
    const { temporal, asked } = fakeTemporal({ 'batch/running': 'RUNNING', 'batch/over': 'COMPLETED' });
    const { lines } = await sweep({}, { temporal });
    expect(fates(lines)).toEqual({ 'left.pdf': 1, 'held.pdf': 'skipped' });
    expect(lines[1]!.reason!.message).toBe('Another batch is at the same content: batch running (job 3, document 12)');
    expect(asked.sort()).toEqual(['batch/over', 'batch/over/job/00003', 'batch/running']);
  });

  it('takes partial content only when it may be paid for again', async () => {
    writeFiles(source, { 'a.pdf': 'partial' });
    await known('partial', { state: 'partial' });
    const { lines } = await sweep();
    expect(lines[0]!.reason!.message).toMatch(/^Pages of the same content were, or may have been, paid for in batch old .*retryPartialDocuments sends it again$/);
    await store.remove(keys.plan);
    expect((await sweep({ retryPartialDocuments: true })).planned).toMatchObject({ jobs: 1, skipped: 0 });
  });

  it('of a list trusts the digests that it gives', async () => {
    const list = join(folder, 'list.jsonl');
    writeFiles(folder, { 'list.jsonl': `${JSON.stringify({ path: 'not there', sizeBytes: 9, sha256: sha256('x') })}\n` });
    await known('x');
    expect((await sweep({ source: { list } })).planned).toMatchObject({ documents: 1, skipped: 1, jobs: 0 });
  });

  it('counts no page of what is skipped', async () => {
    writeFiles(source, { 'a.pdf': 'known', 'b.pdf': 'new one' });
    await known('known');
    let counted = 0;
    const countPages = () => Promise.resolve({ pages: (counted += 1) });
    expect((await sweep({ maxCredits: 10 }, { countPages })).planned).toMatchObject({ skipped: 1, pages: 1 });
    expect(counted).toBe(1);
  });

  it('looks nothing up for a project that is not there yet', async () => {
    writeFiles(source, { 'a.pdf': 'known' });
    await known('known');
    expect((await sweep({}, { projectId: null })).planned).toMatchObject({ skipped: 0, jobs: 1 });
  });

  it('ends well when 1,000 documents are all known, and asks nobody', async () => {
    const files = Array.from({ length: 1000 }, (_, at) => [`${at % 7}/${at}.pdf`, `content ${at}`] as const);
    writeFiles(source, Object.fromEntries(files));
    // Past the store, which would wait for the disk a thousand times.
    const entries = files.map(([, text], at) => entry({ sha256: sha256(text), state: 'processed', batchId: `old-${at % 3}`, job: 3, seq: at + 1 }));
    writeFiles(store.location, Object.fromEntries(entries.map((one) => [ledgerKey('p', one.sha256), JSON.stringify(one)])));
    const { temporal, asked } = fakeTemporal({});
    const { planned, lines } = await sweep({}, { temporal });
    expect(planned).toEqual({ documents: 1000, rejected: 0, duplicates: 0, skipped: 1000, jobs: 0, bytes: 0, pages: null });
    expect(asked).toEqual([]);
    for (const { source: path, reason } of lines) {
      const at = Number(/(\d+)\.pdf$/.exec(path)![1]);
      expect(reason!.message).toBe(`The same content was processed in batch old-${at % 3} (job 3, document ${at + 1})`);
    }
  });

  it('ends well over an empty folder', async () => {
    expect((await sweep()).planned).toEqual({ documents: 0, rejected: 0, duplicates: 0, skipped: 0, jobs: 0, bytes: 0, pages: null });
  });
});

describe('Skips', () => {
  it('keeps each place once', () => {
    const skips = new Skips(3);
    skips.set(0, { state: 'processed', batchId: 'a', job: 1, seq: 4 });
    skips.set(2, { state: 'processed', batchId: 'a', job: 1, seq: 5 });
    expect([0, 1, 2].map((document) => skips.has(document))).toEqual([true, false, true]);
    expect([0, 1, 2].map((document) => skips.reason(document)?.message.slice(-18))).toEqual(['job 1, document 4)', undefined, 'job 1, document 5)']);
  });
});
