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

  test('is announced, and then its documents are expired; what was done, or archived, before stays', async () => {
    const [late, archiving] = ['late', 'archiving'];
    // One reads as expired, one is not there any more, one is in time; of the other batch all artifacts but one come too late.
    story.fault(
      { kind: 'job', externalId: `batch/${late}/job/00001`, hold: 'processing', retentionMs: 20_000 },
      { kind: 'job', externalId: `batch/${late}/job/00002`, hold: 'processing', retentionMs: 20_000, expiredGraceMs: 0 },
      { kind: 'job', externalId: `batch/${archiving}/`, retentionMs: 20_000 },
      { kind: 'request', operation: 'getJobArtifact', externalId: `batch/${archiving}/`, nth: 2, times: 0, delayMs: 22_000 },
    );
    await Promise.all([story.begin(late, ['a.pdf', 'b.pdf', 'c.pdf'], { limits: { maxFiles: 1 } }), story.begin(archiving, ['a.pdf', 'b.pdf'])]);
    const { status, warning } = await story.until(late, (summary) => summary.warning !== null);
    expect(status).toBe('running');
    expect(await story.details(jobWorkflowId(late, warning!.job))).toMatch(/less than (50|10) % of its time left/);
    expect(await story.wait(late)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, expired: 2 }, gate: null, warning: null });
    expect(Object.values(await story.outcomes(late)).sort()).toEqual(['expired: expired', 'expired: expired', 'processed']);

    expect(await story.wait(archiving)).toMatchObject({ status: 'completed_with_errors', counts: { expired: 2 } });
    expect(Object.values(await story.outcomes(archiving))).toEqual(['expired: expired', 'expired: expired']);
    const files = await readFile(join(story.stack.store.location, jobKeys(archiving, 1).files), 'utf8');
    const paths = files.split('\n').filter(Boolean).map((line) => (JSON.parse(line) as { path: string }).path);
    expect(paths).toContain('result.json');
    expect(paths.some((path) => path.startsWith('artifacts/'))).toBe(true);
  });

  test('while a job is blocked for credits ends it as well, and the gate opens for the others', async () => {
    const id = 'poor';
    await story.control('/credits', { available: 0 });
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, retentionMs: 7_000 });
    await story.begin(id, ['a.pdf', 'b.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 1 });
    await story.until(id, ({ status }) => status === 'blocked_credits');
    await story.until(id, ({ counts }) => counts.expired === 1);
    await story.control('/credits', { available: 10_000 });
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, expired: 1 } });
    expect(Object.values(await story.outcomes(id)).sort()).toEqual(['expired: expired', 'processed']);
  });
});
