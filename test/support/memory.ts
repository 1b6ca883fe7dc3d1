import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What is still in use once the garbage collector has run, in bytes: objects and buffers. Resident memory says more about the collector's mood. */
export function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Runs `work`, and gives by how much the memory in use grew at most meanwhile, looked at twice a second. */
export async function memoryGrowth(work: () => Promise<unknown>): Promise<number> {
  const before = memoryInUse();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, memoryInUse() - before)), 500);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return Math.max(most, memoryInUse() - before);
}
