import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeHashing, hashFile } from '../../src/hashing';
import { HashingPool, type HashingPoolOptions } from '../../src/hashing/pool';
import { threadCode } from '../../src/hashing/thread-code';

const folder = mkdtempSync(join(tmpdir(), 'hashing-test-'));
const descriptors: number[] = [];
const pools: HashingPool[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  for (const fd of descriptors.splice(0)) closeSync(fd);
});
afterAll(async () => {
  await closeHashing();
  rmSync(folder, { recursive: true });
});

/** A file of this content, open for reading and writing. */
function fileOf(content: Buffer): number {
  const path = join(folder, `${descriptors.length}`);
  writeFileSync(path, content);
  return opened(path);
}

/** A file of zeros that takes no room on the disk. */
function sparseFile(sizeBytes: number): number {
  const fd = fileOf(Buffer.alloc(0));
  ftruncateSync(fd, sizeBytes);
  return fd;
}

function opened(path: string): number {
  const fd = openSync(path, path === folder ? 'r' : 'r+');
  descriptors.push(fd);
  return fd;
}

function poolWith(options: HashingPoolOptions): HashingPool {
  const pool = new HashingPool(options);
  pools.push(pool);
  return pool;
}

const contentOf = (sizeBytes: number) => Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const huge = 2 ** 43;

describe('a digest', () => {
  test.each([0, 1, 55, 64, 4095, 4096, 4097, 12_288, 70_001])('is that of Node, for %d bytes, whatever the reads and turns', async (sizeBytes) => {
    const content = contentOf(sizeBytes);
    const fd = fileOf(content);
    const expected = { sha256: sha256(content), sizeBytes };
    expect(await hashFile(fd, { sizeBytes })).toEqual(expected);
    expect(await poolWith({ bufferBytes: 4096, turnBytes: 10_000 }).hash(fd, { sizeBytes })).toEqual(expected);
  });

  it('of a large file passes the buffer of a thread', async () => {
    const content = contentOf(2_500_000);
    expect(await hashFile(fileOf(content), { sizeBytes: content.length })).toEqual({ sha256: sha256(content), sizeBytes: content.length });
  });

  it('does not reach beyond the bytes that are asked for, nor does it move the position of the descriptor', async () => {
    const content = contentOf(9_000);
    const fd = fileOf(content);
    expect(await hashFile(fd, { sizeBytes: 5_000 })).toEqual({ sha256: sha256(content.subarray(0, 5_000)), sizeBytes: 5_000 });
    writeSync(fd, 'x');
    content.write('x');
    expect(await hashFile(fd, { sizeBytes: 9_000 })).toEqual({ sha256: sha256(content), sizeBytes: 9_000 });
  });

  it('of a file that is shorter than thought is that of what is there, and says so', async () => {
    const content = contentOf(9_000);
    expect(await hashFile(fileOf(content), { sizeBytes: 20_000 })).toEqual({ sha256: sha256(content), sizeBytes: 9_000 });
  });

  it('of each of many files at once is its own', async () => {
    const pool = poolWith({ threads: 3, filesPerThread: 2, bufferBytes: 1024, turnBytes: 2048 });
    const contents = Array.from({ length: 60 }, (_, at) => contentOf(at * 211));
    const hashed = await Promise.all(contents.map((content) => pool.hash(fileOf(content), { sizeBytes: content.length })));
    expect(hashed).toEqual(contents.map((content) => ({ sha256: sha256(content), sizeBytes: content.length })));
  });
});

describe('turns', () => {
  it('let small files pass a huge one on the only thread, in the order they came', async () => {
    const pool = poolWith({ threads: 1, filesPerThread: 2, turnMs: 1 });
    const stop = new AbortController();
    const done: number[] = [];
    const large = pool.hash(sparseFile(huge), { sizeBytes: huge, signal: stop.signal });
    await Promise.all([1, 2, 3].map((at) => pool.hash(fileOf(contentOf(at)), { sizeBytes: at }).then(() => done.push(at))));
    stop.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    expect(done).toEqual([1, 2, 3]);
  });

  it('tell what was read so far, and leave the event loop free', async () => {
    const sizeBytes = 64 * 2 ** 20;
    const seen: number[] = [];
    let turnsOfTheLoop = 0;
    const looped = setInterval(() => (turnsOfTheLoop += 1), 0);
    const hashed = await poolWith({ threads: 1, turnBytes: 4 * 2 ** 20, turnMs: 10_000 }).hash(sparseFile(sizeBytes), { sizeBytes, onProgress: (bytes) => seen.push(bytes) });
    clearInterval(looped);
    expect(hashed.sizeBytes).toBe(sizeBytes);
    expect(seen).toEqual(Array.from({ length: 15 }, (_, at) => (at + 1) * 4 * 2 ** 20));
    // In one go there would be none.
    expect(turnsOfTheLoop).toBeGreaterThan(5);
  });
});

describe('an abort', () => {
  it('may be one for many files', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, () => hashFile(sparseFile(5), { sizeBytes: 5, signal })));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it('before the start, while waiting for a place, and under way ends in its reason, and the pool goes on', async () => {
    const pool = poolWith({ threads: 1, filesPerThread: 1, turnMs: 1 });
    await expect(pool.hash(sparseFile(1), { sizeBytes: 1, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    const [first, second] = [new AbortController(), new AbortController()];
    let begun = (): void => undefined;
    const underWay = new Promise<void>((resolve) => (begun = resolve));
    const large = pool.hash(sparseFile(huge), { sizeBytes: huge, signal: first.signal, onProgress: () => begun() });
    const waiting = pool.hash(sparseFile(huge), { sizeBytes: huge, signal: second.signal });
    await underWay;
    second.abort(new Error('waiting'));
    await expect(waiting).rejects.toThrow('waiting');
    first.abort(new Error('under way'));
    await expect(large).rejects.toThrow('under way');
    expect(await pool.hash(fileOf(contentOf(10)), { sizeBytes: 10 })).toMatchObject({ sizeBytes: 10 });
  });

  it('is settled only when the thread has let go of the descriptor, so that its number may be used again at once', async () => {
    const pool = poolWith({ threads: 1, filesPerThread: 1, turnMs: 1 });
    const content = contentOf(100_000);
    for (let round = 0; round < 5; round += 1) {
      const stop = new AbortController();
      const path = join(folder, 'again');
      writeFileSync(path, content);
      const fd = openSync(sparsePath(), 'r');
      await expect(pool.hash(fd, { sizeBytes: huge, signal: stop.signal, onProgress: () => stop.abort(new Error('stop')) })).rejects.toThrow('stop');
      closeSync(fd);
      const again = openSync(path, 'r');
      expect(again).toBe(fd);
      expect(await pool.hash(again, { sizeBytes: content.length })).toEqual({ sha256: sha256(content), sizeBytes: content.length });
      closeSync(again);
    }
  });
});

describe('what fails', () => {
  it('in the file system comes back with its code, and harms no other file', async () => {
    const content = contentOf(5_000);
    const [none, directory, good] = await Promise.allSettled([
      hashFile(999_999, { sizeBytes: 10 }),
      hashFile(opened(folder), { sizeBytes: 10 }),
      hashFile(fileOf(content), { sizeBytes: content.length }),
    ]);
    expect(none).toMatchObject({ status: 'rejected', reason: { code: 'EBADF', syscall: 'read' } });
    expect(directory).toMatchObject({ status: 'rejected', reason: { code: 'EISDIR' } });
    expect(good).toMatchObject({ status: 'fulfilled', value: { sha256: sha256(content) } });
  });

  it('with the thread is an error for the files it was at, and the next file has a new thread', async () => {
    // Two sizes make this thread throw, or end.
    const code = `${threadCode}\nparentPort.on('message', ({ sizeBytes }) => { if (sizeBytes === 666) throw new Error('out of memory'); if (sizeBytes === 667) process.exit(1); });`;
    const pool = poolWith({ threads: 1, filesPerThread: 2, code, turnMs: 1 });
    const large = pool.hash(sparseFile(huge), { sizeBytes: huge });
    const [one, other] = await Promise.allSettled([large, pool.hash(sparseFile(700), { sizeBytes: 666 })]);
    expect(one).toMatchObject({ status: 'rejected', reason: { message: 'the hashing thread ended', cause: { message: 'out of memory' } } });
    expect(other).toEqual(one);
    expect(await pool.hash(sparseFile(5), { sizeBytes: 5 })).toMatchObject({ sizeBytes: 5 });
    await expect(pool.hash(sparseFile(huge), { sizeBytes: 667 })).rejects.toThrow('the hashing thread ended');
    expect(await pool.hash(sparseFile(6), { sizeBytes: 6 })).toMatchObject({ sizeBytes: 6 });
  });
});

describe('closing', () => {
  it('lets what was asked for end first, can be repeated, and a later file starts a new thread', async () => {
    const pool = poolWith({ threads: 1, filesPerThread: 1 });
    const asked = [1, 2, 3].map((sizeBytes) => pool.hash(sparseFile(sizeBytes), { sizeBytes }));
    await Promise.all([pool.close(), pool.close()]);
    expect(await Promise.all(asked)).toHaveLength(3);
    expect(await pool.hash(sparseFile(4), { sizeBytes: 4 })).toMatchObject({ sizeBytes: 4 });
    await pool.close();
  });

  it('happens by itself to idle threads', async () => {
    // A thread that numbers the files it was given.
    const code = `${threadCode}\nlet number = 0; parentPort.removeAllListeners('message'); parentPort.on('message', ({ id }) => parentPort.postMessage({ id, sha256: '', sizeBytes: (number += 1) }));`;
    const pool = poolWith({ code, threads: 1, idleMs: 0 });
    let last = 0;
    for (let next = 1; next > last; ) {
      last = next;
      await new Promise(setImmediate);
      next = (await pool.hash(0, { sizeBytes: 1 })).sizeBytes;
    }
    expect(last).toBeGreaterThanOrEqual(1);
  });
});

function sparsePath(): string {
  const path = join(folder, 'sparse');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, huge);
  closeSync(fd);
  return path;
}
