import { Processes } from '../../processes';
import { batchWorkflowId } from '../../../src/contract/messages';
import { WorkerSite } from '../worker-site';
import { answer } from './measure';

/** How often a worker is started. */
export interface StartRequest {
  folder: string;
  starts: number;
}

/** Of one start; times in ms from the spawn of the process. */
export interface Start {
  /** To the line that says that it serves. */
  toReady: number;
  /** To the batch's first workflow task, which has been waiting. */
  toFirstTask: number;
}

answer<StartRequest, Start[]>(async ({ folder, starts }) => {
  const processes = new Processes();
  const site = await WorkerSite.open({ processes, folder });
  try {
    const source = await site.documents('source', 1);
    const measured: Start[] = [];
    for (let number = 1; number <= starts; number++) measured.push(await startOnce(site, processes, `start-${number}`, source));
    return measured;
  } finally {
    processes.kill();
    await site.close();
  }
});

async function startOnce(site: WorkerSite, processes: Processes, id: string, folder: string): Promise<Start> {
  await site.batches.start({ project: 'Quickstart', source: { folder } }, { id });
  const spawnedAt = Date.now();
  const { child } = await site.startWorker();
  const toReady = Date.now() - spawnedAt;
  const { status } = await site.batches.wait(id);
  if (status !== 'completed') throw new Error(`The batch ended as ${status}`);
  const { events } = await site.temporal.client.workflow.getHandle(batchWorkflowId(id)).fetchHistory();
  const first = events?.find(({ workflowTaskStartedEventAttributes: started }) => started)?.eventTime;
  await processes.end(child);
  return { toReady, toFirstTask: Number(first?.seconds ?? 0) * 1000 + (first?.nanos ?? 0) / 1_000_000 - spawnedAt };
}
