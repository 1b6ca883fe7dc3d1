import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { isSettled, namesInside, openInside, unreadableReason } from '../../../src/activities/plan/look';
import { openRoot } from '../../../src/activities/plan/root';
import type { SourceRoot } from '../../../src/activities/plan/root';
import { failureTypes } from '../../../src/contract/failures';
import { temporaryFolder, writeFiles } from './planning';

let folder: string;
let root: SourceRoot;
beforeEach(async () => {
  folder = temporaryFolder();
  writeFiles(folder, { 'root/inside/a.pdf': 'inside', 'outside/a.pdf': 'outside!' });
  root = await openRoot(join(folder, 'root'));
});
afterEach(() => jest.restoreAllMocks());

const broken = (code: string) => Object.assign(new Error(code), { code });

describe('an error of the file system', () => {
  it.each(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'EIO', 'ENXIO', 'EISDIR', 'EINVAL', 'EBUSY', 'EILSEQ', 'EOVERFLOW', 'ENOTSUP', 'EREMOTEIO', 'Unknown system error -117', 'Unknown system error -74'])(
    '%s is the trouble of one document',
    (code) => expect(unreadableReason(root, broken(code))).toMatchObject({ code: 'unreadable' }),
  );

  it.each(['ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET'])('%s is that of the mount', (code) => {
    expect(() => unreadableReason(root, broken(code))).toThrow(expect.objectContaining({ type: failureTypes.sourceUnavailable }));
  });

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'EBADF', 'ERR_INVALID_ARG_TYPE', 'ABORT_ERR'])('%s is that of the process', (code) => {
    const error = broken(code);
    expect(() => unreadableReason(root, error)).toThrow(error);
  });

  it('is none when it has no code', () => {
    const error = new Error('a bug');
    expect(() => unreadableReason(root, error)).toThrow(error);
  });
});

describe('between the look at a path and its opening', () => {
  const inside = () => join(folder, 'root/inside');
  /** Does something just before a file is opened. */
  function beforeOpen(meddle: () => void): void {
    const open = fs.open.bind(fs);
    jest.spyOn(fs, 'open').mockImplementationOnce((...args) => {
      meddle();
      return open(...args);
    });
  }

  it('a folder may become a link that leads out: nothing outside is read', async () => {
    beforeOpen(() => {
      renameSync(inside(), join(folder, 'away'));
      symlinkSync('../outside', inside());
    });
    expect(await openInside(root, 'inside/a.pdf')).toMatchObject({ code: 'outside_source' });
  });

  it('a folder may become a link and at once a folder again', async () => {
    const open = fs.open.bind(fs);
    jest.spyOn(fs, 'open').mockImplementationOnce(async (...args) => {
      renameSync(inside(), join(folder, 'away'));
      symlinkSync('../outside', inside());
      const handle = await open(...args);
      rmSync(inside());
      renameSync(join(folder, 'away'), inside());
      return handle;
    });
    expect(await openInside(root, 'inside/a.pdf')).toMatchObject({ code: 'outside_source' });
  });

  it('a file may become a link', async () => {
    beforeOpen(() => {
      rmSync(join(inside(), 'a.pdf'));
      symlinkSync('../../outside/a.pdf', join(inside(), 'a.pdf'));
    });
    expect(await openInside(root, 'inside/a.pdf')).toEqual({ code: 'changed', message: 'was replaced by a link while it was opened' });
  });

  it('a file may be replaced by another, which is inside', async () => {
    beforeOpen(() => {
      writeFileSync(join(inside(), 'b.pdf'), 'new');
      renameSync(join(inside(), 'b.pdf'), join(inside(), 'a.pdf'));
    });
    const opened = await openInside(root, 'inside/a.pdf');
    if (!('handle' in opened)) throw new Error('not opened');
    expect(opened.stats.size).toBe(3);
    await opened.handle.close();
  });

  it('a folder whose names are read may become a link that leads out', async () => {
    expect(await namesInside(root, 'inside')).toEqual(['a.pdf']);
    mkdirSync(join(inside(), 'deep'));
    mkdirSync(join(folder, 'outside/deep'));
    beforeOpen(() => {
      renameSync(inside(), join(folder, 'away'));
      symlinkSync('../outside', inside());
    });
    expect(await namesInside(root, 'inside/deep')).toBeNull();
  });

  it('without the kernel to ask, the path must lead to the same file afterwards', async () => {
    beforeOpen(() => {
      renameSync(inside(), join(folder, 'away'));
      symlinkSync('../outside', inside());
    });
    expect(await openInside({ ...root, opened: null }, 'inside/a.pdf')).toMatchObject({ code: 'outside_source' });
    rmSync(inside());
    renameSync(join(folder, 'away'), inside());
    const opened = await openInside({ ...root, opened: null }, 'inside/a.pdf');
    expect(opened).toHaveProperty('handle');
    if ('handle' in opened) await opened.handle.close();
  });
});

test('a file that was changed a moment ago, or in the future, does not show its next change', () => {
  const now = 1_000_000;
  expect([now - 60_000, now - 1_000, now, now + 60_000].map((mtimeMs) => isSettled({ mtimeMs }, now))).toEqual([true, false, false, false]);
});
