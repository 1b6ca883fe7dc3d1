import { readdir } from 'node:fs/promises';
import { summaryText } from '../../src/cli/text';
import type { BatchSummary } from '../../src/client';
import { failureTypes } from '../../src/contract/failures';
import { SmallDisk } from '../store/small-disk';
import { Story } from '../support/story';

let story: Story;
let disk: SmallDisk;
beforeAll(async () => {
  story = await Story.start({ simulator: { jobMs: 2_000 } });
  disk = await SmallDisk.at(story.stack.store.location);
});
afterAll(async () => {
  // Nothing is written any more, and what is mounted cannot be removed.
  await disk.close();
  await story.stop();
});

const isStuck = ({ trouble }: BatchSummary): boolean => trouble?.code === 'ArchiveUnavailable';
/** What `plangrep-batch status` shows, on one line. */
const shown = (summary: BatchSummary): string => summaryText(summary, new Date()).replaceAll(/\s+/g, ' ');
const archived = async () => (await readdir(story.stack.store.location, { recursive: true })).filter((name) => !name.startsWith('.locks') && name !== '.filler');

test('an archive that is read-only when a batch starts and full when its results are there: the batch waits, says why and what to do, and goes on by itself', async () => {
  await disk.fill('EROFS');
  await story.begin('stuck', ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], { limits: { maxFiles: 2 } });
  const started = await story.until('stuck', isStuck);
  expect(started).toMatchObject({ status: 'planning', error: null, trouble: { step: 'acceptBatch', job: null, code: failureTypes.archiveUnavailable } });
  expect(shown(started)).toMatch(/waits for acceptBatch failed .* and is tried again by itself: On .*: the archive .* lies on a read-only file system \(.*EROFS\)\. Remount it for writing/);
  expect(await archived()).toEqual([]);
  await disk.free();

  await story.untilJobs('stuck', (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
  await disk.fill();
  const full = await story.until('stuck', isStuck);
  expect(full).toMatchObject({ status: 'running', error: null, documentsDone: 0, trouble: { code: failureTypes.archiveUnavailable, job: expect.any(Number) as number } });
  expect(shown(full)).toMatch(/of job [12] failed .* the archive .* is full \(cannot write .*: ENOSPC\)\. Free space .*; what was begun goes on by itself\./);
  await story.untilJobs('stuck', (jobs) => jobs.every(({ completedAtMs }) => completedAtMs !== null));
  const names = await archived();
  expect(names.filter((name) => name.includes('.tmp-') || /result\.json|files\.jsonl|documents\.jsonl|manifest/.test(name))).toEqual([]);
  await disk.free();

  expect(await story.wait('stuck')).toMatchObject({ status: 'completed', counts: { processed: 4 }, trouble: null });
  expect((await story.manifest('stuck')).lines).toHaveLength(4);
  expect(story.jobs('stuck')).toHaveLength(2);
  expect(await story.debits('stuck')).toEqual([[1], [1], [1], [1]]);
  const { requests } = story.stack.simulator.state.counters;
  expect([requests['createJob'], requests['registerUploads']]).toEqual([{ 202: 2 }, { 200: 2 }]);
});
