import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchSummary } from '../../src/client';
import { batchFolder, jobName } from '../../src/contract/keys';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { RejectedError } from '../../src/plangrep/errors';
import { verifyBatch } from '../../src/verify';
import { makePdf, manyDocuments, oddlyNamedDocuments } from '../support/documents';
import { Stack } from '../support/stack';
import { withWorkers } from '../support/workflow-runner';

/** Largest payload that may stand in a history, in bytes. */
const maxPayloadBytes = 8 * 1024;

describe('a batch from a folder to a verified archive', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ partThreshold: 1_000_000, partBytes: 400_000 });
  });
  afterAll(() => stack.stop());

  const run = (source: string, id: string, more = {}): Promise<BatchSummary> => stack.run({ project: 'Quickstart', source: { folder: source }, ...more }, id);
  const verified = async (id: string) => expect((await verifyBatch(stack.store, id)).problems).toEqual([]);
  const jobsOf = (id: string) => [...stack.simulator.state.jobs.values()].filter(({ externalId }) => externalId?.startsWith(`batch/${id}/`));

  /** Every payload of a workflow's history, in bytes. */
  async function payloads(workflowId: string): Promise<number[]> {
    const { events } = await stack.env.client.workflow.getHandle(workflowId).fetchHistory();
    const sizes: number[] = [];
    const visit = (value: unknown): void => {
      if (value instanceof Uint8Array) sizes.push(value.byteLength);
      else if (value !== null && typeof value === 'object') Object.values(value).forEach(visit);
    };
    visit(events);
    return sizes;
  }

  test('more than 100 files become two jobs, each document is accounted for once', async () => {
    const source = await stack.write('hundred', manyDocuments(130));
    const summary = await run(source, 'hundred');
    expect(summary).toMatchObject({ status: 'completed', documents: 130, documentsDone: 130, counts: { processed: 130 }, jobs: { planned: 2, open: 0, done: 2 }, error: null });
    await verified('hundred');

    const { manifest, lines } = await stack.manifest('hundred');
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 130 }, (_, index) => index + 1));
    expect(new Set(lines.map((line) => line.source)).size).toBe(130);
    expect(lines.every(({ artifacts }) => artifacts.length >= 2)).toBe(true);
    expect(manifest.counts).toMatchObject({ documents: 130, processed: 130 });
    expect(manifest.pages).toBe(lines.reduce((sum, { pages }) => sum + (pages ?? 0), 0));

    const jobs = jobsOf('hundred');
    expect(jobs.map(({ externalId }) => externalId).sort()).toEqual([1, 2].map((job) => jobWorkflowId('hundred', job)));
    expect(manifest.credits).toBe(jobs.reduce((sum, { creditsDebited }) => sum + creditsDebited, 0));
    const sent = jobs.flatMap(({ documents }) => documents.map(({ sha256 }) => sha256));
    expect(sent.sort()).toEqual(lines.map(({ sha256 }) => sha256).sort());
  });

  test('a document in three signed parts arrives whole, though storage refuses one part for its checksum', async () => {
    const content = makePdf({ pages: 3, marker: 'large', sizeBytes: 1_150_000 });
    const source = await stack.write('parts', [
      { path: Buffer.from('large.pdf'), content },
      { path: Buffer.from('small.pdf'), content: makePdf({ marker: 'small' }) },
    ]);
    stack.simulator.state.faults.add({ kind: 'request', operation: 'putPart', nth: 2, status: 400, body: { error: { code: 'BadDigest', message: 'The SHA-256 of the part is another one.' } } });
    expect(await run(source, 'parts')).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    await verified('parts');
    const [job] = jobsOf('parts');
    expect(job!.documents.map(({ fileName, mode }) => [fileName, mode]).sort()).toEqual([['large.pdf', 'multipart'], ['small.pdf', 'direct_put']]);
  });

  test('storage refuses bytes that are not those of the registered digest', async () => {
    const { job } = await stack.plangrep.createJob('proj_quickstart', {}, { idempotencyKey: 'wrong-digest' });
    const bytes = makePdf({ marker: 'right' });
    const other = Buffer.from(bytes);
    other[bytes.length - 8]! ^= 1;
    const path = join(stack.folder, 'other.pdf');
    await writeFile(path, other);
    const sha256 = (await import('node:crypto')).createHash('sha256').update(bytes).digest('hex');
    const { uploads } = await stack.plangrep.registerUploads(job.id, [{ fileName: 'a.pdf', contentType: 'application/pdf', fileSize: bytes.length, sha256 }]);
    const [upload] = uploads;
    if (upload?.mode !== 'direct_put' || upload.url === null) throw new Error('a direct PUT was expected');
    const put = stack.plangrep.putSigned(upload.url, { headers: upload.headers, body: createReadStream(path), sizeBytes: other.length });
    await expect(put).rejects.toMatchObject({ origin: 'storage', status: 400 });
    await expect(put).rejects.toBeInstanceOf(RejectedError);
  });

  test('the form brings the same documents', async () => {
    const source = await stack.write('form', manyDocuments(12));
    expect(await run(source, 'form', { upload: 'form' })).toMatchObject({ status: 'completed', counts: { processed: 12 } });
    await verified('form');
    expect(jobsOf('form')[0]!.documents.map(({ mode }) => mode)).toEqual(Array.from({ length: 12 }, () => 'form'));
  });

  test('a form upload whose answer was lost is not sent a second time', async () => {
    stack.simulator.state.faults.add({ kind: 'request', operation: 'uploadFiles', nth: 2, drop: 'after' });
    const source = await stack.write('form-lost', manyDocuments(6));
    expect(await run(source, 'form-lost', { upload: 'form' })).toMatchObject({ status: 'completed', counts: { processed: 6 } });
    await verified('form-lost');
    expect(jobsOf('form-lost').flatMap(({ documents }) => documents)).toHaveLength(6);
    const { lines } = await stack.manifest('form-lost');
    expect(lines.every(({ documentId, result }) => documentId !== null && result !== null)).toBe(true);
  });

  test('odd file names are processed, and each is found under its source again', async () => {
    const files = oddlyNamedDocuments();
    const source = await stack.write('odd', files);
    expect(await run(source, 'odd')).toMatchObject({ status: 'completed', counts: { processed: files.length } });
    await verified('odd');
    const { lines } = await stack.manifest('odd');
    expect(new Set(lines.map(({ fileName }) => fileName.toLowerCase())).size).toBe(files.length);
  });

  test('failed pages, documents and jobs end in honest lines, and the batch goes on', async () => {
    const faults = stack.simulator.state.faults;
    faults.add({ kind: 'document', fileName: 'half.pdf', failPages: [2] });
    faults.add({ kind: 'document', fileName: 'none.pdf', failPages: 'all' });
    faults.add({ kind: 'job', fileName: 'poison.pdf', failJob: { code: 'unreadable_document', message: 'A document broke the job.' } });
    const files = ['good', 'half', 'none', 'poison', 'zero'].map((name) => ({ path: Buffer.from(`${name}.pdf`), content: makePdf({ pages: 4, marker: name }) }));
    const source = await stack.write('failures', [...files, { path: Buffer.from('twin.pdf'), content: makePdf({ pages: 4, marker: 'good' }) }]);
    await writeFile(join(source, 'zero.pdf'), '');
    const summary = await run(source, 'failures', { limits: { maxFiles: 3 } });
    expect(summary).toMatchObject({ status: 'completed_with_errors', documents: 6, documentsDone: 6 });
    await verified('failures');
    const { lines } = await stack.manifest('failures');
    const byName = Object.fromEntries(lines.map((line) => [line.source, line]));
    expect(byName['zero.pdf']).toMatchObject({ outcome: 'rejected', reason: { code: 'empty' }, job: null });
    expect([byName['good.pdf'], byName['twin.pdf']].map((line) => line!.outcome)).toContain('duplicate');
    const poisoned = byName['poison.pdf']!.job;
    expect(byName['poison.pdf']).toMatchObject({ outcome: 'failed', reason: { code: 'job_failed' } });
    for (const name of ['half.pdf', 'none.pdf']) {
      const line = byName[name]!;
      if (line.job === poisoned) expect(line.reason!.code).toBe('job_failed');
      else expect(line).toMatchObject(name === 'half.pdf' ? { outcome: 'partial', pagesFailed: 1 } : { outcome: 'failed', reason: { code: 'remote_error' } });
    }
    faults.clear();
  });

  test('limits that turn out lower than planned: the jobs are cancelled before any upload and split', async () => {
    stack.simulator.state.faults.add({ kind: 'job', externalId: 'batch/lower/', limits: { maxFiles: 4 } });
    const source = await stack.write('lower', manyDocuments(20));
    expect(await run(source, 'lower', { maxConcurrentJobs: 2 })).toMatchObject({ status: 'completed', counts: { processed: 20 }, jobs: { planned: 5, done: 5 } });
    await verified('lower');
    stack.simulator.state.faults.clear();
    const jobs = jobsOf('lower');
    expect(jobs.filter(({ status }) => status === 'cancelled').map(({ documents }) => documents.length)).toEqual([0]);
    expect(jobs.filter(({ status }) => status === 'completed').map(({ documents }) => documents.length)).toEqual([4, 4, 4, 4, 4]);
  });

  test('two jobs run at once when they may', async () => {
    const source = await stack.write('two', manyDocuments(8));
    await run(source, 'two', { limits: { maxFiles: 4 }, maxConcurrentJobs: 2 });
    const [first, second] = jobsOf('two').map(({ history }) => history);
    const span = (history: typeof first) => [history!.at(0)!.at, history!.at(-1)!.at] as const;
    expect(span(first)[0] < span(second)[1] && span(second)[0] < span(first)[1]).toBe(true);
  });

  test('a key that is refused ends a running batch, and every document left says so', async () => {
    stack.simulator.state.faults.add({ kind: 'request', operation: 'createJob', nth: 2, times: 0, status: 401, body: { error: { code: 'unauthorized', message: 'revoked' } } });
    const source = await stack.write('revoked', manyDocuments(9));
    const summary = await run(source, 'revoked', { limits: { maxFiles: 3 }, maxConcurrentJobs: 1 });
    stack.simulator.state.faults.clear();
    expect(summary).toMatchObject({ status: 'failed', counts: { processed: 3, failed: 6 }, error: { code: 'Unauthorized' } });
    await verified('revoked');
    const { lines } = await stack.manifest('revoked');
    expect(lines.filter(({ outcome }) => outcome === 'failed').map(({ reason }) => reason!.code)).toEqual(Array.from({ length: 6 }, () => 'unauthorized'));
  });

  test('a terminated batch started again under its id pays for nothing twice', async () => {
    const source = await stack.write('again', manyDocuments(9));
    const input = { project: 'Quickstart', source: { folder: source }, limits: { maxFiles: 3 }, maxConcurrentJobs: 1 };
    await withWorkers(stack.env, stack.bundle, stack.activities(), async () => {
      const batch = stack.env.client.workflow.getHandle(batchWorkflowId('again'));
      await stack.batches.start(input, { id: 'again' });
      while ((await stack.batches.status('again')).jobs.done < 1) await delay(200);
      await batch.terminate('test');
      await stack.batches.start(input, { id: 'again' });
      expect(await stack.batches.wait('again')).toMatchObject({ status: 'completed', counts: { processed: 9 }, jobs: { planned: 3, done: 3 } });
    });
    await verified('again');
    expect(jobsOf('again').map(({ externalId }) => externalId).sort()).toEqual([1, 2, 3].map((job) => jobWorkflowId('again', job)));
  });

  test('histories hold references: no payload over 8 KiB for 1 file or for 5,000', async () => {
    const one = await stack.write('one', manyDocuments(1));
    await run(one, 'one');
    // Texts cost the simulator no artifacts: their jobs fail, and the batch is as long as any.
    const texts = Array.from({ length: 5_000 }, (_, index) => ({ path: Buffer.from(`folder-${index % 50}/note-${index}.txt`), content: Buffer.from(`note ${index}`) }));
    const many = await stack.write('many', texts);
    const summary = await run(many, 'many', { maxConcurrentJobs: 10 });
    expect(summary).toMatchObject({ documents: 5_000, documentsDone: 5_000, counts: { failed: 5_000 }, jobs: { planned: 50, done: 50 } });
    expect(jobsOf('many').flatMap(({ documents }) => documents)).toHaveLength(5_000);
    for (const workflow of [batchWorkflowId('one'), jobWorkflowId('one', 1), batchWorkflowId('many'), jobWorkflowId('many', 1), jobWorkflowId('many', 50)]) {
      expect(Math.max(...(await payloads(workflow)))).toBeLessThanOrEqual(maxPayloadBytes);
    }
  }, 600_000);

  test('nothing of a finished batch stays behind in work/, and its result is for the owner only', async () => {
    const source = await stack.write('clean', manyDocuments(3));
    await run(source, 'clean');
    for await (const { key } of stack.store.list('work')) throw new Error(`${key} stayed behind`);
    const result = join(stack.store.location, batchFolder('clean'), 'jobs', jobName(1), 'result.json');
    expect((await (await import('node:fs/promises')).stat(result)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(result, 'utf8'))).toMatchObject({ schemaVersion: 'v1' });
  });
});
