import { jobWorkflowId } from '../../src/contract/messages';
import { Story } from '../support/story';

const scopes = ['jobs:read', 'jobs:write', 'artifacts:read'];

describe('a key that is refused', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start();
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const revoke = (key: string) => story.control('/keys', { key, scopes: [] });
  const grant = (key: string, some = scopes) => story.control('/keys', { key, scopes: some });
  /** Grants a key and puts it where the workers read it. */
  const use = async (key: string, some = scopes) => {
    await grant(key, some);
    story.writeKey(key);
    return key;
  };

  test('while a batch runs it closes the gate; a new key in the file is taken without a restart', async () => {
    const id = 'rotated';
    const old = await use('pgk_sim_old');
    story.fault({ kind: 'job', externalId: 'job/00001', hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf', 'c.pdf'], { limits: { maxFiles: 1 }, maxConcurrentJobs: 1 });
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    await revoke(old);
    const shown = await story.until(id, ({ status }) => status === 'blocked_auth');
    expect(shown).toMatchObject({ gate: { reason: 'unauthorized' }, jobs: { done: 0, open: 1 } });

    await use('pgk_sim_rotated');
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    expect(await story.stack.batches.resume(id)).toMatchObject({ status: 'running' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 3 }, gate: null, error: null });
    expect(story.jobs(id).map(({ externalId }) => externalId)).toEqual([1, 2, 3].map((job) => jobWorkflowId(id, job)));
    expect(await story.debits(id)).toEqual([[1], [1], [1]]);
    await story.manifest(id);
    for (const [file, text] of await story.files()) expect([file, text.includes('pgk_sim_')]).toEqual([file, false]);
  });

  test('a key that lacks a scope is found out like one that was revoked, and the archive is finished with a better one', async () => {
    const id = 'scope';
    const key = await use('pgk_sim_scoped', ['jobs:read', 'jobs:write']);
    await story.begin(id, ['a.pdf', 'b.pdf']);
    expect(await story.until(id, ({ status }) => status === 'blocked_auth')).toMatchObject({ gate: { reason: 'unauthorized' } });
    await grant(key);
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    expect(await story.debits(id)).toEqual([[1], [1]]);
    await story.manifest(id);
  });

  test('a job that vanishes before its deadline closes the gate, and is there again when it opens', async () => {
    const id = 'vanished';
    await use('pgk_sim_good');
    story.fault({ kind: 'job', externalId: 'job/00001', hold: 'processing' });
    await story.begin(id, ['a.pdf']);
    await story.untilJobs(id, ([first]) => first?.status === 'processing');
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'hide' });
    expect(await story.until(id, ({ gate }) => gate !== null)).toMatchObject({ gate: { reason: 'job_not_found' } });
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'show' });
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 1 } });
    expect(story.jobs(id)).toHaveLength(1);
    await story.manifest(id);
  });

  test('a batch that is cancelled meanwhile waits for a key that can cancel its jobs', async () => {
    const id = 'locked';
    const key = await use('pgk_sim_locked');
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf', 'b.pdf'], { limits: { maxFiles: 1 } });
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    await revoke(key);
    await story.until(id, ({ status }) => status === 'blocked_auth');
    await story.stack.batches.cancel(id);
    await grant(key);
    await story.stack.batches.resume(id);
    expect(await story.wait(id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } });
    expect(story.jobs(id).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    await story.manifest(id);
  });

  test('before the first call went well it fails the batch, and nothing is started', async () => {
    const id = 'never';
    story.writeKey('pgk_sim_unknown');
    const refused = story.requests('listProjects', 401, 401);
    await story.begin(id, ['a.pdf', 'b.pdf']);
    expect(await story.wait(id)).toMatchObject({ status: 'failed', error: { code: 'Unauthorized' }, counts: { failed: 2 } });
    expect(story.requests('listProjects', 401, 401)).toBe(refused + 1);
    expect(story.jobs(id)).toEqual([]);
    expect(await story.outcomes(id)).toEqual({ 'a.pdf': 'failed: unauthorized', 'b.pdf': 'failed: unauthorized' });
  });
});
