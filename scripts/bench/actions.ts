import { join } from 'node:path';
import type { ActionsRequest, Cost } from './children/actions';
import { difference, total, type Counts } from './counts';
import { writePdfs } from './documents';
import { counted, figure, type Figures } from './figures';
import { runChild, type Run } from './session';

/** Temporal actions, history and remote requests of one job of 100 files, with webhooks. */
export const actions: Run = async (session) => {
  const files = session.smoke ? 10 : 100;
  const source = (jobs: number): string => join(session.folder, `source-${jobs}`);
  const batches = [1, 2].map((jobs) => ({ id: `jobs-${jobs}`, source: source(jobs), files, jobs }));
  for (const batch of batches) await writePdfs(batch.source, batch.jobs * files);
  session.progress(`actions: a batch of one job of ${files} files, then one of two, over Temporal, the simulator, a webhook receiver and workers`);
  const request: ActionsRequest = { folder: session.folder, batches };
  const [one, two] = await runChild<[Cost, Cost]>(session, 'actions', request);
  return figuresOf(one, two, files);
};

/** Action types that are reported apart: how many there are depends on how long everything takes. */
const apart = /retry|heartbeat|query/i;
/** Asked by whoever waits for the batch, once a second at first, and so no job's. */
const queries = /query/i;
/** Requests that every file and artifact needs. */
const perFile = ['putObject', 'putPart', 'getJobArtifact'];
/** Events at which the server suggests continue-as-new; a batch run of any size stays below that, and one window. */
const continueAsNewEvents = 4_096;
/** Largest payload in a history, as the end-to-end tests hold it. */
const payloadBudgetBytes = 8 * 1024;

function figuresOf(one: Cost, two: Cost, files: number): Figures {
  const jobActions = difference(two.actions, one.actions);
  const jobRequests = difference(two.requests, one.requests);
  const pick = (counts: Counts, wanted: (name: string) => boolean): Counts => Object.fromEntries(Object.entries(counts).filter(([name]) => wanted(name)));
  const own = total(pick(jobActions, (name) => !apart.test(name)));
  const beside = total(pick(jobRequests, (name) => !perFile.includes(name)));
  const less = 'a batch of two jobs less a batch of one';
  return {
    'job/files': figure(files, 'files'),
    'job/actions': figure(own, 'actions', { budget: 12, note: `${less}; without retries, heartbeats and queries` }),
    'job/actionsPerFile': figure(own / files, 'ratio'),
    ...counted('job/actions', pick(jobActions, (name) => !apart.test(name)), 'actions'),
    ...counted('job/apart', pick(jobActions, (name) => apart.test(name) && !queries.test(name)), 'actions'),
    'batch/actions': figure(total(pick(one.actions, (name) => !apart.test(name))) - own, 'actions', { note: "a batch's own share, its start included: a batch of one job less that job" }),
    ...counted('batch/apart', pick(one.actions, (name) => queries.test(name)), 'actions'),
    'job/events': figure(one.job.events, 'events', { budget: 60, note: 'with webhooks' }),
    'batch/events': figure(one.batch.events, 'events', { budget: continueAsNewEvents, note: 'a batch of one job' }),
    'batch/eventsPerJob': figure(two.batch.events - one.batch.events, 'events', { note: less }),
    largestPayloadBytes: figure(Math.max(...[one, two].flatMap(({ batch, job }) => [batch.largestPayloadBytes, job.largestPayloadBytes])), 'bytes', { budget: payloadBudgetBytes }),
    'job/requests': figure(beside, 'requests', { budget: 8, note: `${less}; without one PUT a file or part and one GET an artifact` }),
    ...counted('job/requests', jobRequests, 'requests'),
  };
}
