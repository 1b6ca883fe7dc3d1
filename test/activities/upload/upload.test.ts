import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteJob } from '../../../src/contract/activities';
import { failureTypes } from '../../../src/contract/failures';
import { completionOf } from '../../../src/activities/upload/completion';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf, manyDocuments, writeDocuments } from '../../support/documents';

const pdf = (marker: string) => makePdf({ marker });

describe('uploadDocuments', () => {
  let bench: ActivityBench;
  beforeEach(async () => {
    bench = await ActivityBench.start({ partThreshold: 200_000, partBytes: 100_000 });
  });
  afterEach(() => bench.stop());

  const requestOf = (remote: RemoteJob, upload: 'form' | 'signed' = 'signed') => ({ ...bench.onRemote(remote), projectId: 'proj_quickstart', upload, skipProcessed: false });
  /** Plans the source, creates job 1, lets `meddle` change the files, uploads. */
  async function upload(meddle: () => Promise<unknown> = async () => {}, mode: 'form' | 'signed' = 'signed', input = {}) {
    await bench.plan(input);
    const remote = await bench.create();
    await meddle();
    const request = requestOf(remote, mode);
    return { remote, request, result: await bench.run(bench.activities.transfer.uploadDocuments, request) };
  }
  const reasons = async () => Object.fromEntries((await bench.records()).map(({ seq, reason }) => [seq, reason?.code ?? null]));

  test('sends every document, and says what was sent under which id', async () => {
    await writeDocuments(bench.source, manyDocuments(5));
    const { result } = await upload();
    expect(result).toMatchObject({ sent: 5, notSent: 0 });
    const records = await bench.records();
    const [job] = [...bench.simulator.state.jobs.values()];
    expect(records.map(({ documentId, sha256 }) => [documentId, sha256])).toEqual(job!.documents.map(({ id, sha256 }) => [id, sha256]));
    expect(bench.requests('registerUploads')).toEqual({ 200: 1 });
  });

  test.each([
    ['grew', 'changed', (path: string) => appendFile(path, 'more')],
    ['was replaced by one of the same size', 'changed', async (path: string) => { await writeFile(`${path}.new`, pdf('C')); await rename(`${path}.new`, path); }],
    ['vanished', 'unreadable', (path: string) => unlink(path)],
    ['became a pipe', 'not_a_file', async (path: string) => { await unlink(path); execFileSync('mkfifo', [path]); }],
    ['became a link out of the source', 'outside_source', async (path: string) => { await unlink(path); await symlink('/etc/hostname', path); }],
  ] as const)('a file that %s is %s, and the others go on', async (_what, code, meddle) => {
    await writeDocuments(bench.source, ['a', 'b'].map((name) => ({ path: Buffer.from(`${name}.pdf`), content: pdf(name.toUpperCase()) })));
    const { result } = await upload(() => meddle(join(bench.source, 'a.pdf')));
    expect(result).toMatchObject({ sent: 1, notSent: 1 });
    expect(await reasons()).toEqual({ 1: code, 2: null });
  });

  test('a list that promises another digest is not believed', async () => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    const list = join(bench.source, 'list.jsonl');
    await writeFile(list, JSON.stringify({ path: 'a.pdf', sizeBytes: pdf('A').length, sha256: createHash('sha256').update('other').digest('hex') }));
    const { result } = await upload(undefined, 'signed', { source: { list } });
    expect(result).toMatchObject({ sent: 0, notSent: 1 });
    expect(await reasons()).toEqual({ 1: 'changed' });
  });

  test('a source whose root is not there says nothing about its documents', async () => {
    await writeDocuments(bench.source, manyDocuments(2));
    await expect(upload(() => rm(bench.source, { recursive: true }))).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });

  test('a second attempt sends only what the first one did not', async () => {
    await writeDocuments(bench.source, manyDocuments(6));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', nth: 6, drop: 'before' });
    await expect(upload()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const sent = bench.requests('putObject')['200']!;
    const remote = await bench.create();
    await bench.run(bench.activities.transfer.uploadDocuments, requestOf(remote), 2);
    expect(bench.requests('putObject')['200']).toBe(6);
    expect(sent).toBe(5);
    expect(bench.requests('registerUploads')).toEqual({ 200: 1 });
  });

  test.each([
    ['getJob', 402, failureTypes.insufficientCredit],
    ['getJob', 401, failureTypes.unauthorized],
    ['registerUploads', 402, failureTypes.insufficientCredit],
    ['registerUploads', 403, failureTypes.unauthorized],
  ] as const)('a %s that is refused with %d ends the call, and once the gate is open the next call goes on', async (operation, status, type) => {
    await writeDocuments(bench.source, manyDocuments(4));
    const body = { error: { code: status === 402 ? 'insufficient_credits' : 'unauthorized', message: 'no' } };
    bench.simulator.state.faults.add({ kind: 'request', operation, status, body });
    await expect(upload()).rejects.toMatchObject({ type, nonRetryable: true });
    const remote = await bench.create();
    const request = requestOf(remote);
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', nth: 3, drop: 'before' });
    await expect(bench.run(bench.activities.transfer.uploadDocuments, request)).rejects.toMatchObject({ type: failureTypes.unreachable });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'getJob', status, body });
    await expect(bench.run(bench.activities.transfer.uploadDocuments, request)).rejects.toMatchObject({ type });
    // A new activity, so that its attempts count from 1 again.
    expect(await bench.run(bench.activities.transfer.uploadDocuments, request)).toMatchObject({ sent: 4, notSent: 0 });
    expect(bench.requests('putObject')).toEqual({ 200: 4, dropped: 1 });
    expect(bench.requests('registerUploads')['200']).toBe(1);
  });

  test('a form upload that is refused goes on with what is missing', async () => {
    await writeDocuments(bench.source, manyDocuments(4));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'uploadFiles', nth: 2, status: 402, body: { error: { code: 'insufficient_credits', message: 'no' } } });
    await expect(upload(undefined, 'form')).rejects.toMatchObject({ type: failureTypes.insufficientCredit, nonRetryable: true });
    const remote = await bench.create();
    expect(await bench.run(bench.activities.transfer.uploadDocuments, requestOf(remote, 'form'))).toMatchObject({ sent: 4 });
    expect(bench.requests('uploadFiles')).toEqual({ 200: 4, 402: 1 });
  });

  test.each([
    ['has its digest all the same, without which a later batch would pay for it again', async () => {}, (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')],
    ['and changed since has none: what arrived are other bytes', (path: string) => appendFile(path, 'more'), () => null],
  ] as const)('a document whose form arrived while the answer was lost %s', async (_what, meddle, digest) => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'uploadFiles', drop: 'after' });
    await expect(upload(undefined, 'form')).rejects.toMatchObject({ type: failureTypes.unreachable });
    await meddle(join(bench.source, 'a.pdf'));
    const remote = await bench.create();
    expect(await bench.run(bench.activities.transfer.uploadDocuments, requestOf(remote, 'form'), 2)).toMatchObject({ sent: 1, notSent: 0 });
    expect(await bench.records()).toMatchObject([{ sent: true, reason: null, sha256: digest(pdf('A')) }]);
    expect([...bench.simulator.state.jobs.values()].flatMap(({ documents }) => documents)).toHaveLength(1);
  });

  test('after it is done and the job has gone on, a repeat is no failure', async () => {
    await writeDocuments(bench.source, manyDocuments(2));
    const { request, result, remote } = await upload();
    await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
    expect(await bench.run(bench.activities.transfer.uploadDocuments, request)).toEqual(result);
  });

  test('after it is done, a repeat asks Plangrep for nothing', async () => {
    await writeDocuments(bench.source, manyDocuments(2));
    const { request, result } = await upload();
    const before = JSON.stringify(bench.simulator.state.counters.requests);
    expect(await bench.run(bench.activities.transfer.uploadDocuments, request, 2)).toEqual(result);
    expect(JSON.stringify(bench.simulator.state.counters.requests)).toBe(before);
  });

  test('parts go one after another; a second attempt sends only those that are missing', async () => {
    await writeFile(join(bench.source, 'large.pdf'), makePdf({ marker: 'large', sizeBytes: 350_000 }));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putPart', nth: 3, drop: 'before' });
    await expect(upload()).rejects.toMatchObject({ type: failureTypes.unreachable });
    const remote = await bench.create();
    await bench.run(bench.activities.transfer.uploadDocuments, requestOf(remote), 2);
    expect(bench.requests('putPart')).toEqual({ 200: 4, dropped: 1 });
    await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
    expect(bench.requests('completeUploads')).toEqual({ 202: 1 });
  });

  test('an expired URL leads to a new registration, and the old one is declared failed', async () => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', status: 403, body: { error: { code: 'AccessDenied', message: 'Request has expired' } } });
    const { remote, result } = await upload();
    expect(result.sent).toBe(1);
    expect(bench.requests('registerUploads')).toEqual({ 200: 2 });
    await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
    const end = await bench.run(bench.activities.api.awaitJob, { ...bench.onRemote(remote), until: [] });
    expect(end).toMatchObject({ kind: 'ended', status: 'completed_with_errors' });
  });

  test('a new registration that the job has no room for gives the document up', async () => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    bench.simulator.state.faults.add({ kind: 'job', limits: { maxFiles: 1 } });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', status: 403, body: { error: { code: 'AccessDenied', message: 'Request has expired' } } });
    const { result } = await upload();
    expect(result).toMatchObject({ sent: 0, notSent: 1 });
    expect(await reasons()).toEqual({ 1: 'remote_error' });
  });

  test('storage that keeps refusing a document ends its tries', async () => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putObject', times: 0, status: 400, body: { error: { code: 'BadDigest', message: 'no' } } });
    const { result } = await upload();
    expect(result).toMatchObject({ sent: 0, notSent: 1 });
    expect(bench.requests('putObject')).toEqual({ 400: 3 });
  });

  test('a job that is still being set up is waited for', async () => {
    await writeFile(join(bench.source, 'a.pdf'), pdf('A'));
    bench.simulator.state.faults.add({ kind: 'job', provisioningMs: 3_600_000 });
    await expect(upload()).rejects.toMatchObject({ type: failureTypes.notYet });
  });

  test('by form each file is one request, read once, and named by what came back', async () => {
    await writeDocuments(bench.source, manyDocuments(3));
    const { result, remote } = await upload(undefined, 'form');
    expect(result.sent).toBe(3);
    expect(bench.requests('uploadFiles')).toEqual({ 200: 3 });
    const records = await bench.records();
    expect(records.every(({ documentId, sha256 }) => documentId !== null && sha256 !== null)).toBe(true);
    expect((await completionOf(bench.completionDeps, { batchId: bench.batchId, job: 1, remote })).body).toEqual({});
  });
});
