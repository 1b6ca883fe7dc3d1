import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runContest, type ContestResult } from '../../scripts/bench/contest';
import { onePartition, WorkerSite } from '../../scripts/bench/worker-site';
import { Processes } from '../../scripts/processes';
import { closePageCounter } from '../../src/pdf/page-count';

/** The large batch's jobs, all in its window: their creations stand in the API queue when the small batch comes. */
const large = 24;

describe('a batch of two jobs beside a large one that fills the API queue', () => {
  const processes = new Processes();
  let folder: string;
  let site: WorkerSite;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairness-'));
    site = await WorkerSite.open({ processes, folder, settings: { PLANGREP_REQUESTS_PER_SECOND: '10' }, dynamicConfig: onePartition });
    await site.startWorker();
  });

  afterAll(async () => {
    processes.kill();
    await site?.close();
    await closePageCounter();
    await rm(folder, { recursive: true, force: true });
  });

  const contest = (name: string, sameKey: boolean): Promise<ContestResult> => runContest(site, { name, large, small: 2, window: large, sameKey, until: 'created' });

  it('takes turns with it, and waits behind it when both have one fairness key', async () => {
    const own = (await contest('own', false)).waits.api;
    const same = (await contest('same', true)).waits.api;
    // In turns a task has one of the other batch's before it, and what was on its way already; behind it, all that stand there.
    expect(same.most).toBeGreaterThanOrEqual(6);
    expect(own.most).toBeLessThanOrEqual(same.most / 2);
  });
});
