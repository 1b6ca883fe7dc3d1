import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { runPool } from '../../../src/activities/upload/pool';
import { closeHashing, hashFile } from '../../../src/hashing';
import { answer, measure, type Measured } from './measure';

/** A folder whose files are hashed, after the threads were started with a file from elsewhere. */
export interface HashRequest {
  warmUp: string;
  folder: string;
  /** Files that are open at the same time. */
  width: number;
}

/** What came out. */
export interface HashAnswer {
  /** SHA-256 of the digests, in the order of the names, each with a newline. */
  digests: string;
  /** The longest that the event loop was not free, in seconds. */
  blockedSeconds: number;
}

async function hashOne(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    return (await hashFile(file.fd, { sizeBytes: size })).sha256;
  } finally {
    await file.close();
  }
}

async function hashAll(files: string[], width: number): Promise<HashAnswer> {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const digests: string[] = [];
  await runPool(files.keys(), width, async (at) => {
    digests[at] = await hashOne(files[at]!);
  });
  loop.disable();
  return { digests: createHash('sha256').update(digests.map((digest) => `${digest}\n`).join('')).digest('hex'), blockedSeconds: loop.max / 1e9 };
}

answer<HashRequest, Measured<HashAnswer>>(async ({ warmUp, folder, width }) => {
  const files = (await readdir(folder)).sort().map((name) => join(folder, name));
  await Promise.all(Array.from({ length: width }, () => hashOne(warmUp)));
  const measured = await measure(() => hashAll(files, width));
  await closeHashing();
  return measured;
});
