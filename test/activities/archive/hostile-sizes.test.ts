import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { jobKeys } from '../../../src/contract/keys';
import { PlangrepClient } from '../../../src/plangrep/client';
import { ContractError, TransportError } from '../../../src/plangrep/errors';
import { SmallDisk } from '../../store/small-disk';
import { Bench, apiKey, body, json, link, resultOf } from './fake-api';

const keys = jobKeys('b', 1);
const bench = new Bench();
const { api } = bench;
beforeEach(() => bench.start());
afterEach(() => bench.stop());

const result = JSON.stringify(resultOf([{ documentId: 'doc_a', pageCount: 1, successfulPageCount: 1, failedPageCount: 0, artifacts: ['r/small.png', 'r/endless.png'].map((path) => link(path)) }]));

test('a result that is mostly white space is archived as it is', async () => {
  const [block, blocks] = [' \n\t\r'.repeat(64 * 1024), 64];
  api.results = [
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(result.slice(0, -1));
      const more = (left: number): void => (left === 0 ? void response.end('}') : void response.write(block, () => more(left - 1)));
      more(blocks);
    },
  ];
  for (const path of ['r/small.png', 'r/endless.png']) api.artifacts.set(path, body('x'));
  expect(await bench.archive()).toMatchObject({ files: 3, bytes: result.length + blocks * block.length + 2 });
});

test.each<[string, string]>([
  ['nothing but brackets', '['.repeat(2_000_000)],
  ['a document that is nested without end', result.replace('"documentId"', `"x":${'{"x":'.repeat(300_000)}`)],
  ['white space alone', ' '.repeat(1_000_000)],
  ['a text that never ends', `{"schemaVersion":"${'x'.repeat(2_000_000)}`],
])('a result that is %s is asked for again, given up in the end, and leaves nothing', async (_, text) => {
  api.results = [body(text, 'application/json')];
  await expect(bench.archive()).rejects.toThrow(TransportError);
  await expect(bench.archive({ attempt: 20 })).rejects.toThrow(ContractError);
  expect(await bench.snapshot('batches')).toEqual({});
});

describe('an artifact without end', () => {
  let disk: SmallDisk;
  afterEach(() => disk.close());

  test.each([['a disk', true], ['calls that fail like one', false]])('fills %s and no more: what it had taken is free again, the others are archived, and it is tried again', async (_how, isReal) => {
    disk = await SmallDisk.at(bench.folder, isReal);
    api.results = [body(result, 'application/json')];
    api.artifacts.set('r/small.png', body('small'));
    let sent = 0;
    api.artifacts.set('r/endless.png', (_, response) => {
      response.writeHead(200, { 'content-type': 'image/png' });
      const more = (error?: Error | null): void => {
        if (error || response.destroyed) return;
        sent += 1;
        if (sent === 100) void disk.fill();
        response.write(Buffer.alloc(16_384), more);
      };
      const begin = async (): Promise<void> => ((await bench.store.stat(`${keys.artifacts}/r/small.png`)) ? more() : void setImmediate(() => void begin()));
      void begin();
    });
    await expect(bench.archive()).rejects.toMatchObject({ name: 'StoreError', code: 'ENOSPC' });
    const names = (await readdir(bench.folder, { recursive: true })).filter((name) => name.includes('.tmp-') || name.includes('endless'));
    expect(names).toEqual([]);
    expect(await bench.text(`${keys.artifacts}/r/small.png`)).toBe('small');
    await disk.free();
    api.artifacts.set('r/endless.png', body('an end'));
    expect(await bench.archive({ attempt: 2 })).toMatchObject({ files: 3 });
  });
});

describe('an artifact that is longer than it says', () => {
  let server: Server;
  afterEach(() => new Promise((done) => server.close(done)));

  test('ends where it said, or fails: nothing of what comes after is kept', async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5\r\n\r\nsmall${'x'.repeat(1_000_000)}`));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const client = new PlangrepClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: () => apiKey, version: '0' });
    api.results = [json(resultOf([]))];
    const { body: bytes, sizeBytes } = await client.getArtifact('job_1', 'r/x.png');
    const written = await bench.store.write('a/x', bytes).catch((error: unknown) => error);
    if (written instanceof Error) expect([written, await bench.store.stat('a/x')]).toEqual([expect.any(TransportError), null]);
    else expect([written, sizeBytes]).toEqual([expect.objectContaining({ sizeBytes: 5 }), 5]);
    await client.close();
  });
});
