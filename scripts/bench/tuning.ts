import { workerTuning } from '../../src/worker-tuning';
import type { WindowAnswer, WindowRequest } from './children/window';
import { total } from './counts';
import { figure, median, type Figures } from './figures';
import { runChild, type Run } from './session';
import { writeBundle } from './window';

type Variant = Pick<WindowRequest, 'tuning' | 'partitions'>;

const { slots } = workerTuning;

/** What differs from the product's tuning. */
const variants: Record<string, Variant> = {
  ours: {},
  'queues in one piece': { partitions: 1 },
  'pollers, two a queue': { tuning: { pollers: { type: 'simple-maximum', maximum: 2 } } },
  'pollers, five a queue': { tuning: { pollers: { type: 'simple-maximum', maximum: 5 } } },
  'pollers, autoscaling': { tuning: { pollers: { type: 'autoscaling' } } },
  'slots, five for short work': { tuning: { slots: { ...slots, batch: 5, api: 5 } } },
  'slots, 100 for short work': { tuning: { slots: { ...slots, batch: 100, api: 100 } } },
  'cache of 10 workflows': { tuning: { cachedWorkflows: 10 } },
  'cache of 1,000 workflows': { tuning: { cachedWorkflows: 1_000 } },
};

/** Jobs open at once: more than any queue has pollers or short work has slots. */
const maxConcurrentJobs = 50;

/** The same jobs, whose activities answer at once, through differently tuned workers, in turns: what remains is what the tuning costs. */
export const tuning: Run = async (session) => {
  const [jobs, rounds] = session.smoke ? [10, 1] : [200, 3];
  const bundle = await writeBundle(session);
  const answers = new Map<string, WindowAnswer[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, variant] of Object.entries(variants)) {
      session.progress(`tuning: ${name}, ${round} of ${rounds}`);
      const request: WindowRequest = { ...variant, jobs, documentsPerJob: 100, maxConcurrentJobs, short: false, suggestAfterEvents: null, middle: jobs / 2, bundle };
      answers.get(name)!.push(await runChild<WindowAnswer>(session, 'window', request));
    }
  }
  return Object.assign({}, ...[...answers].map(([name, those]) => figuresOf(name, those, jobs)));
};

function figuresOf(name: string, answers: WindowAnswer[], jobs: number): Figures {
  const middle = (of: (answer: WindowAnswer) => number): number => median(answers.map(of));
  return {
    [`${name}/jobsPerSecond`]: figure(middle(({ seconds }) => jobs / seconds.all), 'ratio', { note: `median of ${answers.length}; ${maxConcurrentJobs} jobs of five activities at once` }),
    [`${name}/cpuSecondsPerJob`]: figure(middle(({ cpuSeconds }) => cpuSeconds / jobs), 's', { note: "of the worker's processor, with the client that waits" }),
    [`${name}/peakBytes`]: figure(middle(({ memory }) => Math.max(memory.untilMiddleBytes, memory.afterMiddleBytes)), 'bytes', { note: 'resident, the whole process' }),
    [`${name}/actionsPerJob`]: figure(middle(({ actions }) => total(actions) / jobs), 'ratio'),
  };
}
