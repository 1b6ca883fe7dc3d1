import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderStore } from '../../src/store/folder';
import { memoryInUse } from '../support/memory';

test('a store that remembers its folders does not keep what its callers were at: each activity has a context, and a worker runs for months', async () => {
  const root = await mkdtemp(join(tmpdir(), 'store-'));
  const store = new FolderStore(root);
  const context = new AsyncLocalStorage<string[]>();
  const writeAll = async (from: number, to: number): Promise<void> => {
    for (let index = from; index < to; index++) {
      // As large as an activity's, with all that hangs on it.
      await context.run([Buffer.alloc(100_000, index).toString('latin1')], () => store.write(`folder-${index}/object`, 'content'));
    }
  };
  await writeAll(0, 20);
  const before = memoryInUse();
  await writeAll(20, 220);
  const grown = memoryInUse() - before;
  await rm(root, { recursive: true });
  expect(grown).toBeLessThan(4_000_000);
});
