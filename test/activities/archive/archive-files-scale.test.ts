import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { link as linkFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { jobKeys } from '../../../src/contract/keys';
import { ArchivedFiles } from '../../../src/activities/archive/archived-files';
import { createPace } from '../../../src/activities/pace';
import type { Store } from '../../../src/store';
import { FolderStore } from '../../../src/store/folder';
import { newOwner } from '../../../src/store/owner';
import { Bench, body, dyingStore, link, resultOf } from './fake-api';
import { memoryGrowth } from '../../support/memory';

const keys = jobKeys('b', 1);
const bench = new Bench();
const { api } = bench;
beforeEach(() => bench.start());
afterEach(() => bench.stop());

test('killed at any moment, the next attempt ends in the same archive and downloads no archived artifact again', async () => {
  const paths = ['r/a.png', 'r/b.png', 'r/C.png', 'r/d.png', 'r/a.png'];
  const text = JSON.stringify(resultOf([{ documentId: 'doc_a', pageCount: 3, artifacts: paths.slice(0, 3).map((path) => link(path)) }, { documentId: 'doc_b', artifacts: paths.slice(3).map((path) => link(path)) }]));
  api.results = [body(text, 'application/json')];
  for (const path of paths) api.artifacts.set(path, body(`bytes of ${path}`));
  const answer = await bench.archive();
  const [expected, records] = [await bench.snapshot('batches'), await bench.text(keys.results)];

  for (let step = 0; ; step += 1) {
    await bench.store.removeAll('batches');
    await bench.store.removeAll('work');
    const killed = await bench.archive({ store: dyingStore(bench.store, step) }).then(() => false, () => true);
    const archived = Object.keys(await bench.snapshot(keys.folder)).filter((path) => path.startsWith('artifacts/')).length;
    api.asked.length = 0;
    expect(await bench.archive({ attempt: 2 })).toEqual(answer);
    expect(await bench.snapshot('batches')).toEqual(expected);
    expect(await bench.text(keys.results)).toBe(records);
    expect(api.askedArtifacts).toHaveLength(4 - archived);
    if (!killed) break;
  }
});

test('killed right after an artifact has its place, the next attempt clears away its other name, though it writes nothing there', async () => {
  api.results = [body(JSON.stringify(resultOf([{ documentId: 'doc_a', artifacts: [link('r/a.png')] }])), 'application/json')];
  api.artifacts.set('r/a.png', body('a picture'));
  await bench.archive();
  const archived = async (): Promise<string[]> => (await readdir(join(bench.store.location, keys.artifacts), { recursive: true })).sort();
  const expected = await archived();
  const [place, , start, random] = newOwner().split('-');
  const picture = join(bench.store.location, keys.artifacts, expected.at(-1)!);
  await linkFile(picture, join(picture, `../.tmp-${[place, spawnSync('true').pid, start, random].join('-')}`));
  expect(await archived()).toHaveLength(expected.length + 1);
  await bench.archive({ store: new FolderStore(bench.store.location), attempt: 2 });
  expect(await archived()).toEqual(expected);
});

test('keeps to the pace of the process', async () => {
  const paths = Array.from({ length: 12 }, (_, index) => `r/${index}.png`);
  api.results = [body(JSON.stringify(resultOf([{ documentId: 'doc_a', artifacts: paths.map((path) => link(path)) }])), 'application/json')];
  for (const path of paths) api.artifacts.set(path, body('x'));
  const real = createPace(100_000);
  let waits = 0;
  const pace = {
    wait: (signal?: AbortSignal) => {
      waits += 1;
      return real.wait(signal);
    },
    slowDown: () => undefined,
  };
  await bench.archive({ pace });
  expect(waits).toBe(api.asked.length);
});

test('hundreds of artifacts, each path once, with few at a time', async () => {
  const paths = Array.from({ length: 400 }, (_, index) => `r/${index % 10}/${index}.png`);
  const documents = Array.from({ length: 10 }, (_, document) => ({
    documentId: `doc_${document}`,
    sheets: paths.slice(document * 40, document * 40 + 40).map((path, page) => ({ pageNumber: page + 1, artifacts: [link(path), link(path, 'again')] })),
  }));
  api.results = [body(JSON.stringify(resultOf(documents)), 'application/json')];
  let [running, most] = [0, 0];
  for (const path of paths) {
    api.artifacts.set(path, (request, response) => {
      most = Math.max(most, (running += 1));
      response.on('close', () => (running -= 1));
      body(`bytes of ${path}`)(request, response);
    });
  }
  expect(await bench.archive()).toMatchObject({ files: 401 });
  expect(api.askedArtifacts).toEqual([...paths].sort());
  // A response counts until its connection is seen to be done with it.
  expect(most).toBeLessThanOrEqual(8);
  const records = await bench.lines(keys.results);
  expect(records.map(({ artifacts }) => (artifacts as unknown[]).length)).toEqual(Array.from({ length: 10 }, () => 80));
});

describe('a result of 90 MB with one document of 100,000 sheets', () => {
  const sheets = 100_000;
  const filler = JSON.stringify({ id: 'ev', type: 'region', text: 'Verify all dimensions on site before fabrication. '.repeat(40) });

  /** The pieces of a result whose first document is as large as documents get, and whose usage comes last. */
  function* pieces(): Generator<string> {
    yield '{"schemaVersion":"v1","job":{"id":"job_1"},"documents":[{"documentId":"doc_a","pageCount":100000,"sheets":[';
    for (let sheet = 0; sheet < sheets; sheet += 1) yield `${sheet ? ',' : ''}{"sheetNumber":"S-${sheet}","sheetName":"Framing plan","pageNumber":${sheet + 1},"artifacts":[]}`;
    yield '],"successfulPageCount":100000,"failedPageCount":0,"text":"';
    for (let part = 0; part < 1000; part += 1) yield 'one text without end '.repeat(1000);
    yield '"}],"evidence":[';
    for (let part = 0; part < 30_000; part += 1) yield `${part ? ',' : ''}${filler}`;
    yield '],"warnings":[],"errors":[],"usage":{"drawingPageCount":100000,"documentPageCount":0,"creditsDebited":1000000}}';
  }

  function* batches(): Generator<string> {
    let batch: string[] = [];
    let length = 0;
    for (const piece of pieces()) {
      batch.push(piece);
      length += piece.length;
      if (length < 65_536) continue;
      yield batch.join('');
      [batch, length] = [[], 0];
    }
    yield batch.join('');
  }

  test('passes with little memory', async () => {
    const hash = createHash('sha256');
    let size = 0;
    api.results = [
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        void pipeline(Readable.from(batches()), async function* (batchesOfText: AsyncIterable<string>) {
          for await (const text of batchesOfText) {
            hash.update(text);
            size += text.length;
            yield text;
          }
        }, response);
      },
    ];
    const most = await memoryGrowth(() => bench.archive());
    expect(size).toBeGreaterThan(85_000_000);
    expect(await bench.lines(keys.files)).toEqual([{ path: 'result.json', sizeBytes: size, sha256: hash.digest('hex') }]);
    expect(await bench.lines(keys.results)).toMatchObject([{ documentId: 'doc_a', pageCount: 100_000, credits: 1_000_000, artifacts: [] }]);
    // Server and client share this process; what is ruled out is memory that grows with the result.
    expect(most).toBeLessThan(50_000_000);
  });
});

test('what is archived of a job with 100,000 artifacts is known in little memory, and every 256 of them take one record more', async () => {
  let [writes, lines] = [0, 0];
  const write: Store['write'] = async (_, content) => {
    writes += 1;
    for await (const chunk of content as AsyncIterable<Buffer>) for (const byte of chunk) lines += byte === 10 ? 1 : 0;
    return { sizeBytes: 0, sha256: '' };
  };
  const nothing: Partial<Store> = { list: () => Readable.from([]), stat: () => Promise.resolve(null), write };
  const files = await ArchivedFiles.open(nothing as Store, keys, 1);
  const growth = await memoryGrowth(async () => {
    for (let i = 0; i < 100_000; i += 1) {
      const path = `artifacts/sheets/${i}/thumbnail.png`;
      await files.find(path);
      await files.add({ path, sizeBytes: i, sha256: createHash('sha256').update(path).digest('hex') });
    }
  });
  expect(files.totals.files).toBe(100_000);
  expect([writes, lines]).toEqual([Math.floor(100_000 / 256), 100_000 - (100_000 % 256)]);
  expect(growth).toBeLessThan(50_000_000);
});
