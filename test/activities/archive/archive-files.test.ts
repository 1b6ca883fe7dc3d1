import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { failureTypes } from '../../../src/contract/failures';
import { jobKeys } from '../../../src/contract/keys';
import { AuthError, BusyError, ContractError, RejectedError, TransportError } from '../../../src/plangrep/errors';
import { Bench, apiKey, body, broken, link, quietly, resultOf, stalled, status } from './fake-api';

const keys = jobKeys('b', 1);
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');

const bench = new Bench();
const { api } = bench;
beforeEach(() => bench.start());
afterEach(() => bench.stop());

const twoDocuments = [
  {
    ...{ documentId: 'doc_a', fileName: 'A.pdf', classification: 'plans', status: 'completed', pageCount: 2, successfulPageCount: 2, failedPageCount: 0, error: null },
    artifacts: [link('r/a.png', 'thumbnail')],
    sheets: [{ pageNumber: 1, artifacts: [link('r/a1.png')] }, { pageNumber: 2, artifacts: [link('r/a2.png'), link('r/a.png', 'thumbnail')] }],
  },
  {
    ...{ documentId: 'doc_b', fileName: 'B.pdf', pageCount: 2, successfulPageCount: 1, failedPageCount: 1, error: { code: 'page_failed', message: 'Page 2.' } },
    docs: [{ artifacts: [link('r/B text.txt', 'text')] }],
  },
];
const allPaths = ['r/B text.txt', 'r/a.png', 'r/a1.png', 'r/a2.png'];

function serve(result: unknown = resultOf(twoDocuments), paths = allPaths): string {
  const text = JSON.stringify(result);
  api.results = [body(text, 'application/json')];
  for (const path of paths) api.artifacts.set(path, body(`bytes of ${path}`));
  return text;
}

describe('archiveFiles', () => {
  test('archives the result byte for byte and every artifact, with a list of both', async () => {
    const text = serve();
    const answer = await bench.archive();
    const files = await bench.lines(keys.files);
    expect(files).toHaveLength(5);
    expect(answer).toEqual({ files: 5, bytes: files.reduce((sum, { sizeBytes }) => sum + (sizeBytes as number), 0) });
    expect(await bench.text(keys.result)).toBe(text);
    expect((await stat(join(bench.folder, keys.result))).mode & 0o777).toBe(0o600);
    expect(files.at(-1)).toEqual({ path: 'result.json', sizeBytes: text.length, sha256: sha256(text) });
    for (const { path, sizeBytes, sha256: sum } of files.slice(0, -1)) {
      const content = await bench.text(`${keys.folder}/${String(path)}`);
      expect(content).toMatch(/^bytes of r\//);
      expect({ sizeBytes, sum }).toEqual({ sizeBytes: content.length, sum: sha256(content) });
    }
    expect(api.askedArtifacts).toEqual(allPaths);
    expect([...api.keys]).toEqual([`Bearer ${apiKey}`]);
  });

  test('writes what the result says of each document, with its artifacts', async () => {
    serve(resultOf(twoDocuments, { errors: [{ code: 'unreadable', message: 'Page 2 is blank.', documentId: 'doc_b', pageNumber: 2 }] }));
    await bench.archive();
    const thumbnail = { type: 'thumbnail', path: 'jobs/00001/artifacts/r/a.png', sizeBytes: 16, sha256: sha256('bytes of r/a.png') };
    expect(await bench.lines(keys.results)).toEqual([
      {
        ...{ index: 0, documentId: 'doc_a', fileName: 'A.pdf', status: 'completed', pageCount: 2, successfulPageCount: 2, failedPageCount: 0, error: null, issue: null },
        ...{ credits: 20, missing: null },
        artifacts: [
          thumbnail,
          { type: 'image', path: 'jobs/00001/artifacts/r/a1.png', sizeBytes: 17, sha256: sha256('bytes of r/a1.png') },
          { type: 'image', path: 'jobs/00001/artifacts/r/a2.png', sizeBytes: 17, sha256: sha256('bytes of r/a2.png') },
        ],
      },
      {
        ...{ index: 1, documentId: 'doc_b', fileName: 'B.pdf', status: null, pageCount: 2, successfulPageCount: 1, failedPageCount: 1, credits: 10, missing: null },
        ...{ error: { code: 'page_failed', message: 'Page 2.' }, issue: { code: 'unreadable', message: 'Page 2 is blank.' } },
        artifacts: [expect.objectContaining({ type: 'text', path: expect.stringMatching(/^jobs\/00001\/artifacts\/r\/B_text~\w+\.txt$/) })],
      },
    ]);
  });

  test('a repeat asks for nothing and changes nothing', async () => {
    serve();
    const first = await bench.archive();
    const objects = async () => {
      const seen = [];
      for await (const object of bench.store.list(keys.folder)) seen.push(object);
      return seen;
    };
    const before = await objects();
    api.asked.length = 0;
    expect(await bench.archive({ attempt: 2 })).toEqual(first);
    expect(api.asked).toEqual([]);
    expect(await objects()).toEqual(before);
  });

  test('a repeat brings back what went missing or was cut, and nothing else', async () => {
    serve();
    const first = await bench.archive();
    const before = await bench.snapshot(keys.folder);
    await bench.store.remove(`${keys.artifacts}/r/a1.png`);
    await bench.store.write(`${keys.artifacts}/r/a2.png`, 'short');
    api.asked.length = 0;
    expect(await bench.archive()).toEqual(first);
    expect(api.askedArtifacts).toEqual(['r/a1.png', 'r/a2.png']);
    expect(api.asked).toHaveLength(2);
    expect(await bench.snapshot(keys.folder)).toEqual(before);
    await bench.store.remove(keys.result);
    expect(await bench.archive()).toEqual(first);
    expect(await bench.snapshot(keys.folder)).toEqual(before);
  });

  test('a repeat mends its own lists', async () => {
    serve();
    await bench.archive();
    const before = await bench.snapshot(keys.folder);
    for (const key of [keys.files, keys.extract, `${keys.archived}/000001-000001.jsonl`]) await bench.store.write(key, '{"kind":');
    api.asked.length = 0;
    expect(await bench.archive({ attempt: 2 })).toMatchObject({ files: 5 });
    expect(api.asked).toEqual([]);
    expect(await bench.snapshot(keys.folder)).toEqual(before);
  });

  test('a repeat after the job was closed leaves no working files behind', async () => {
    serve();
    await bench.archive();
    await bench.store.removeAll(keys.work);
    await bench.store.write(keys.documents, '');
    const before = await bench.snapshot(keys.folder);
    await bench.archive();
    expect(api.asked.filter((what) => what === 'result')).toHaveLength(1);
    expect(await bench.snapshot(keys.folder)).toEqual(before);
    expect(await bench.snapshot(keys.work)).toEqual({});
  });
});

describe('a result that does not arrive whole', () => {
  const whole = JSON.stringify(resultOf(twoDocuments));
  const invalidAtTheEnd = `${whole.slice(0, -1)},}`;

  test.each<[string, Parameters<typeof api.results.push>[0]]>([
    ['that ends early', broken(whole.slice(0, 200), { 'content-length': whole.length })],
    ['whose connection breaks, without a length', broken(whole.slice(0, 200))],
    ['that is a web page', body('<html></html>', 'text/html')],
    ['that is a web page called JSON', body('<html></html>', 'application/json')],
    ['that is empty', body('', 'application/json')],
    ['that is no JSON at its very end', body(invalidAtTheEnd, 'application/json')],
    ['with something after it', body(`${whole}{}`, 'application/json')],
    ['that is not UTF-8', body(Buffer.concat([Buffer.from(whole.slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')]), 'application/json')],
  ])('%s leaves nothing, and the next attempt archives it', async (_, answer) => {
    serve();
    api.results = [answer, body(whole, 'application/json')];
    await expect(bench.archive()).rejects.toThrow(TransportError);
    expect(await bench.snapshot('batches')).toEqual({});
    expect(await bench.archive({ attempt: 2 })).toMatchObject({ files: 5 });
    expect(await bench.text(keys.result)).toBe(whole);
  });

  test('is given up when it is no JSON time after time', async () => {
    serve();
    api.results = [body(invalidAtTheEnd, 'application/json')];
    await expect(bench.archive({ attempt: 19 })).rejects.toThrow(TransportError);
    await expect(bench.archive({ attempt: 20 })).rejects.toThrow(ContractError);
  });

  test.each<[string, object, string]>([
    ['of another version', resultOf(twoDocuments, { schemaVersion: 'v2' }), 'schemaVersion'],
    ['without documents', resultOf(twoDocuments, { documents: null }), 'documents'],
  ])('or is one %s is kept, and the activity fails for good without a second download', async (_, result, place) => {
    const text = serve(result);
    await expect(bench.archive()).rejects.toThrow(new RegExp(`^Result: ${place}`));
    await expect(bench.archive({ attempt: 2 })).rejects.toThrow(ContractError);
    expect(api.asked).toEqual(['result']);
    expect(await bench.text(keys.result)).toBe(text);
  });

  test('or is that of another job, as a mixed-up cache gives it, is asked for again; time after time it is kept, and the activity fails for good', async () => {
    serve();
    const other = JSON.stringify(resultOf(twoDocuments, { job: { id: 'job_2' } }));
    api.results = [body(other, 'application/json'), body(whole, 'application/json')];
    await expect(bench.archive()).rejects.toThrow(new TransportError('The result is that of another job'));
    expect(await bench.archive({ attempt: 2 })).toMatchObject({ files: 5 });
    expect(await bench.text(keys.result)).toBe(whole);
    await bench.store.removeAll(keys.folder);
    await bench.store.removeAll(keys.work);
    api.results = [body(other, 'application/json')];
    await expect(bench.archive({ attempt: 20 })).rejects.toThrow(/^Result: job.id/);
    expect(await bench.text(keys.result)).toBe(other);
  });

  test.each([409, 400, 302])('because of a %d, as a gateway or a part of Plangrep that has not heard yet may give it, is asked for again: it is paid for', async (code) => {
    serve();
    api.results = [status(code), body(whole, 'application/json')];
    await expect(bench.archive({ attempt: 99 })).rejects.toMatchObject({ name: 'TransportError', message: expect.stringContaining(`refuses its result: GET /api/open/v1/jobs/job_1/result answered ${code}`) as string });
    expect(await bench.archive({ attempt: 100 })).toMatchObject({ files: 5 });
  });

  test('because a gateway shows a page in its place is asked for again, however often', async () => {
    serve();
    api.results = [body('<html></html>', 'text/html'), body(whole, 'application/json')];
    await expect(bench.archive({ attempt: 99 })).rejects.toBeInstanceOf(TransportError);
    expect(await bench.archive({ attempt: 100 })).toMatchObject({ files: 5 });
  });

  test.each([404, 410])('because of a %d is asked for again while the job itself is there, and passes as it is when it is not', async (code) => {
    api.results = [status(code)];
    await expect(bench.archive()).rejects.toBeInstanceOf(TransportError);
    api.job = status(code);
    await expect(bench.archive()).rejects.toMatchObject({ name: 'RejectedError', status: code });
    expect(api.asked).toEqual(['result', 'job', 'result', 'job']);
  });

  test('because the job expired is Expired', async () => {
    api.results = [status(404)];
    await expect(bench.archive({ expiresAt: '2020-01-01T00:00:00Z' })).rejects.toMatchObject({ type: failureTypes.expired, nonRetryable: true });
  });
});

describe('artifacts that cannot be had', () => {
  test('one that fails now does not stop the others, and the next attempt asks only for it', async () => {
    serve();
    api.artifacts.set('r/a1.png', status(500));
    await expect(bench.archive()).rejects.toThrow(BusyError);
    expect(api.askedArtifacts).toEqual(['r/B text.txt', 'r/a.png', 'r/a1.png', 'r/a1.png', 'r/a2.png']);
    expect(await bench.store.stat(keys.files)).toBeNull();
    api.asked.length = 0;
    api.artifacts.set('r/a1.png', body('at last'));
    expect(await bench.archive({ attempt: 2 })).toMatchObject({ files: 5 });
    expect(api.asked).toEqual(['r/a1.png']);
  });

  test.each<[string, Parameters<typeof api.results.push>[0]]>([
    ['cut short', broken('byt', { 'content-length': 100 })],
    ['of another length', broken('bytes', { 'content-length': 3 })],
    ['reset', broken('')],
  ])('one that is %s leaves nothing in its place', async (_, answer) => {
    serve();
    api.artifacts.set('r/a1.png', answer);
    await bench.archive().catch((error: unknown) => expect(error).toBeInstanceOf(TransportError));
    const found = await bench.store.stat(`${keys.artifacts}/r/a1.png`);
    expect(found === null || found.sizeBytes === 3).toBe(true);
  });

  test('a gateway\'s page in place of one is not archived, and asked for again until near the deadline', async () => {
    serve();
    api.artifacts.set('r/a1.png', body('<html></html>', 'text/html'));
    await expect(bench.archive({ attempt: 99 })).rejects.toBeInstanceOf(ContractError);
    expect(await bench.store.stat(`${keys.artifacts}/r/a1.png`)).toBeNull();
    api.artifacts.set('r/a1.png', body('at last'));
    expect(await bench.archive({ attempt: 100 })).toMatchObject({ files: 5 });
  });

  test('one that stays unknown while the job is there is named as missing with its document', async () => {
    serve();
    api.artifacts.delete('r/a1.png');
    expect(await bench.archive()).toMatchObject({ files: 4 });
    expect(api.askedArtifacts.filter((path) => path === 'r/a1.png')).toHaveLength(2);
    const [first, second] = await bench.lines(keys.results);
    expect(first).toMatchObject({ missing: { count: 1, first: expect.stringContaining('404') }, artifacts: [{ path: 'jobs/00001/artifacts/r/a.png' }, { path: 'jobs/00001/artifacts/r/a2.png' }] });
    expect(second).toMatchObject({ missing: null });
    expect(await bench.lines(keys.files)).toHaveLength(4);
  });

  test('an entry without any path is named as missing', async () => {
    serve(resultOf([{ documentId: 'doc_a', artifacts: [{ type: 'x', url: 'https://elsewhere.example/x?token=s3cret' }, link('r/a.png')] }]));
    await bench.archive();
    expect(await bench.lines(keys.results)).toMatchObject([{ missing: { count: 1, first: 'The result gives no path for it' } }]);
    expect(JSON.stringify(await bench.snapshot('work'))).not.toContain('s3cret');
  });

  test('all of them gone with the job stops at once, as Expired after the deadline', async () => {
    const paths = Array.from({ length: 100 }, (_, index) => `r/${index}.png`);
    serve(resultOf([{ documentId: 'doc_a', artifacts: paths.map((path) => link(path)) }]), []);
    api.job = status(404);
    await expect(bench.archive()).rejects.toThrow(RejectedError);
    expect(api.askedArtifacts.length).toBeLessThan(10);
    await expect(bench.archive({ expiresAt: '2020-01-01T00:00:00Z' })).rejects.toMatchObject({ type: failureTypes.expired });
  });

  test('near the deadline one that still fails is named as missing rather than lose the rest', async () => {
    serve();
    api.artifacts.set('r/a1.png', status(500));
    expect(await bench.archive({ expiresAt: new Date(Date.now() + 1_800_000).toISOString() })).toMatchObject({ files: 4 });
    expect(await bench.lines(keys.results)).toMatchObject([{ missing: { count: 1 } }, { missing: null }]);
  });

  test('an API in trouble is not asked for thousands of them', async () => {
    const paths = Array.from({ length: 500 }, (_, index) => `r/${index}.png`);
    serve(resultOf([{ documentId: 'doc_a', artifacts: paths.map((path) => link(path)) }]), []);
    for (const path of paths) api.artifacts.set(path, status(503, { 'retry-after': '7' }));
    const paused: number[] = [];
    const pace = { wait: () => Promise.resolve(), slowDown: (ms: number) => void paused.push(ms) };
    await expect(bench.archive({ pace })).rejects.toMatchObject({ status: 503, retryAfterMs: 7000 });
    expect(api.askedArtifacts.length).toBeLessThan(20);
    expect(new Set(paused)).toEqual(new Set([7000]));
  });

  test('a refused key stops everything', async () => {
    serve();
    for (const path of allPaths) api.artifacts.set(path, status(403));
    await expect(bench.archive()).rejects.toThrow(AuthError);
  });
});

describe('paths and URLs from outside', () => {
  test('stay inside the job’s folder, apart from each other, and lead to no other host', async () => {
    const foreign: string[] = [];
    const stranger = createServer((request, response) => {
      foreign.push(request.url!);
      response.end('stolen');
    });
    await new Promise<void>((done) => stranger.listen(0, '127.0.0.1', done));
    const origin = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const paths = ['../../../../evil.png', '/etc/passwd', 'a\0b.png', 'C:\\x.png', 'con.png', 'A.png', 'a.png', 'é.png', 'e\u0301.png', 'x', 'x/y.png', `${'long'.repeat(200)}.png`, '%2e%2e/z.png', 'a b+c&d=e#f?.png', '.hidden/..'];
    serve(resultOf([{ documentId: 'doc_a', artifacts: paths.map((path) => link(path, 'image', origin)) }]), paths);
    expect(await bench.archive()).toMatchObject({ files: paths.length + 1 });
    stranger.close();
    expect(foreign).toEqual([]);
    expect(new Set(api.askedArtifacts)).toEqual(new Set(paths));
    const [record] = await bench.lines(keys.results);
    const artifacts = record!.artifacts as { path: string }[];
    expect(new Set(artifacts.map(({ path }) => path.toLowerCase().normalize('NFC'))).size).toBe(paths.length);
    for (const [index, { path }] of artifacts.entries()) {
      expect(path.startsWith('jobs/00001/artifacts/')).toBe(true);
      expect(await bench.text(`batches/b/${path}`)).toBe(`bytes of ${paths[index]}`);
    }
    expect(JSON.stringify(await bench.snapshot('batches'))).not.toContain(apiKey);
  });
});

test('cancellation ends it while the API is silent', async () => {
  serve();
  api.results = [stalled('{"schemaVersion":')];
  const env = quietly();
  const ended = bench.archive({ env }).catch((error: unknown) => error);
  while (api.asked.length === 0) await new Promise((next) => setImmediate(next));
  env.cancel('CANCELLED');
  expect(await ended).toBeInstanceOf(CancelledFailure);
  expect(await bench.snapshot('batches')).toEqual({});
});
