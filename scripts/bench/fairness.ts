import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { requireBuild } from './build';
import type { FairnessRequest } from './children/fairness';
import type { ContestOptions, ContestResult } from './contest';
import { figure, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';

/** Several contests at a few requests a second take their time. */
const limitMs = 15 * 60_000;
/** The API queue's rate: so low that it, and not the machine, is what batches wait for. */
const requestsPerSecond = 10;

/** What a small batch waits for beside a large one, on the same worker. */
export const fairness: Run = async (session) => {
  requireBuild();
  if (session.smoke) return contests(session, 'smoke', {}, [{ name: 'wide', large: 8, small: 1, window: 8, until: 'created' }]);
  const beside = { name: 'beside', large: 200, small: 2 };
  const wide = { ...beside, name: 'wide', window: 50 };
  const wideSameKey = { ...wide, name: 'wideSameKey', sameKey: true };
  const all = [{ ...beside, name: 'alone', large: 0 }, beside, { ...beside, name: 'sameKey', sameKey: true }, wide, wideSameKey];
  return {
    ...(await contests(session, 'onePartition', {}, all)),
    ...(await contests(session, 'fourPartitions', { whole: false }, [beside, wide])),
    ...(await contests(session, 'slowStorage', { slowMs: 1_000, requestsPerSecond: 100 }, [wide, wideSameKey])),
  };
};

async function contests(session: Session, part: string, how: Partial<FairnessRequest>, options: ContestOptions[]): Promise<Figures> {
  const folder = join(session.folder, part);
  await mkdir(folder);
  session.progress(`fairness: ${part}: ${options.map(({ name }) => name).join(', ')}`);
  const request: FairnessRequest = { folder, requestsPerSecond, whole: true, slowMs: 0, ...how, contests: options };
  const results = await runChild<ContestResult[]>(session, 'fairness', request, limitMs);
  const alone = results[options.findIndex(({ name }) => name === 'alone')] ?? null;
  return Object.assign({}, ...results.map((result, index) => figuresOf(`${part}/${options[index]?.name}`, result, alone))) as Figures;
}

function figuresOf(path: string, result: ContestResult, alone: ContestResult | null): Figures {
  const seconds = { [`${path}/seconds`]: figure(result.seconds, 's', { note: "from the small batch's first turn in the API queue to its end" }) };
  if (result === alone) return seconds;
  const waits = Object.entries(result.waits).map(([kind, { tasks, most, sum, mostOfAny }]) => ({
    [`${path}/${kind}/most`]: figure(most, 'tasks', { note: `of the large batch and of the same priority that went before one of the small one's ${tasks}` }),
    [`${path}/${kind}/mean`]: figure(tasks > 0 ? sum / tasks : null, 'ratio', { note: 'the same for each of them; 1 or less is taking turns' }),
    [`${path}/${kind}/mostOfAny`]: figure(mostOfAny, 'tasks', { note: 'of any priority: a poll waits for everything else' }),
  }));
  return Object.assign(seconds, ...waits, {
    ...(alone && { [`${path}/toAlone`]: figure(result.seconds / alone.seconds, 'ratio', { note: 'to the small batch alone' }) }),
    [`${path}/largeDone`]: figure(result.largeDone, 'jobs', { note: 'of the large batch, when the small one had ended' }),
  }) as Figures;
}
