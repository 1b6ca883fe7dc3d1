import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeHashing, hashFile } from '../../../src/hashing';
import { readJobLines } from '../../../src/activities/plan';
import { FolderStore } from '../../../src/store/folder';
import { ActivityBench } from '../../support/activity-bench';
import { makePdf } from '../../support/documents';

jest.mock('../../../src/hashing', () => {
  const actual = jest.requireActual<typeof import('../../../src/hashing')>('../../../src/hashing');
  return { ...actual, hashFile: jest.fn(actual.hashFile) };
});
const hashed = jest.mocked(hashFile);

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start();
  for (const name of ['a', 'b']) writeFileSync(join(bench.source, `${name}.pdf`), makePdf({ marker: name }));
  writeFileSync(join(bench.source, 'c.pdf'), makePdf({ sizeBytes: 3_000 }));
  // Only a file that was not just changed shows its next change in its time.
  for (const name of ['a', 'b', 'c']) utimesSync(join(bench.source, `${name}.pdf`), 1_000, 1_000);
  hashed.mockClear();
});
afterEach(() => bench.stop());
afterAll(closeHashing);

/** How many files planning hashed, and then the job. */
async function hashedBy(input: Parameters<ActivityBench['plan']>[0]): Promise<{ plan: number; job: number }> {
  await bench.plan(input);
  const plan = hashed.mock.calls.length;
  await bench.upload(await bench.create());
  return { plan, job: hashed.mock.calls.length - plan };
}

const sizeOf = (name: string): number => statSync(join(bench.source, name)).size;

const writeList = (documents: object[]): string => {
  const list = join(bench.source, 'list.jsonl');
  writeFileSync(list, documents.map((document) => JSON.stringify(document)).join('\n'));
  return list;
};

describe('a job', () => {
  it('hashes what planning did not', async () => {
    expect(await hashedBy({})).toEqual({ plan: 2, job: 1 });
    expect((await bench.records()).map(({ sent, reason }) => ({ sent, reason }))).toEqual([1, 2, 3].map(() => ({ sent: true, reason: null })));
  });

  it('hashes no file again that planning had to open although a list gave its size', async () => {
    const list = writeList(['a.pdf', 'b.pdf', 'c.pdf'].map((path) => ({ path, sizeBytes: sizeOf(path) })));
    expect(await hashedBy({ source: { list } })).toEqual({ plan: 2, job: 1 });
  });

  it('hashes every file whose digest only a list gives, looked at or not', async () => {
    await bench.plan();
    const known = new Map((await readJobLines(new FolderStore(bench.store.location), bench.batchId, 1)).map(({ source, sha256 }) => [source, sha256]));
    await bench.store.remove(`batches/${bench.batchId}/plan.json`);
    hashed.mockClear();
    const list = writeList([{ path: 'a.pdf', sha256: known.get('a.pdf') }, { path: 'b.pdf', sha256: known.get('b.pdf'), sizeBytes: sizeOf('b.pdf') }]);
    expect(await hashedBy({ source: { list } })).toEqual({ plan: 0, job: 2 });
  });

  it('hashes a file again that was just changed when planning hashed it: its time would not show another change', async () => {
    utimesSync(join(bench.source, 'a.pdf'), new Date(), new Date());
    expect(await hashedBy({})).toEqual({ plan: 2, job: 2 });
    expect((await bench.records()).every(({ sent }) => sent)).toBe(true);
  });

  it('does not send a file that is another since planning hashed it', async () => {
    await bench.plan();
    const remote = await bench.create();
    utimesSync(join(bench.source, 'a.pdf'), 1, 1);
    await bench.upload(remote);
    expect((await bench.records()).map(({ sent, reason }) => [sent, reason?.code])).toEqual([[false, 'changed'], [true, undefined], [true, undefined]]);
  });
});
