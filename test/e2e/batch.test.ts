import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchInputOptions, BatchSummary } from '../../src/client';
import type { Manifest, ManifestLine } from '../../src/contract/archive';
import { batchFolder, jobName } from '../../src/contract/keys';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { RejectedError } from '../../src/plangrep/errors';
import { makePdf, manyDocuments, oddlyNamedDocuments } from '../support/documents';
import type { Stack } from '../support/stack';
import { Story } from '../support/story';

/** Largest payload that may stand in a history, and by how much the largest may grow with the number of files and jobs, in bytes. */
const maxPayloadBytes = 8 * 1024;
const maxGrowthBytes = 64;

describe('a batch from a folder to a verified archive', () => {
  let story: Story;
  let stack: Stack;
  beforeAll(async () => {
    story = await Story.start({ simulator: { partThreshold: 1_000_000, partBytes: 400_000 } });
    stack = story.stack;
  });
  afterAll(() => story.stop());
  afterEach(() => stack.simulator.state.faults.clear());

  /** Runs a batch over a folder to its end, and looks at what must hold of every manifest. */
  async function run(source: string, id: string, more: Partial<BatchInputOptions> = {}): Promise<{ summary: BatchSummary; manifest: Manifest; lines: ManifestLine[] }> {
    await stack.batches.start({ project: 'Quickstart', source: { folder: source }, ...more }, { id });
    return { summary: await stack.batches.wait(id), ...(await story.manifest(id)) };
  }

  let hundred: ReturnType<typeof run> | undefined;
  /** A batch of 130 files, for the tests that look at one: it is run once. */
  const runHundred = () => (hundred ??= stack.write('hundred', manyDocuments(130)).then((source) => run(source, 'hundred')));

  /** The largest payload of a workflow's history, in bytes. */
  async function largestPayload(workflowId: string): Promise<number> {
    const { events } = await story.handle(workflowId).fetchHistory();
    const sizes = (value: unknown): number[] => {
      if (value instanceof Uint8Array) return [value.byteLength];
      return value !== null && typeof value === 'object' ? Object.values(value).flatMap(sizes) : [];
    };
    return Math.max(...sizes(events));
  }

  test('more than 100 files become two jobs, each document is accounted for once', async () => {
    const { summary, manifest, lines } = await runHundred();
    expect(summary).toMatchObject({ status: 'completed', documents: 130, documentsDone: 130, counts: { processed: 130 }, jobs: { planned: 2, open: 0, done: 2 }, error: null });
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 130 }, (_, index) => index + 1));
    expect(new Set(lines.map((line) => line.source)).size).toBe(130);
    expect(lines.every(({ artifacts }) => artifacts.length >= 2)).toBe(true);
    expect(manifest.counts).toMatchObject({ documents: 130, processed: 130 });
    expect(manifest.pages).toBe(lines.reduce((sum, { pages }) => sum + (pages ?? 0), 0));

    const jobs = story.jobs('hundred');
    expect(jobs.map(({ externalId }) => externalId).sort()).toEqual([1, 2].map((job) => jobWorkflowId('hundred', job)));
    expect(manifest.credits).toBe(jobs.reduce((sum, { creditsDebited }) => sum + creditsDebited, 0));
    const sent = jobs.flatMap(({ documents }) => documents.map(({ sha256 }) => sha256));
    expect(sent.sort()).toEqual(lines.map(({ sha256 }) => sha256).sort());

    const result = join(stack.store.location, batchFolder('hundred'), 'jobs', jobName(1), 'result.json');
    expect((await stat(result)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(result, 'utf8'))).toMatchObject({ schemaVersion: 'v1' });
  });

  test('a document in three signed parts arrives whole, though storage refuses one part for its checksum', async () => {
    const content = makePdf({ pages: 3, marker: 'large', sizeBytes: 1_150_000 });
    const source = await stack.write('parts', [
      { path: Buffer.from('large.pdf'), content },
      { path: Buffer.from('small.pdf'), content: makePdf({ marker: 'small' }) },
    ]);
    story.fault({ kind: 'request', operation: 'putPart', nth: 2, status: 400, body: { error: { code: 'BadDigest', message: 'The SHA-256 of the part is another one.' } } });
    expect((await run(source, 'parts')).summary).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    const [job] = story.jobs('parts');
    expect(job!.documents.map(({ fileName, mode }) => [fileName, mode]).sort()).toEqual([['large.pdf', 'multipart'], ['small.pdf', 'direct_put']]);
  });

  test('storage refuses bytes that are not those of the registered digest', async () => {
    const { job } = await stack.plangrep.createJob('proj_quickstart', {}, { idempotencyKey: 'wrong-digest' });
    const bytes = makePdf({ marker: 'right' });
    const other = Buffer.from(bytes);
    other[bytes.length - 8]! ^= 1;
    const path = join(stack.folder, 'other.pdf');
    await writeFile(path, other);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const { uploads } = await stack.plangrep.registerUploads(job.id, [{ fileName: 'a.pdf', contentType: 'application/pdf', fileSize: bytes.length, sha256 }]);
    const [upload] = uploads;
    if (upload?.mode !== 'direct_put' || upload.url === null) throw new Error('a direct PUT was expected');
    const put = stack.plangrep.putSigned(upload.url, { headers: upload.headers, body: createReadStream(path), sizeBytes: other.length });
    await expect(put).rejects.toMatchObject({ origin: 'storage', status: 400 });
    await expect(put).rejects.toBeInstanceOf(RejectedError);
  });

  test('the form brings the same documents, and one whose answer was lost is not sent a second time', async () => {
    story.fault({ kind: 'request', operation: 'uploadFiles', nth: 2, drop: 'after' });
    const source = await stack.write('form', manyDocuments(12));
    const { summary, lines } = await run(source, 'form', { upload: 'form' });
    expect(summary).toMatchObject({ status: 'completed', counts: { processed: 12 } });
    expect(story.jobs('form').flatMap(({ documents }) => documents.map(({ mode }) => mode))).toEqual(Array.from({ length: 12 }, () => 'form'));
    expect(lines.every(({ documentId, result }) => documentId !== null && result !== null)).toBe(true);
  });

  test('odd file names are processed, and each is found under its source again', async () => {
    const files = oddlyNamedDocuments();
    const { summary, lines } = await run(await stack.write('odd', files), 'odd');
    expect(summary).toMatchObject({ status: 'completed', counts: { processed: files.length } });
    expect(new Set(lines.map(({ fileName }) => fileName.toLowerCase())).size).toBe(files.length);
  });

  test('whatever becomes of a document, its line says it honestly, and no page is paid for twice', async () => {
    const id = 'failures';
    story.fault(
      { kind: 'document', fileName: 'half.pdf', failPages: [2] },
      { kind: 'document', fileName: 'none.pdf', failPages: 'all' },
      { kind: 'job', fileName: 'poison.pdf', failJob: { code: 'unreadable_document', message: 'A document broke the job.' } },
    );
    const files = ['good', 'half', 'none', 'poison', 'zero'].map((name) => ({ path: Buffer.from(`${name}.pdf`), content: name === 'zero' ? Buffer.alloc(0) : makePdf({ pages: 4, marker: name }) }));
    const source = await stack.write(id, [...files, { path: Buffer.from('twin.pdf'), content: makePdf({ pages: 4, marker: 'good' }) }]);
    const { summary, lines } = await run(source, id);
    expect(summary).toMatchObject({ status: 'completed_with_errors', documents: 6, documentsDone: 6, counts: { processed: 1, partial: 1, failed: 2, rejected: 1, duplicate: 1 } });
    // The job with the poison is halved until that stands alone, and beside it what has no page: a job without any page fails as well.
    expect(story.jobs(id).map(({ status, documents }) => [status, ...documents.map(({ fileName }) => fileName)].join(' ')).sort()).toEqual([
      'completed_with_errors good.pdf half.pdf',
      'failed good.pdf half.pdf none.pdf poison.pdf',
      'failed none.pdf',
      'failed none.pdf poison.pdf',
      'failed poison.pdf',
    ]);
    const reason = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) as string });
    const line = Object.fromEntries(lines.map(({ source: name, outcome, reason: why, pages, pagesFailed, result }) => [name, { outcome, why, pages, pagesFailed, result: result !== null }]));
    expect(line).toEqual({
      'good.pdf': { outcome: 'processed', why: null, pages: 4, pagesFailed: null, result: true },
      'half.pdf': { outcome: 'partial', why: reason('partial', /1 of 4 pages .*page_failed/), pages: 4, pagesFailed: 1, result: true },
      'none.pdf': { outcome: 'failed', why: reason('job_failed', /no_readable_pages/), pages: null, pagesFailed: null, result: false },
      'poison.pdf': { outcome: 'failed', why: reason('job_failed', /unreadable_document: A document broke the job/), pages: null, pagesFailed: null, result: false },
      'twin.pdf': { outcome: 'duplicate', why: reason('duplicate', /same content/), pages: 4, pagesFailed: null, result: true },
      'zero.pdf': { outcome: 'rejected', why: reason('empty', /no bytes/), pages: null, pagesFailed: null, result: false },
    });
    for (const pages of await story.debits(id)) expect(Math.max(...pages)).toBeLessThanOrEqual(1);
  });

  test('limits that turn out lower than planned: the jobs are cancelled before any upload and split', async () => {
    story.fault({ kind: 'job', externalId: 'batch/lower/', limits: { maxFiles: 4 } });
    const source = await stack.write('lower', manyDocuments(20));
    expect((await run(source, 'lower', { maxConcurrentJobs: 2 })).summary).toMatchObject({ status: 'completed', counts: { processed: 20 }, jobs: { planned: 5, done: 5 } });
    const jobs = story.jobs('lower');
    expect(jobs.filter(({ status }) => status === 'cancelled').map(({ documents }) => documents.length)).toEqual([0]);
    expect(jobs.filter(({ status }) => status === 'completed').map(({ documents }) => documents.length)).toEqual([4, 4, 4, 4, 4]);
  });

  test('two jobs run at once when they may, and the others wait', async () => {
    const id = 'two';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 2 });
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    expect((await stack.batches.status(id)).jobs).toEqual({ planned: 3, open: 2, done: 0 });
    stack.simulator.state.faults.clear();
    for (const job of [1, 2]) await story.control('/jobs', { job: jobWorkflowId(id, job), action: 'release' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
  });

  test('a terminated batch started again under its id, one job done and one under way, pays for nothing twice', async () => {
    const id = 'again';
    const more = { limits: { maxFiles: 1 }, maxConcurrentJobs: 1 };
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00002`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], more);
    await story.untilJobs(id, ([, second]) => second?.status === 'processing');
    await story.batchHandle(id).terminate('test');
    await stack.batches.start({ project: 'Quickstart', source: { folder: stack.source(id) }, ...more }, { id });
    await story.until(id, ({ jobs }) => jobs.done === 1 && jobs.open === 1);
    await story.control('/jobs', { job: jobWorkflowId(id, 2), action: 'release' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 }, jobs: { planned: 3, done: 3 } });
    expect(story.jobs(id).map(({ externalId }) => externalId).sort()).toEqual([1, 2, 3].map((job) => jobWorkflowId(id, job)));
    expect(await story.debits(id)).toEqual([[1], [1], [1]]);
    await story.manifest(id);
  });

  test('histories hold references: no payload over 8 KiB, and neither 100 files a job nor 30 jobs a batch make it larger than 1 does', async () => {
    await runHundred();
    await run(await stack.write('one', manyDocuments(1)), 'one');
    // Texts cost the simulator no artifacts; one drawing in ten lets their job end with a result.
    const files = Array.from({ length: 300 }, (_, index) => {
      const [folder, number] = [Math.floor(index / 10), index % 10];
      const path = `folder-${folder}/${number === 0 ? 'drawing.pdf' : `note-${number}.txt`}`;
      return { path: Buffer.from(path), content: number === 0 ? makePdf({ marker: `many ${folder}` }) : Buffer.from(`note ${index}`) };
    });
    const { summary } = await run(await stack.write('many', files), 'many', { limits: { maxFiles: 10 }, maxConcurrentJobs: 10, retryFailedDocuments: 0 });
    expect(summary).toMatchObject({ documents: 300, documentsDone: 300, counts: { processed: 30, failed: 270 }, jobs: { planned: 30, done: 30 } });
    expect(story.jobs('many').flatMap(({ documents }) => documents)).toHaveLength(300);
    expect(story.jobs('hundred').map(({ documents }) => documents.length)).toContain(100);
    const ids = { batch: ['hundred', 'many'].map(batchWorkflowId), job: [jobWorkflowId('hundred', 1), jobWorkflowId('hundred', 2), jobWorkflowId('many', 1), jobWorkflowId('many', 30)] };
    for (const [one, more] of [[batchWorkflowId('one'), ids.batch], [jobWorkflowId('one', 1), ids.job]] as const) {
      const smallest = await largestPayload(one);
      expect(smallest).toBeLessThanOrEqual(maxPayloadBytes - maxGrowthBytes);
      const larger = await Promise.all(more.map(async (id) => [id, (await largestPayload(id)) - smallest] as const));
      expect(larger.filter(([, bytes]) => bytes > maxGrowthBytes)).toEqual([]);
    }
  });
});
