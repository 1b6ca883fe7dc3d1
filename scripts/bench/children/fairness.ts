import { Processes } from '../../processes';
import { runContest, type ContestOptions, type ContestResult } from '../contest';
import { onePartition, WorkerSite } from '../worker-site';
import { answer } from './measure';

/** Contests between a small batch and a large one, one after another at one server. */
export interface FairnessRequest {
  /** For everything that the contests leave. */
  folder: string;
  /** Of the API queue, for all batches together. */
  requestsPerSecond: number;
  /** Whether task queues are in one piece; otherwise in as many as the server makes by default. */
  whole: boolean;
  /** Delay of each PUT and of each result, in ms, for contests that are about the other queues. */
  slowMs: number;
  contests: ContestOptions[];
}

answer<FairnessRequest, ContestResult[]>(async ({ folder, requestsPerSecond, whole, slowMs, contests }) => {
  const processes = new Processes();
  const settings = { PLANGREP_REQUESTS_PER_SECOND: String(requestsPerSecond) };
  const site = await WorkerSite.open({ processes, folder, settings, dynamicConfig: whole ? onePartition : {} });
  try {
    for (const operation of slowMs > 0 ? ['putObject', 'getJobResult'] : []) site.simulator.state.faults.add({ kind: 'request', operation, delayMs: slowMs, times: 0 });
    await site.startWorker();
    const results: ContestResult[] = [];
    for (const contest of contests) results.push(await runContest(site, contest));
    return results;
  } finally {
    processes.kill();
    await site.close();
  }
});
