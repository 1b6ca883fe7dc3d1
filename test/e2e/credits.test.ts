import { setTimeout as pause } from 'node:timers/promises';
import { jobName } from '../../src/contract/keys';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { Story } from '../support/story';

const blocked = 'blocked_insufficient_credits';
const day = 86_400_000;

describe('credits that run out', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start({ simulator: { credits: 0 } });
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const credits = (available: number) => story.control('/credits', { available });
  const plans = { classify: [{ glob: '**', classification: 'plans' as const }], limits: { maxFiles: 1 } };
  /** Resumes as often as the gate closes: a job that was blocked before there were credits may say so a moment later. */
  const resumeToEnd = async (id: string) => {
    for (;;) {
      await story.stack.batches.resume(id);
      const summary = await story.until(id, ({ closedAt, gate }) => closedAt !== null || gate !== null);
      if (summary.closedAt !== null) return summary;
    }
  };
  /** Waits until the batch knows of three jobs that wait at its gate. */
  const untilThreeWait = async (id: string) => {
    while (!/jobs \d, \d, \d/.test(await story.details(batchWorkflowId(id)))) await pause(100);
  };
  /** When the job last became this status. */
  const lastAt = (id: string, job: number, status: string) => story.jobs(id).find(({ externalId }) => externalId === jobWorkflowId(id, job))!.history.findLast((entry) => entry.status === status)!.at;

  test('the batch says so, and goes on one job after another, the nearest deadline first, with nothing sent or paid twice', async () => {
    const id = 'short';
    for (const [job, days] of [[1, 3], [2, 1], [3, 2]] as const) story.fault({ kind: 'job', externalId: `batch/${id}/job/${jobName(job)}`, retentionMs: days * day });
    await credits(0);
    const sent = story.requests('putObject');
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf', 'd.pdf'], { ...plans, maxConcurrentJobs: 3 }, { pages: 3 });
    await story.untilBlocked(id, 3);
    const shown = await story.until(id, ({ gate }) => gate !== null);
    expect(shown.gate).toMatchObject({ reason: 'insufficient_credits', nextProbeAt: expect.any(String) as string });
    const details = await story.details(batchWorkflowId(id));
    for (const text of ['**closed**', 'credits', 'update `resume`']) expect(details).toContain(text);
    await untilThreeWait(id);

    // Enough for one page of three: the job whose deadline is nearest gets it, and is blocked again in the middle of its document.
    await credits(15);
    expect(await story.stack.batches.resume(id)).toMatchObject({ message: expect.stringContaining('3 waiting jobs go on') as string });
    await story.untilJobs(id, (jobs) => jobs.some((job) => job.creditsDebited > 0 && job.status === blocked));
    await story.untilBlocked(id, 3);
    expect(story.jobs(id).map(({ externalId, creditsDebited }) => [externalId!.slice(-1), creditsDebited]).sort()).toEqual([['1', 0], ['2', 10], ['3', 0]]);

    // A job that was seen at work in between comes back to the gate only after its next look.
    await untilThreeWait(id);

    await credits(1_000);
    expect(await resumeToEnd(id)).toMatchObject({ status: 'completed', gate: null, counts: { processed: 4 }, credits: 120, jobs: { planned: 4, done: 4 } });
    const [first, second, third] = [2, 3, 1].map((job) => [lastAt(id, job, 'preflighting'), lastAt(id, job, 'processing')]);
    expect(first![1]! <= second![0]! && second![1]! <= third![0]!).toBe(true);
    expect(await story.outcomes(id)).toEqual({ 'a.pdf': 'processed', 'b.pdf': 'processed', 'c.pdf': 'processed', 'd.pdf': 'processed' });
    expect(story.requests('putObject') - sent).toBe(4);
    expect(await story.debits(id)).toEqual(Array.from({ length: 4 }, () => [1, 1, 1]));
  });

  test('somebody who resumes one job at Plangrep opens the gate for all', async () => {
    const id = 'outside';
    await credits(0);
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { ...plans, maxConcurrentJobs: 2 });
    await story.untilBlocked(id, 2);
    await credits(1_000);
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'resume' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 } });
    expect(await story.debits(id)).toEqual([[1], [1], [1]]);
    await story.manifest(id);
  });

  test('a refused creation closes the gate as well; nothing is made until it opens', async () => {
    const id = 'refused';
    await credits(1_000);
    story.fault({ kind: 'request', operation: 'createJob', status: 402, times: 0 });
    await story.begin(id, ['a.pdf', 'b.pdf'], { ...plans, maxConcurrentJobs: 2 });
    const shown = await story.until(id, ({ status }) => status === 'blocked_credits');
    expect(shown).toMatchObject({ gate: { reason: 'insufficient_credits' }, jobs: { done: 0 } });
    expect(story.jobs(id)).toEqual([]);
    story.stack.simulator.state.faults.clear();
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    expect(story.jobs(id).map(({ externalId }) => externalId).sort()).toEqual([1, 2].map((job) => jobWorkflowId(id, job)));
    await story.manifest(id);
  });
});
