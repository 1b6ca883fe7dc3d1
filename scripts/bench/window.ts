import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { WindowAnswer, WindowRequest } from './children/window';
import { total, type Counts } from './counts';
import { counted, figure, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';

/** Ten thousand jobs take long on a machine that has other work. */
const limitMs = 60 * 60_000;
/** Jobs that are open at once: more than a default batch, so that their ends come in heaps. */
const maxConcurrentJobs = 20;
const documentsPerJob = 100;
/** Events at which the server suggests continue-as-new; tiny sizes ask for fewer. */
const [serverSuggestsAfter, tinySuggestsAfter] = [4_096, 100];
/** What one job adds to the batch's history at most. */
const eventsOfOneJob = 13;
/** Largest payload in a history, as the end-to-end tests hold it. */
const payloadBudgetBytes = 8 * 1024;
/** What the worker may hold more after thousands of jobs: the design's budget for growth while it works. */
const growthBudgetBytes = 64 * 2 ** 20;

/** The window of jobs over thousands of them: real workflows on a real server, with activities that do nothing. With `full` each job has two of them, so that it ends the same day. */
export const window: Run = async (session) => {
  const jobs = session.smoke ? 30 : session.full ? 10_000 : 1_000;
  const suggestAfterEvents = session.smoke ? tinySuggestsAfter : null;
  session.progress(`window: ${jobs} jobs of ${documentsPerJob} documents that do nothing, ${maxConcurrentJobs} at once`);
  const bundle = await writeBundle(session);
  const request: WindowRequest = { jobs, documentsPerJob, maxConcurrentJobs, suggestAfterEvents, short: session.full, middle: Math.min(500, jobs / 2), bundle };
  return figuresOf(await runChild<WindowAnswer>(session, 'window', request, limitMs), request);
};

/** Bundles the workflows of the sources into the benchmark's folder, and answers where. */
export async function writeBundle({ folder }: Session): Promise<string> {
  const path = join(folder, 'workflow-bundle.js');
  await writeFile(path, (await bundleWorkflowCode({ workflowsPath: require.resolve('../../src/workflows'), logger: new DefaultLogger('ERROR') })).code);
  return path;
}

function figuresOf(answer: WindowAnswer, { jobs, short, suggestAfterEvents, middle }: WindowRequest): Figures {
  const { runs, seconds, memory, cached } = answer;
  const most = (of: (run: WindowAnswer['runs'][number]) => number): number => Math.max(...runs.map(of));
  const commands: Counts = {};
  for (const run of runs) for (const [kind, count] of Object.entries(run.commands)) commands[kind] = (commands[kind] ?? 0) + count;
  const perJob = ([kind, count]: [string, number]) => [kind, count / jobs] as const;
  return {
    jobs: figure(jobs, 'jobs', { note: `real batch and job workflows; ${short ? 'two activities a job instead of five' : 'all five activities a job'}, which answer at once` }),
    documents: figure(answer.documentsDone, 'documents'),
    runs: figure(runs.length, 'runs', { note: 'of the batch: it continued as new once less' }),
    'run/events': figure(most(({ events }) => events), 'events', { budget: (suggestAfterEvents ?? serverSuggestsAfter) + maxConcurrentJobs * eventsOfOneJob, note: 'of the longest run; the budget is the suggestion and one window' }),
    largestPayloadBytes: figure(most(({ largestPayloadBytes }) => largestPayloadBytes), 'bytes', { budget: payloadBudgetBytes, note: 'in the histories of the batch' }),
    carriedBytes: figure(most(({ carriedBytes }) => carriedBytes), 'bytes', { note: 'state that a run hands to the next' }),
    'batch/actionsPerJob': figure(total(commands) / jobs, 'ratio', { note: "of the batch itself, from its histories: its jobs' start counts twice" }),
    ...Object.fromEntries(Object.entries(commands).map(perJob).map(([kind, ratio]) => [`batch/actionsPerJob/${kind}`, figure(ratio, 'ratio')])),
    actionsPerJob: figure(total(answer.actions) / jobs, 'ratio', { note: "Temporal's own count, of the batch and its jobs together, without webhooks" }),
    ...counted('actions', answer.actions, 'actions'),
    'cachedWorkflows/most': figure(cached.most, 'jobs', { note: 'workflows that the worker held in memory, the batch included' }),
    'cachedWorkflows/atEnd': figure(cached.atEnd, 'jobs'),
    'memory/untilMiddle': figure(memory.untilMiddleBytes, 'bytes', { note: `most that was resident until job ${middle}` }),
    'memory/growth': figure(Math.max(0, memory.afterMiddleBytes - memory.untilMiddleBytes), 'bytes', { budget: growthBudgetBytes, note: 'by how much more was resident after that' }),
    seconds: figure(seconds.all, 's'),
    'secondsPerJob/untilMiddle': figure(seconds.toMiddle / middle, 's'),
    'secondsPerJob/afterMiddle': figure((seconds.all - seconds.toMiddle) / (jobs - middle), 's'),
    'jobsPerSecond': figure(jobs / seconds.all, 'ratio'),
  };
}
