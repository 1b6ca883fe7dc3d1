import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Descriptors, placesUnder } from '../../../src/activities/plan/descriptors';
import { temporaryFolder, writeFiles } from './planning';

/** A handle that can be closed, and nothing else. */
const handle = () => Object.assign(new EventEmitter(), {}) as unknown as FileHandle & EventEmitter;
const close = (opened: FileHandle) => (opened as unknown as EventEmitter).emit('close');
const shortage = (code = 'EMFILE') => Object.assign(new Error(code), { code });
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('no more files are open at once than there are places, and the next one opens when one is closed', async () => {
  const descriptors = new Descriptors(2);
  const opened: FileHandle[] = [];
  const all = Promise.all([1, 2, 3, 4, 5].map(async () => opened.push(await descriptors.keep(() => Promise.resolve(handle())))));
  for (let closed = 0; closed < 5; closed += 1) {
    await turn();
    expect([opened.length, descriptors.open]).toEqual([Math.min(5, closed + 2), Math.min(2, 5 - closed)]);
    close(opened[closed]!);
  }
  await all;
  expect(descriptors.open).toBe(0);
});

test('an open that fails takes no place', async () => {
  const descriptors = new Descriptors(1);
  for (let time = 0; time < 3; time += 1) await expect(descriptors.keep(() => Promise.reject(new Error('ENOENT')))).rejects.toThrow('ENOENT');
  const first = await descriptors.keep(() => Promise.resolve(handle()));
  const second = descriptors.keep(() => Promise.resolve(handle()));
  close(first);
  close(await second);
  expect(descriptors.open).toBe(0);
});

test.each(['EMFILE', 'ENFILE'])('%s is waited out until one of ours is closed', async (code) => {
  const descriptors = new Descriptors(10);
  const first = await descriptors.keep(() => Promise.resolve(handle()));
  let free = false;
  const open = jest.fn(() => (free ? Promise.resolve(handle()) : Promise.reject(shortage(code))));
  const second = descriptors.keep(open);
  const names = descriptors.patiently(open);
  await turn();
  expect(open).toHaveBeenCalledTimes(2);
  free = true;
  close(first);
  await Promise.all([second, names]);
  expect(descriptors.open).toBe(1);
});

test('a shortage that lasts while none of ours is open is an error in the end', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  try {
    const outcome = new Descriptors(10).patiently(() => Promise.reject(shortage())).then(() => 'opened', (error: NodeJS.ErrnoException) => error.code);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await outcome).toBe('EMFILE');
  } finally {
    jest.useRealTimers();
  }
});

test('the places follow the limit of open files', () => {
  expect([0, 64, 256, 1024, Infinity].map(placesUnder)).toEqual([2, 6, 54, 246, 256]);
});

test('a folder of many files is planned by a process that may open few', () => {
  const root = temporaryFolder();
  writeFiles(root, Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${at}.pdf`, String(at).padStart(3, '0')])));
  execFileSync('chmod', ['755', root]);
  const planning = [process.execPath, '--import', 'tsx', join(__dirname, 'plan-as-nobody.ts'), root];
  const output = execFileSync('bash', ['-c', 'ulimit -n 64; exec "$@"', '-', ...planning], { encoding: 'utf8' });
  expect(Object.values(JSON.parse(output) as object)).toEqual(Array.from({ length: 300 }, (_, at) => Math.floor(at / 100) + 1));
});
