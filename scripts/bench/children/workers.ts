import { Processes } from '../../processes';
import { verifyBatch } from '../../../src/verify';
import { doneActivities, openActivities } from '../activity-owners';
import { onePartition, WorkerSite } from '../worker-site';
import { answer } from './measure';

/** One batch through some workers. */
export interface WorkersRequest {
  folder: string;
  workers: number;
  /** Documents, each a job of its own. */
  jobs: number;
  /** Of the API queue, for all workers together. */
  requestsPerSecond: number;
  /** Delay of each PUT, in ms: what the batch waits for is the storage. */
  putMs: number;
  /** Whether the last worker is killed with -9 while it uploads; Temporal then finds out by itself. */
  kill: boolean;
}

/** What became of it. */
export interface Shared {
  seconds: number;
  /** Uploads that each worker ended, in the order of the workers. */
  uploads: number[];
  /** Requests of the API queue, and the time from the first to the last of them. */
  apiRequests: number;
  apiSeconds: number;
  /** PUTs beyond one a document. */
  putsAgain: number;
}

const lookMs = 250;

answer<WorkersRequest, Shared>(async ({ folder, workers, jobs, requestsPerSecond, putMs, kill }) => {
  const processes = new Processes();
  const site = await WorkerSite.open({ processes, folder, dynamicConfig: onePartition, settings: { PLANGREP_REQUESTS_PER_SECOND: String(requestsPerSecond) } });
  try {
    site.simulator.state.faults.add({ kind: 'request', operation: 'putObject', delayMs: putMs, times: 0 });
    const children = (await Promise.all(Array.from({ length: workers }, () => site.startWorker()))).map(({ child }) => child);
    const pids = children.map((child) => child.process.pid ?? 0);
    const folderOf = await site.documents('source', jobs);
    const id = 'shared';
    // What workers ask when they start is none of the batch's.
    const from = site.log.requests.length;
    const startedAt = performance.now();
    await site.batches.start({ project: 'Quickstart', source: { folder: folderOf }, limits: { maxFiles: 1 }, maxConcurrentJobs: jobs }, { id });
    if (kill) {
      while (!(await isUploading(site, id, jobs, pids.at(-1) ?? 0))) await new Promise((resolve) => setTimeout(resolve, lookMs));
      children.at(-1)?.process.kill('SIGKILL');
    }
    const { status } = await site.batches.wait(id);
    const seconds = (performance.now() - startedAt) / 1000;
    const { problems } = await verifyBatch(site.store, id);
    if (status !== 'completed' || problems.length > 0) throw new Error(`The batch ended as ${status} with ${problems.length} problems in its archive`);
    const uploaders = (await doneActivities(site, id, jobs)).filter(({ name }) => name === 'uploadDocuments');
    const logged = site.log.requests.slice(from);
    const api = logged.filter(({ kind }) => kind === 'api');
    return {
      seconds,
      uploads: pids.map((pid) => uploaders.filter((uploader) => uploader.pid === pid).length),
      apiRequests: api.length,
      apiSeconds: ((api.at(-1)?.atMs ?? 0) - (api[0]?.atMs ?? 0)) / 1000,
      putsAgain: logged.filter(({ operation }) => operation === 'putObject').length - jobs,
    };
  } finally {
    processes.kill();
    await site.close();
  }
});

/** Whether a process has ended an upload, and is at another. */
async function isUploading(site: WorkerSite, id: string, jobs: number, pid: number): Promise<boolean> {
  const isTheirs = (activity: { name: string; pid: number }): boolean => activity.name === 'uploadDocuments' && activity.pid === pid;
  return (await doneActivities(site, id, jobs)).some(isTheirs) && (await openActivities(site, id, jobs)).some((activity) => isTheirs(activity) && activity.started);
}
