import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClosedJob, JobEnding } from '../../../src/contract/activities';
import { manifestLineSchema } from '../../../src/contract/archive';
import type { BatchInputOptions } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys } from '../../../src/contract/keys';
import { recordsText } from '../../../src/simulator/records';
import { readJsonLines } from '../../../src/store/jsonl';
import { verifyBatch } from '../../../src/verify';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf } from '../../support/documents';

const projectId = 'proj_quickstart';
const pages = 3;
const content = (name: string) => makePdf({ pages, marker: name });

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start();
});
afterEach(() => bench.stop());

function unlessNotYet(error: unknown): null {
  if ((error as { type?: string }).type !== failureTypes.notYet) throw error;
  return null;
}

/** A job from its creation to its closing, as its workflow leads it. */
async function runJob(job: number): Promise<ClosedJob> {
  const { batchId, activities } = bench;
  const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await bench.run(activities.api.createJob, { batchId, job, projectId }))!;
  const on = { batchId, job, remote, warnAt: null };
  await bench.run(activities.transfer.uploadDocuments, { ...on, projectId, upload: 'signed' as const, skipProcessed: false });
  await bench.run(activities.api.completeUploads, on);
  for (;;) {
    const sight = await bench.run(activities.api.awaitJob, { ...on, until: [] }).catch(unlessNotYet);
    if (sight?.kind !== 'ended') continue;
    if (sight.status !== 'failed') return bench.run(activities.archive.archiveJob, { ...on, projectId });
    const ending: JobEnding = { kind: 'failed', error: sight.error, creditsDebited: sight.creditsDebited };
    return bench.run(activities.batch.closeJob, { batchId, job, projectId, remote, ending });
  }
}

/** A whole batch of these documents: outcomes by name, and how often each page of each was debited. */
async function runBatch(names: string[], options: Partial<BatchInputOptions> = {}): Promise<{ outcomes: Record<string, string>; debits: Record<string, number[]>; credits: number }> {
  const { batchId, activities, store } = bench;
  for (const name of names) await writeFile(join(bench.source, `${name}.pdf`), content(name));
  await bench.plan(options);
  let next = 2;
  for (const waiting = [1]; waiting.length > 0; ) {
    const job = waiting.shift()!;
    const { resend } = await runJob(job);
    if (!resend) continue;
    const made = await bench.run(activities.transfer.resendDocuments, { batchId, job, how: resend, next });
    waiting.push(...made.jobs);
    next = made.nextFollowUp;
  }
  const { credits } = await bench.run(activities.transfer.writeManifest, { batchId, projectId, startedAt: '', closedAt: '', failure: null, error: null, cancelled: false });
  expect(await verifyBatch(store, batchId)).toMatchObject({ ok: true, problems: [] });
  const outcomes: Record<string, string> = {};
  for await (const { source, outcome } of readJsonLines(store, batchKeys(batchId).manifestLines, manifestLineSchema)) outcomes[source.replace('.pdf', '')] = outcome;
  const records = JSON.parse([...recordsText(bench.simulator.state)].join('')) as { jobs: { creditsDebited: number }[]; debits: Record<string, number[]> };
  expect(credits).toBe(records.jobs.reduce((sum, job) => sum + job.creditsDebited, 0));
  const debits = Object.fromEntries(names.map((name) => [name, records.debits[createHash('sha256').update(content(name)).digest('hex')] ?? []]));
  return { outcomes, debits, credits };
}

const once = [1, 1, 1];

test('a job that one document spoils is halved until that document stands alone; all others are paid for once', async () => {
  bench.simulator.state.faults.add({ kind: 'job', fileName: 'c.pdf', failJob: { code: 'internal', message: 'It broke.', at: 'preflight' } });
  const { outcomes, debits } = await runBatch(['a', 'b', 'c', 'd']);
  expect(outcomes).toEqual({ a: 'processed', b: 'processed', c: 'failed', d: 'processed' });
  expect(debits).toMatchObject({ a: once, b: once, d: once });
  expect(bench.simulator.state.jobs.size).toBe(5);
});

test('a job that failed after credits were debited is not split: no page is paid for again', async () => {
  bench.simulator.state.faults.add({ kind: 'job', failJob: { code: 'internal', message: 'It broke.', at: 'processing' } });
  const { outcomes, debits, credits } = await runBatch(['a', 'b']);
  expect(outcomes).toEqual({ a: 'failed', b: 'failed' });
  expect(credits).toBeGreaterThan(0);
  expect(Object.values(debits).flat().every((times) => times <= 1)).toBe(true);
  expect(bench.simulator.state.jobs.size).toBe(1);
});

test.each([[false, [1, 0, 1]], [true, [2, 1, 2]]] as const)('a document without a page is sent again, a partial one only when asked: %p', async (retryPartialDocuments, partial) => {
  bench.simulator.state.faults.add({ kind: 'document', fileName: 'blank.pdf', times: 1, failPages: 'all' });
  bench.simulator.state.faults.add({ kind: 'document', fileName: 'partial.pdf', times: 1, failPages: [2] });
  const { outcomes, debits } = await runBatch(['blank', 'good', 'partial'], { retryPartialDocuments });
  expect(outcomes).toEqual({ blank: 'processed', good: 'processed', partial: retryPartialDocuments ? 'processed' : 'partial' });
  expect(debits).toEqual({ blank: once, good: once, partial: [...partial] });
});
