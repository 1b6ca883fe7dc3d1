import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jobKeys } from '../../src/contract/keys';
import { jobWorkflowId } from '../../src/contract/messages';
import { Story } from '../support/story';

describe('a deadline that passes', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start({ simulator: { credits: 10_000 } });
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  test('is announced, and then its documents are expired; what was done before stays', async () => {
    const id = 'late';
    // One reads as expired, one is not there any more, one is in time.
    story.fault(
      { kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing', retentionMs: 8_000 },
      { kind: 'job', externalId: `batch/${id}/job/00002`, hold: 'processing', retentionMs: 8_000, expiredGraceMs: 0 },
    );
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { limits: { maxFiles: 1 } });
    expect(await story.until(id, ({ warning }) => warning !== null)).toMatchObject({ status: 'running', warning: { percentLeft: expect.any(Number) as number } });
    expect(await story.details(jobWorkflowId(id, 1))).toMatch(/less than (50|10) % of its time left/);
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, expired: 2 }, gate: null, warning: null });
    expect(Object.values(await story.outcomes(id)).sort()).toEqual(['expired: expired', 'expired: expired', 'processed']);
  });

  test('while artifacts are fetched, what has been archived is kept', async () => {
    const id = 'archiving';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, retentionMs: 6_000 });
    story.fault({ kind: 'request', operation: 'getJobArtifact', externalId: `batch/${id}/`, nth: 2, times: 0, status: 503 });
    await story.begin(id, ['a.pdf', 'b.pdf']);
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', documents: 2 });
    const { lines } = await story.manifest(id);
    expect(new Set(lines.map(({ outcome }) => outcome))).toEqual(new Set(['expired']));
    const files = await readFile(join(story.stack.store.location, jobKeys(id, 1).files), 'utf8');
    expect(files.split('\n').filter(Boolean).map((line) => (JSON.parse(line) as { path: string }).path)).toEqual(expect.arrayContaining(['result.json']));
    expect(files).toContain('artifacts/');
  });

  test('while a job is blocked for credits ends it as well, and the gate opens for the others', async () => {
    const id = 'poor';
    await story.control('/credits', { available: 0 });
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, retentionMs: 6_000 });
    await story.begin(id, ['a.pdf', 'b.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 1 });
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await story.until(id, ({ counts }) => counts.expired === 1);
    await story.control('/credits', { available: 10_000 });
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, expired: 1 } });
    expect(Object.values(await story.outcomes(id)).sort()).toEqual(['expired: expired', 'processed']);
  });
});
