import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { requireBuild } from './build';
import type { Shared, WorkersRequest } from './children/workers';
import { figure, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';

/** How long the storage takes for each PUT, in ms: an upload is a wait then, and a worker's slots are what bounds it. */
const putMs = 5_000;
/** What Temporal lets pass at once after a pause: a second's worth. */
const burst = 1.05;

/** One batch through one worker process and through two, and through two of which one is killed. */
export const workers: Run = async (session) => {
  requireBuild();
  if (session.smoke) return { ...figuresOf('two', await share(session, 'two', { workers: 2, jobs: 6, requestsPerSecond: 50, putMs: 300 })) };
  const sizes = { jobs: 60, requestsPerSecond: 40, putMs };
  const one = await share(session, 'one', { ...sizes, workers: 1 });
  const two = await share(session, 'two', { ...sizes, workers: 2 });
  const killed = await share(session, 'killed', { ...sizes, workers: 2, kill: true });
  return {
    ...figuresOf('one', one),
    ...figuresOf('two', two),
    'two/toOne': figure(one.seconds / two.seconds, 'ratio', { note: 'how many times faster than one; both on one machine' }),
    ...figuresOf('killed', killed),
    'killed/putsAgain': figure(killed.putsAgain, 'requests', { note: 'documents that the killed worker was sending' }),
  };
};

async function share(session: Session, part: string, how: Omit<WorkersRequest, 'folder' | 'kill'> & { kill?: boolean }): Promise<Shared & { requestsPerSecond: number }> {
  const folder = join(session.folder, part);
  await mkdir(folder);
  session.progress(`workers: ${part}: ${how.jobs} jobs over ${how.workers}${how.kill ? ', one of them killed on the way' : ''}`);
  const request: WorkersRequest = { folder, kill: false, ...how };
  return { ...(await runChild<Shared>(session, 'workers', request)), requestsPerSecond: how.requestsPerSecond };
}

function figuresOf(part: string, { seconds, uploads, apiRequests, apiSeconds, requestsPerSecond }: Shared & { requestsPerSecond: number }): Figures {
  return {
    [`${part}/seconds`]: figure(seconds, 's', { note: 'from the start of the batch to its end' }),
    ...Object.fromEntries(uploads.map((count, index) => [`${part}/uploads/${index + 1}`, figure(count, 'jobs', { note: 'whose upload this worker took to its end' })])),
    [`${part}/apiRequests`]: figure(apiRequests, 'requests', { budget: Math.ceil(requestsPerSecond * (apiSeconds + burst)), note: `of the API queue in ${apiSeconds.toFixed(1)} s; the budget is ${requestsPerSecond} a second for all workers together, and one second more` }),
  };
}
