import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createArchiveActivities } from '../../src/activities/archive';
import { createPlanActivities } from '../../src/activities/plan';
import { manifestLineSchema, planLineSchema, type JobFile, type ManifestLine, type UploadRecord } from '../../src/contract/archive';
import { batchKeys, jobKeys } from '../../src/contract/keys';
import { jsonLines, jsonText, readJsonLines } from '../../src/store/jsonl';
import { verifyBatch } from '../../src/verify';
import { Bench, body, json, link, quietly, remote, resultOf } from '../activities/archive/fake-api';
import { buildBatch, writeManifest } from '../../scripts/bench/batch-builder';

const bench = new Bench();
beforeEach(() => bench.start());
afterEach(() => bench.stop());

const pace = { wait: () => Promise.resolve(), slowDown: () => undefined };
const pages = (pageCount: number, failedPageCount: number) => ({ pageCount, successfulPageCount: pageCount - failedPageCount, failedPageCount });

/** Uploads of job 1: sent, sent, refused for having changed. */
async function upload(): Promise<void> {
  const uploads: UploadRecord[] = [];
  for await (const { seq, job, sizeBytes } of readJsonLines(bench.store, batchKeys('b').planLines, planLineSchema)) {
    if (job !== 1) continue;
    const sent = seq !== 3;
    uploads.push({ seq, documentId: sent ? `doc_${seq}` : null, sha256: String(seq).repeat(64), sizeBytes: sizeBytes!, sent, reason: sent ? null : { code: 'changed', message: 'It changed.' } });
  }
  await bench.store.write(jobKeys('b', 1).uploads, jsonLines(uploads));
}

test('what the archive activities leave is found whole, from the result to the manifest', async () => {
  const documents = [{ job: 1 }, { job: 1 }, { job: 1 }, { job: 2 }, { reason: { code: 'duplicate' as const, message: 'x' }, duplicateOf: 1 }];
  await buildBatch(bench.store, 'b', { documents, jobs: [] });
  await upload();
  const results = [
    { documentId: 'doc_2', ...pages(3, 1), artifacts: [link('files/two/page 1.png')] },
    { documentId: 'doc_1', ...pages(2, 0), artifacts: [link('files/one.json', 'json'), link('../../one.json', 'json')] },
  ];
  bench.api.results = [json(resultOf(results))];
  for (const path of ['files/two/page 1.png', 'files/one.json', '../../one.json']) bench.api.artifacts.set(path, body(`content of ${path}`));
  await bench.archive();
  const { closeJob } = createArchiveActivities({ store: bench.store, plangrep: bench.client, pace });
  await closeJob({ batchId: 'b', job: 1, projectId: 'p', remote, ending: { kind: 'archived' } });
  await closeJob({ batchId: 'b', job: 2, projectId: 'p', remote: null, ending: { kind: 'ended', outcome: 'failed', reason: { code: 'remote_error', message: 'Plangrep refused the job.' } } });

  expect(await writeManifest(bench.store, 'b')).toMatchObject({ status: 'completed_with_errors', documents: 5, counts: { processed: 1, partial: 1, rejected: 1, failed: 1, duplicate: 1 }, pages: 5 });
  const lines: ManifestLine[] = [];
  for await (const line of readJsonLines(bench.store, batchKeys('b').manifestLines, manifestLineSchema)) lines.push(line);
  expect(lines.map(({ outcome, result, artifacts }) => [outcome, result?.index ?? null, artifacts.length])).toEqual([['processed', 1, 2], ['partial', 0, 1], ['rejected', null, 0], ['failed', null, 0], ['duplicate', 1, 0]]);
  expect(await verifyBatch(bench.store, 'b')).toMatchObject({ ok: true, documents: 5, problems: [] });
});

test('what planning and splitting leave is found whole, though no job ever closed', async () => {
  const folder = join(bench.folder, 'plans');
  await mkdir(join(folder, 'sub'), { recursive: true });
  const contents = { 'a.pdf': 'x'.repeat(10), 'b.pdf': 'y'.repeat(10), 'sub/c.pdf': 'x'.repeat(10), 'sub/ä\n%.pdf': 'z'.repeat(500), 'empty.pdf': '', 'd.pdf': 'w'.repeat(40) };
  for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content);
  const input = { project: 'Tower', source: { folder }, limits: { maxFiles: 3, maxPages: 100 } };
  await bench.store.write(batchKeys('b').input, jsonText({ batchId: 'b', acceptedAt: '2026-11-24T10:00:00.000Z', input }));
  const countPages = () => Promise.resolve({ pages: 7 });
  const { planBatch, splitJob } = createPlanActivities({ store: bench.store, settings: { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 }, countPages });
  expect(await quietly().run(planBatch, { batchId: 'b', projectId: null })).toMatchObject({ documents: 6, rejected: 1, duplicates: 1, jobs: 2, pages: 28 });

  let next = 3;
  for (const job of [1, 2]) {
    const lost: JobFile = { job, parent: null, batchId: 'b', jobId: `job_${job}`, externalId: null, status: 'cancelled', error: null, creditsDebited: 0, pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 0 };
    await bench.store.write(jobKeys('b', job).job, jsonText(lost));
    next += (await splitJob({ batchId: 'b', job, limits: { maxFiles: 1, maxBytes: 100 }, next })).jobs.length;
  }
  expect(await writeManifest(bench.store, 'b')).toMatchObject({ status: 'completed_with_errors', documents: 6, counts: { failed: 3, rejected: 2, duplicate: 1 } });
  expect(await verifyBatch(bench.store, 'b')).toMatchObject({ ok: true, documents: 6, problems: [] });
});
