import { requireBuild } from './build';
import type { Start, StartRequest } from './children/start';
import { figure, median } from './figures';
import { runChild, type Run } from './session';

/** From the spawn of a built worker to the first workflow task of a batch that waits for one. */
export const start: Run = async (session) => {
  requireBuild();
  const starts = session.smoke ? 1 : 5;
  session.progress(`start: a worker, ${starts} times, with a batch that waits for it`);
  const request: StartRequest = { folder: session.folder, starts };
  const measured = await runChild<Start[]>(session, 'start', request);
  const [ready, first] = [measured.map(({ toReady }) => toReady / 1000), measured.map(({ toFirstTask }) => toFirstTask / 1000)];
  return {
    toReady: figure(median(ready), 's', { note: `from the spawn of node lib/cli.js worker to its line that it serves; median of ${starts}` }),
    toFirstTask: figure(median(first), 's', { note: "to the WorkflowTaskStarted event of a batch that had been waiting; the design aims at 2" }),
    'toFirstTask/least': figure(Math.min(...first), 's'),
    'toFirstTask/most': figure(Math.max(...first), 's', { note: 'the first start reads its files from the disk' }),
  };
};
