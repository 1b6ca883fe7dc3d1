import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wholeBytes } from '../../src/store';
import { FolderReader } from '../../src/store/folder-read';
import { readAll } from './conformance';

let folder: string;
const at = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const openFiles = async () => (await readdir('/proc/self/fd')).length;

describe.each([['in the background', false], ['blocking', true]])('a reader that reads %s', (_, isBlocking) => {
  test('finds no file in what is none, and waits for nothing', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    await symlink(at('loop'), at('loop'));
    const server = createServer();
    await new Promise<void>((done) => server.listen(at('socket'), done));
    const reader = new FolderReader(isBlocking);
    for (const name of ['pipe', 'loop', 'socket', 'none', '', 'none/none']) {
      expect([name, await reader.read(at(name), 10)]).toEqual([name, undefined]);
      expect([name, await reader.stream(at(name))]).toEqual([name, undefined]);
    }
    await new Promise((done) => server.close(done));
  });

  test('holds small files and small parts, streams the rest, and leaves nothing open', async () => {
    const bytes = Buffer.alloc(wholeBytes * 2 + 5, 'abc');
    await writeFile(at('large'), bytes);
    const reader = new FolderReader(isBlocking);
    const before = await openFiles();
    for (const range of [undefined, { start: 7 }, { start: 7, end: wholeBytes + 100 }, { start: wholeBytes, end: wholeBytes + 3 }, { start: bytes.length }]) {
      const part = await readAll((await reader.stream(at('large'), range))!);
      expect(part.equals(bytes.subarray(range?.start ?? 0, (range?.end ?? bytes.length) + 1))).toBe(true);
    }
    expect(await reader.read(at('large'), wholeBytes)).toBeNull();
    expect((await reader.read(at('large'), bytes.length))!.bytes.equals(bytes)).toBe(true);
    expect(await openFiles()).toBe(before);
  });
});

test('a disk that is slow to answer is asked in the background, where others are asked meanwhile', async () => {
  await writeFile(at('file'), 'x');
  const blocked = jest.spyOn(fs, 'fstatSync');
  let now = 0;
  let readTakesMs = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => (now += readTakesMs));
  const reader = new FolderReader(true);
  for (let i = 0; i < 3; i += 1) await reader.read(at('file'), 10);
  expect(blocked).toHaveBeenCalledTimes(3);
  readTakesMs = 10;
  await reader.read(at('file'), 10);
  readTakesMs = 0;
  for (let i = 0; i < 20; i += 1) expect((await reader.read(at('file'), 10))!.bytes.toString()).toBe('x');
  expect(blocked).toHaveBeenCalledTimes(4);
  for (let i = 0; i < 300; i += 1) await reader.read(at('file'), 10);
  expect(blocked).toHaveBeenCalledTimes(4 + 300 - (256 - 20));
});
