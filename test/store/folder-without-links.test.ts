import { link, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderStore } from '../../src/store/folder';
import { storeConformance } from './conformance';

// As on exFAT and many network shares.
jest.mock('node:fs/promises', () => ({
  ...jest.requireActual<typeof import('node:fs/promises')>('node:fs/promises'),
  link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM', syscall: 'link' })),
}));

storeConformance('FolderStore on a file system without hard links', async () => {
  const root = await mkdtemp(join(tmpdir(), 'store-'));
  return { open: () => new FolderStore(root), close: () => rm(root, { recursive: true, force: true }) };
});

test('the file system of these tests has no hard links', async () => {
  await expect(link('a', 'b')).rejects.toThrow('no links here');
});
