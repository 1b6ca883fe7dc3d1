import { readFile } from 'node:fs/promises';
import type { Target } from './passages';
import type { Kill } from './plan';
import { points } from './points';

/** A run as a line of `--json` has it. */
export interface RunLine {
  seed: number;
  scenario: string;
  kills: Kill[];
  problems: string[];
}

/** What runs of any number of sessions come to, as lines for people. */
export function summaryOf(runs: readonly Pick<RunLine, 'kills' | 'problems'>[]): string[] {
  const kills = runs.flatMap((run) => run.kills);
  const of = (target: Target): number => kills.filter(({ targets }) => targets.includes(target)).length;
  const hit = new Set(kills.flatMap(({ at }) => ('point' in at ? [at.point] : [])));
  return [
    `${runs.length} runs, ${runs.filter(({ problems }) => problems.length > 0).length} failed`,
    `${kills.length} kills: worker ${of('worker')}, receiver ${of('receiver')}, server ${of('server')}; ${points.filter((point) => hit.has(point)).length} of ${points.length} points hit`,
  ];
}

/** {@link summaryOf} a file that `--json` wrote, the points that no kill came to, and the seeds that failed. */
export async function sumUp(file: string): Promise<string[]> {
  const runs = (await readFile(file, 'utf8')).split('\n').flatMap((line) => (line ? [JSON.parse(line) as RunLine] : []));
  const kills = runs.flatMap((run) => run.kills);
  const left = points.filter((point) => !kills.some(({ at }) => 'point' in at && at.point === point));
  const failed = runs.filter(({ problems }) => problems.length > 0);
  return [
    ...summaryOf(runs),
    ...(left.length > 0 ? [`not hit: ${left.join(', ')}`] : []),
    ...failed.map(({ seed, scenario, problems }) => `seed ${seed} (${scenario}): ${problems.join('; ')}`),
  ];
}
