import { batchWorkflowId, jobWorkflowId } from '../../../src/contract/messages';
import { difference, readActions, total, type Counts } from '../counts';
import { historySize, type HistorySize } from '../histories';
import { answer } from './measure';
import { withWhole, type Whole } from './whole';

/** Batches to run, one after another. */
export interface ActionsRequest {
  /** The archive is made in it. */
  folder: string;
  /** Each as jobs of exactly `files` documents. */
  batches: { id: string; source: string; files: number; jobs: number }[];
}

/** What a batch cost, by the counts of the server and of the simulator. */
export interface Cost {
  /** Temporal actions by type. */
  actions: Counts;
  /** Requests that reached the simulator, by operation. */
  requests: Counts;
  batch: HistorySize;
  /** Of its first job. */
  job: HistorySize;
}

answer<ActionsRequest, Cost[]>(({ folder, batches }) =>
  withWhole(folder, async (whole) => {
    const costs: Cost[] = [];
    let before = await countsOf(whole);
    for (const batch of batches) {
      await run(whole, batch);
      const after = await countsOf(whole);
      costs.push({
        actions: difference(after.actions, before.actions),
        requests: difference(after.requests, before.requests),
        batch: await historySize(whole.env.client, batchWorkflowId(batch.id)),
        job: await historySize(whole.env.client, jobWorkflowId(batch.id, 1)),
      });
      before = after;
    }
    return costs;
  }),
);

async function run({ batches }: Whole, { id, source, files, jobs }: ActionsRequest['batches'][number]): Promise<void> {
  await batches.start({ project: 'Quickstart', source: { folder: source }, limits: { maxFiles: files } }, { id });
  const { status, jobs: { planned } } = await batches.wait(id);
  if (status !== 'completed' || planned !== jobs) throw new Error(`A batch of ${planned} jobs ended as ${status}, instead of ${jobs} as completed`);
}

/** Whatever the simulator answered counts as a request. */
async function countsOf({ metricsUrl, simulator }: Whole): Promise<{ actions: Counts; requests: Counts }> {
  const requests = Object.entries(simulator.state.counters.requests).map(([operation, answers]) => [operation, total(answers)] as const);
  return { actions: await readActions(metricsUrl), requests: Object.fromEntries(requests) };
}
