import { Dice } from '../../src/simulator/words';
import recorded from './points.json';

/** What befalls a batch; see scripts/crash/batches.ts. */
export const scenarios = ['signed', 'form', 'credits', 'cancel', 'resend', 'split', 'ledger', 'project'] as const;
/** See {@link scenarios}. */
export type Scenario = (typeof scenarios)[number];

/** How often each scenario's batch passes a point when nobody is killed. */
export type Passed = Partial<Record<Scenario, number>>;

/** Every named point of the product, as recorded by `npm run crash -- --record`. */
export const catalogue: Readonly<Record<string, Passed>> = recorded;

/** The catalogue as its file has it: one line a point. */
export function catalogueText(passed: Record<string, Passed>): string {
  const lines = Object.entries(passed).map(([point, times]) => `  ${JSON.stringify(point)}: ${JSON.stringify(times)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** All names, in order. */
export const points: readonly string[] = Object.keys(catalogue).sort();

/** Points that only a start passes: killing there once would be nothing but a late start. */
const startPoints = new Set(['worker start', 'receiver start']);
const killable = points.filter((point) => !startPoints.has(point));

/** See {@link Passed}. */
export const passagesOf = (point: string): Passed => catalogue[point] ?? {};

/** Whether it is the receiver that passes a point. */
export const isOfReceiver = (point: string): boolean => /^(receiver|webhook|secret|signal) /.test(point);

/** Points a run is dealt. */
const pointsPerRun = 4;

/** The scenario of a seed: each in its turn. */
export const scenarioOf = (seed: number): Scenario => scenarios[seed % scenarios.length]!;

/**
 * The points of a seed's run. They are dealt as cards are: every point has one scenario among those that pass it, and each scenario's points are dealt over its seeds, four a run, until
 * all are; then they are shuffled anew. So a few hundred kills come to each, however seldom a batch passes it.
 */
export function dealtPoints(seed: number): string[] {
  const scenario = scenarioOf(seed);
  const turn = Math.floor(seed / scenarios.length);
  const length = Math.ceil(Math.max(...[...decks(0).values()].map((deck) => deck.length)) / pointsPerRun);
  const deck = decks(Math.floor(turn / length)).get(scenario)!;
  return Array.from({ length: pointsPerRun }, (_, index) => deck[((turn % length) * pointsPerRun + index) % deck.length]!);
}

const known = new Map<number, Map<Scenario, string[]>>();

/** Each point in one scenario's deck, the decks about equally large, in an order of this round. */
function decks(round: number): Map<Scenario, string[]> {
  const made = known.get(round);
  if (made) return made;
  const dice = new Dice(`deck ${round}`);
  const place = new Map(killable.map((point) => [point, dice.below(2 ** 30)]));
  const shuffled = (list: readonly string[]): string[] => list.toSorted((a, b) => place.get(a)! - place.get(b)!);
  const choicesOf = (point: string): Scenario[] => Object.keys(passagesOf(point)) as Scenario[];
  const result = new Map<Scenario, string[]>(scenarios.map((scenario) => [scenario, []]));
  // Those with the fewest scenarios first: they have no choice.
  for (const point of shuffled(killable).sort((a, b) => choicesOf(a).length - choicesOf(b).length)) {
    const [smallest] = choicesOf(point).map((scenario) => result.get(scenario)!).sort((a, b) => a.length - b.length);
    smallest!.push(point);
  }
  for (const [scenario, deck] of result) result.set(scenario, shuffled(deck));
  known.set(round, result);
  return result;
}
