import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { createActivities, type Activities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import { completionOf } from '../../../src/activities/upload/completion';
import type { RemoteJob } from '../../../src/contract/activities';
import type { LedgerEntry } from '../../../src/contract/archive';
import { batchInputSchema, type BatchInputOptions } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys, ledgerKey } from '../../../src/contract/keys';
import { recordsText } from '../../../src/simulator/records';
import type { Store } from '../../../src/store';
import { jsonText } from '../../../src/store/jsonl';
import { Seal } from '../../../src/store/seal';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf, writeDocuments } from '../../support/documents';
import { entry, fakeTemporal } from '../ledger/entries';

const projectId = 'proj_quickstart';
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const contentOf = (name: string) => makePdf({ pages: 2, marker: name });

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start();
});
afterEach(() => bench.stop());

const write = (names: string[], folder = bench.source) => writeDocuments(folder, names.map((name) => ({ path: Buffer.from(`${name}.pdf`), content: contentOf(name) })));
const knows = (statuses: Parameters<typeof fakeTemporal>[0]) => Object.assign(bench.temporal, fakeTemporal(statuses).temporal);

describe('uploadDocuments with skipProcessed', () => {
  /** Somebody else's entry for a document's content. */
  const elsewhere = (name: string, rest: Partial<LedgerEntry> = {}) =>
    bench.store.write(ledgerKey(projectId, sha256(contentOf(name))), jsonText(entry({ sha256: sha256(contentOf(name)), batchId: 'other', ...rest })));
  const requestOf = (remote: RemoteJob, upload: 'form' | 'signed') => ({ ...bench.onRemote(remote), projectId, upload, skipProcessed: true });
  const upload = (remote: RemoteJob, mode: 'form' | 'signed' = 'signed') => bench.run(bench.activities.transfer.uploadDocuments, requestOf(remote, mode));
  /** Plans and creates job 1 over these documents. */
  async function prepared(names: string[], input: Partial<BatchInputOptions> = {}) {
    await write(names);
    await bench.plan({ skipProcessed: true, ...input });
    return bench.create();
  }
  const reasons = async () => (await bench.records()).map(({ sent, reason }) => (sent ? 'sent' : `${reason!.code}: ${reason!.message}`));

  test.each(['signed', 'form'] as const)('%s: what another batch has is not sent, and the rest goes on', async (mode) => {
    const remote = await prepared(['a', 'b', 'c']);
    knows({ 'batch/other': 'RUNNING' });
    await elsewhere('a');
    await elsewhere('b', { state: 'processed', seq: 9 });
    expect(await upload(remote, mode)).toMatchObject({ sent: 1, notSent: 2 });
    expect(await reasons()).toEqual([
      'skipped: Another batch is at the same content: batch other (job 1, document 1)',
      'skipped: The same content was processed in batch other (job 1, document 9)',
      'sent',
    ]);
    expect((await bench.records()).map((record) => record.sha256)).toEqual(['a', 'b', 'c'].map((name) => sha256(contentOf(name))));
    const [job] = [...bench.simulator.state.jobs.values()];
    expect(job!.documents.map(({ fileName }) => fileName)).toEqual(['c.pdf']);
  });

  test('a claim is taken over when its batch and its job are closed, and left when the job is open', async () => {
    const remote = await prepared(['a', 'b']);
    knows({ 'batch/other': 'TERMINATED', 'batch/other/job/00001': 'TERMINATED', 'batch/other/job/00002': 'RUNNING' });
    await elsewhere('a');
    await elsewhere('b', { job: 2 });
    expect(await upload(remote)).toMatchObject({ sent: 1, notSent: 1 });
    expect(await reasons()).toEqual(['sent', 'skipped: Another batch is at the same content: batch other (job 2, document 1)']);
  });

  test('when another batch has everything, Plangrep is told of no document', async () => {
    const remote = await prepared(['a', 'b']);
    await elsewhere('a', { state: 'processed' });
    await elsewhere('b', { state: 'partial' });
    expect(await upload(remote)).toEqual({ sent: 0, notSent: 2, bytes: 0 });
    expect(bench.requests('registerUploads')).toEqual({});
  });

  test('partial content is sent again when the input says so', async () => {
    const remote = await prepared(['a'], { retryPartialDocuments: true });
    await elsewhere('a', { state: 'partial' });
    expect(await upload(remote)).toMatchObject({ sent: 1 });
  });

  test('a repeat finds its own claims', async () => {
    const remote = await prepared(['a', 'b', 'c']);
    knows({ 'batch/bench': 'RUNNING' });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', nth: 2, drop: 'before' });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.unreachable });
    expect(await upload(remote)).toMatchObject({ sent: 3, notSent: 0 });
  });

  test('without skipProcessed nothing is claimed, and nothing passed over', async () => {
    const remote = await prepared(['a'], { skipProcessed: false });
    await elsewhere('a', { state: 'processed' });
    expect(await bench.run(bench.activities.transfer.uploadDocuments, { ...requestOf(remote, 'signed'), skipProcessed: false })).toMatchObject({ sent: 1 });
  });

  test('a registered document that another batch took over meanwhile is declared failed', async () => {
    const remote = await prepared(['a', 'b']);
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', times: 0, drop: 'before' });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.unreachable });
    bench.simulator.state.faults.clear();
    knows({ 'batch/other': 'RUNNING' });
    await elsewhere('a');
    expect(await upload(remote)).toMatchObject({ sent: 1, notSent: 1 });
    const [taken, kept] = await bench.records();
    const { body } = await completionOf(bench.completionDeps, { batchId: bench.batchId, job: 1, remote });
    expect(body).toMatchObject({ documentIds: [kept!.documentId], failedUploads: [{ documentId: taken!.documentId, error: 'skipped' }] });
  });
});

describe('several sweeps at once over one folder', () => {
  /** A sweep from its plan to the outcomes of its documents. */
  async function sweep(activities: Activities, batchId: string, folder: string, upload: 'form' | 'signed'): Promise<void> {
    const { batch, api, transfer, archive } = activities;
    const input = batchInputSchema.parse({ project: projectId, source: { folder }, skipProcessed: true, allowEmpty: true, limits: { maxFiles: 2 } });
    await bench.store.write(batchKeys(batchId).input, jsonText({ batchId, input, acceptedAt: '' }));
    const { jobs } = await bench.run(transfer.planBatch, { batchId, projectId });
    for (let job = 1; job <= jobs; job += 1) {
      const ref = { batchId, job, projectId };
      const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await bench.run(api.createJob, ref))!;
      const onRemote = { batchId, job, remote, warnAt: null };
      const { sent } = await bench.run(transfer.uploadDocuments, { ...onRemote, projectId, upload, skipProcessed: true });
      await bench.run(sent > 0 ? api.completeUploads : api.cancelJob, onRemote);
      if (sent > 0) await bench.run(archive.archiveJob, { ...onRemote, projectId });
      else await bench.run(batch.closeJob, { ...ref, remote, ending: { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'nothing was left to send' } } });
    }
  }

  test('process each content once, in whatever order their looks at the ledger come', async () => {
    const seal = new Seal(randomBytes(32));
    let run = 0;
    const plangrep = bench.plangrep;
    const contents: string[] = [];
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(fc.constantFrom('form', 'signed'), { minLength: 2, maxLength: 3 }), async (scheduler, modes) => {
        const folder = join(bench.folder, `sweep-${(run += 1)}`);
        const names = Array.from({ length: 4 }, (_, at) => `run ${run} document ${at}`);
        contents.push(...names.map((name) => sha256(contentOf(name))));
        await write(names, folder);
        const ids = modes.map((_, at) => `sweep-${run}-${at}`);
        const { temporal } = fakeTemporal(Object.fromEntries(ids.map((id) => [`batch/${id}`, 'RUNNING'])));
        const store = steppingLedger(bench.store, scheduler);
        const activities = createActivities({ store, plangrep, seal, pace: createPace(1000), temporal, settings: bench.settings });
        await scheduler.waitFor(Promise.all(modes.map((mode, at) => sweep(activities, ids[at]!, folder, mode))));
      }),
      { numRuns: 4 },
    );
    const { debits } = JSON.parse([...recordsText(bench.simulator.state)].join('')) as { debits: Record<string, number[]> };
    expect(debits).toEqual(Object.fromEntries(contents.map((content) => [content, [1, 1]])));
  });
});

/** The store, with each call about the ledger made when the scheduler says so. */
function steppingLedger(store: Store, scheduler: fc.Scheduler): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]) => Reflect.apply(value, target, args) as Promise<unknown>;
      const stepped = scheduler.scheduleFunction(call);
      return (...args: unknown[]) => (typeof args[0] === 'string' && args[0].startsWith('ledger/') ? stepped(...args) : call(...args));
    },
  });
}
