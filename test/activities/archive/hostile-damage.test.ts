/** Files of ours that were damaged by hand or by the disk while a batch runs. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createActivities, type Activities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import type { RemoteJob } from '../../../src/contract/activities';
import { batchInputSchema } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys, jobKeys, ledgerKey } from '../../../src/contract/keys';
import { sha256 } from '../../../src/store/digest';
import { FolderStore } from '../../../src/store/folder';
import { verifyBatch } from '../../../src/verify';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf } from '../../support/documents';

const [batchId, projectId] = ['bench', 'proj_quickstart'];
const keys = { ...batchKeys(batchId), ...jobKeys(batchId, 1) };
const startedAt = '2026-01-01T00:00:00.000Z';
const contents = [makePdf({ marker: 'a' }), makePdf({ marker: 'b' })];

let bench: ActivityBench;
let activities: Activities;
let remote: RemoteJob;
beforeEach(async () => {
  bench = await ActivityBench.start();
  for (const [at, content] of contents.entries()) await writeFile(join(bench.source, `${at}.pdf`), content);
  restart();
});
afterEach(() => bench.stop());

/** Another worker process, which remembers nothing of what it read. */
function restart(): void {
  const deps = { store: new FolderStore(bench.store.location), plangrep: bench.plangrep, seal: bench.completionDeps.seal, pace: createPace(1000), settings: bench.settings };
  activities = createActivities({ ...deps, temporal: {} as Client });
}

const onRemote = () => ({ batchId, job: 1, remote, warnAt: null });
const manifest = { batchId, projectId, startedAt, closedAt: startedAt, failure: null, error: null, cancelled: false };
const input = () => batchInputSchema.parse({ project: 'Quickstart', source: { folder: bench.source } });

/** The steps of the one job's life, in their order. */
const steps = {
  accept: () => bench.run(activities.batch.acceptBatch, { batchId, input: input(), startedAt }),
  plan: () => bench.run(activities.transfer.planBatch, { batchId, projectId: null }),
  create: async () => {
    const { lowered: _lowered, webhookSecret: _secret, ...created } = (await bench.run(activities.api.createJob, { batchId, job: 1, projectId }))!;
    remote = created;
  },
  upload: () => bench.run(activities.transfer.uploadDocuments, { ...onRemote(), projectId, upload: 'signed' as const, skipProcessed: true }),
  complete: () => bench.run(activities.api.completeUploads, onRemote()),
  look: () => bench.run(activities.api.awaitJob, { ...onRemote(), until: [] }),
  archive: () => bench.run(activities.archive.archiveJob, { ...onRemote(), projectId }),
  manifest: () => bench.run(activities.transfer.writeManifest, manifest),
};
type Step = keyof typeof steps;

/** Everything before a step; all of the step too, but for files that are taken away again, as a killed worker leaves it. */
async function until(step: Step, takenAway: string[] | null = null): Promise<void> {
  for (const name of Object.keys(steps) as Step[]) {
    if (name !== step || takenAway) await steps[name]();
    if (name === step) break;
  }
  for (const key of takenAway ?? []) await bench.store.remove(key);
  restart();
}

const pathOf = (key: string) => join(bench.store.location, key);
/** The one object below a folder. */
async function first(folder: string): Promise<string> {
  for await (const { key } of bench.store.list(folder)) return key;
  throw new Error(`nothing is below ${folder}`);
}

const damages: [string, (bytes: Buffer) => Buffer][] = [
  ['cut in half', (bytes) => bytes.subarray(0, bytes.length / 2)],
  ['emptied', () => Buffer.alloc(0)],
  ['zeros', (bytes) => Buffer.alloc(bytes.length)],
  ['garbage', (bytes) => Buffer.from(bytes.map((byte, at) => byte ^ (at * 37 + 1)))],
];

const damaged = (what: RegExp) => ({ type: failureTypes.archiveDamaged, nonRetryable: true, message: expect.stringMatching(what) as string });
/** The failure names the file and the way out, in one piece. */
const naming = (key: string) => damaged(new RegExp(`^${key.replaceAll(/[.]/g, '\\.')}( line \\d+)?: .*\\. It was changed from outside, or its disk is damaged\\. Put the file back`));

describe.each<[string, () => string | Promise<string>, Step, string[] | null]>([
  ['input.json', () => keys.input, 'accept', []],
  ['input.json', () => keys.input, 'manifest', null],
  ['plan.json', () => keys.plan, 'create', null],
  ['plan.jsonl', () => keys.planLines, 'create', null],
  ['plan.jsonl', () => keys.planLines, 'upload', null],
  ['plan.jsonl', () => keys.planLines, 'archive', null],
  ['plan.jsonl', () => keys.planLines, 'manifest', null],
  ['intent.json', () => keys.intent, 'create', [keys.remote]],
  ['remote.json', () => keys.remote, 'create', []],
  ['remote.json', () => keys.remote, 'upload', null],
  ['a record of what was sent', () => first(keys.sent), 'upload', [keys.uploads]],
  ['uploads.jsonl', () => keys.uploads, 'complete', null],
  ['uploads.jsonl', () => keys.uploads, 'archive', null],
  ['documents.jsonl', () => keys.documents, 'manifest', null],
  ['manifest.json', () => keys.manifest, 'manifest', []],
])('%s, case %#', (_name, find, step, takenAway) => {
  test(`before ${step}: it fails for good, names the file and says what to do`, async () => {
    await until(step, takenAway);
    const key = await find();
    const whole = await readFile(pathOf(key));
    for (const [how, damage] of damages) {
      await writeFile(pathOf(key), damage(whole));
      restart();
      const failure = await steps[step]().then(() => 'it succeeded', (error: unknown) => error);
      expect([how, failure]).toEqual([how, expect.objectContaining(naming(key))]);
    }
    await writeFile(pathOf(key), whole);
    restart();
    await steps[step]();
  });
});

test('sealed registrations: not retried for ever, the job is named, and no secret is told', async () => {
  await until('upload');
  await steps.upload();
  const key = await first(keys.registrations);
  const whole = await readFile(pathOf(key), 'utf8');
  for (const text of [whole.slice(0, 100), '', `${whole}x`, whole.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))]) {
    await writeFile(pathOf(key), text);
    await expect(steps.complete()).rejects.toMatchObject(damaged(/^A sealed working file of .*: .*Put the file back/));
  }
  await writeFile(pathOf(key), whole.replace(/^v1\.[0-9a-f]{8}/, 'v1.00000000'));
  // A key that was rotated away can be given back: that is waited for.
  await expect(steps.complete()).rejects.toMatchObject({ type: failureTypes.internal, message: expect.stringContaining('add it to the old secret keys') as string });
  await writeFile(pathOf(key), whole);
  await steps.complete();
});

test.each<[string, string, Step]>([['cut off after a whole line', 'upload', 'upload'], ['cut off after a whole line', 'archive', 'archive'], ['cut off after a whole line', 'manifest', 'manifest']])('plan.jsonl %s before %s: no document is passed over without a word', async (_how, _step, step) => {
  await until(step);
  const whole = await readFile(pathOf(keys.planLines), 'utf8');
  await writeFile(pathOf(keys.planLines), whole.slice(0, whole.indexOf('\n') + 1));
  await expect(steps[step]()).rejects.toMatchObject(naming(keys.planLines));
  expect(await bench.store.stat(keys.manifestLines)).toBeNull();
});

test('a plan.jsonl in which a name was changed: the manifest is not written over it', async () => {
  await until('manifest');
  const whole = await readFile(pathOf(keys.planLines), 'utf8');
  await writeFile(pathOf(keys.planLines), whole.replace('0.pdf', '7.pdf'));
  await expect(steps.manifest()).rejects.toMatchObject(naming(keys.planLines));
  expect([await bench.store.stat(keys.manifestLines), await bench.store.stat(keys.manifest)]).toEqual([null, null]);
});

test.each(damages)('job.json %s: a paid job is not given up over it', async (_how, damage) => {
  await until('look');
  for (const step of ['look', 'archive'] as const) {
    await writeFile(pathOf(keys.job), damage(await readFile(pathOf(keys.job))));
    await steps[step]();
  }
  expect(await steps.manifest()).toMatchObject({ status: 'completed' });
  expect((await verifyBatch(bench.store, batchId)).problems).toEqual([]);
});

test.each(damages)('an entry of the ledger %s: the job closes, and the entry says again what became of the content', async (_how, damage) => {
  await until('archive');
  const key = ledgerKey(projectId, sha256(contents[0]!));
  await writeFile(pathOf(key), damage(await readFile(pathOf(key))));
  await steps.archive();
  expect(JSON.parse(await readFile(pathOf(key), 'utf8'))).toMatchObject({ state: 'processed', batchId, job: 1 });
  expect(await steps.manifest()).toMatchObject({ status: 'completed' });
});

test('a damaged account of what was sent: the job is closed all the same, each document says why, and may count as paid', async () => {
  await until('archive');
  await writeFile(pathOf(keys.uploads), 'x');
  await expect(steps.archive()).rejects.toMatchObject(naming(keys.uploads));
  const reason = { code: 'remote_error' as const, message: `${keys.uploads} line 1: is not JSON` };
  const closed = await bench.run(activities.batch.closeJob, { batchId, job: 1, projectId, remote, ending: { kind: 'ended', outcome: 'failed', reason } });
  expect(closed).toMatchObject({ counts: { failed: 2 }, resend: null });
  const lines = (await readFile(pathOf(keys.documents), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([1, 2].map((seq) => ({ seq, outcome: 'failed', reason, jobId: remote.jobId, pagesPaid: null })));
  expect(await steps.manifest()).toMatchObject({ status: 'completed_with_errors' });
  expect((await verifyBatch(bench.store, batchId)).problems).toEqual([]);
});

test('a plan that went away is waited for, and the message says where to look', async () => {
  await until('upload');
  const whole = await readFile(pathOf(keys.planLines));
  await bench.store.remove(keys.planLines);
  await expect(steps.upload()).rejects.toMatchObject({ type: failureTypes.archiveUnavailable, nonRetryable: false, message: expect.stringMatching(/^On .*: batches\/bench\/plan\.jsonl is not in the archive\. .*is mounted/) as string });
  await writeFile(pathOf(keys.planLines), whole);
  expect(await steps.upload()).toMatchObject({ sent: 2 });
});
