import { Dice } from '../../src/simulator/words';
import type { Target } from './passages';
import { dealtPoints, isOfReceiver, passagesOf, scenarioOf, type Scenario } from './points';

/** One kill -9, and the restart that follows it at once. */
export interface Kill {
  /** At the n-th passage of a named point; or so many ms after the first batch was started. */
  at: { point: string; nth: number } | { afterMs: number };
  /** Those that are hit together. */
  targets: Target[];
}

/** One document. */
export interface CrashDocument {
  /** Below the source; the folder decides the classification, see {@link creditsPerPage}. */
  path: string;
  pages: number;
  /** At least so many bytes. */
  sizeBytes: number;
  /** Printed on its pages: documents of one marker have one content. */
  marker: string;
}

/** A batch of a run, what befalls it, and by that how it ends. */
export interface BatchPlan {
  id: string;
  scenario: Scenario;
  documents: CrashDocument[];
  /** Files a job. */
  maxFiles: number;
  /** Jobs at the same time. */
  maxConcurrentJobs: number;
  upload: 'signed' | 'form';
  /** `cancel`: how long after a job was seen at work, in ms. */
  cancelAfterMs: number;
  /** `ledger`: when the other batch over the same documents starts. */
  twin: 'after' | 'beside';
}

/** Everything about a run that chance decides. */
export interface CrashPlan {
  seed: number;
  batches: BatchPlan[];
  webhooks: boolean;
  /** One process that serves all, two of them, or one for each kind of work. */
  workers: 'one' | 'two' | 'roles';
  /** Temporal finds out by itself that a worker is dead; else it is told. */
  patient: boolean;
  /** Time of a remote job, in ms. */
  jobMs: number;
  /** Now and then a request to Plangrep is refused, or done without an answer. */
  rough: boolean;
  kills: Kill[];
}

/** Credits a page by a document's folder; the batch classifies by it. */
export const creditsPerPage = { drawings: 10, specifications: 1 } as const;
/** Bytes from which on a document is sent in parts; so large is each part, too. */
export const partBytes = 40_000;

/** The run that follows from a seed: always the same one. `point`: kill there, whatever the seed says. */
export function crashPlan(seed: number, point: string | null = null): CrashPlan {
  const dice = new Dice(`crash ${seed}`);
  const scenario = point === null ? scenarioOf(seed) : dice.of(scenariosOf(point));
  const points = point === null ? dealtPoints(seed) : [point];
  const workers = dice.of(['one', 'one', 'one', 'two', 'roles'] as const);
  const kills = point === null ? plannedKills(dice, { scenario, points, workers }) : [{ at: { point, nth: 1 }, targets: [ownTarget(point)] }];
  const atReceiver = kills.some(({ at, targets }) => ('point' in at && isOfReceiver(at.point)) || targets.includes('receiver'));
  return {
    seed,
    batches: [plannedBatch(scenario, dice, `crash-${scenario}`)],
    webhooks: atReceiver || dice.below(3) > 0,
    workers,
    patient: seed % 5 === 4,
    jobMs: dice.of([50, 300, 1_500]),
    rough: dice.below(4) === 0,
    kills,
  };
}

/** All scenarios side by side, and no kill: what passes is what there is. */
export function recordedPlan(scenarios: readonly Scenario[]): CrashPlan {
  const batches = scenarios.map((scenario) => plannedBatch(scenario, new Dice(`recorded ${scenario}`), `crash-${scenario}`));
  return { seed: 0, batches, webhooks: true, workers: 'one', patient: true, jobMs: 50, rough: false, kills: [] };
}

const scenariosOf = (point: string): Scenario[] => {
  const found = Object.keys(passagesOf(point)) as Scenario[];
  if (found.length === 0) throw new Error(`There is no point "${point}"; --points lists them`);
  return found;
};

/** A batch that fits its scenario. Where a document or a job fails, all jobs are full, so that none is alone. */
function plannedBatch(scenario: Scenario, dice: Dice, id: string): BatchPlan {
  const maxFiles = 3 + dice.below(3);
  const full = scenario === 'resend' || scenario === 'split' || scenario === 'project';
  const count = full ? maxFiles * (2 + dice.below(2)) : 8 + dice.below(8);
  const documents = plannedDocuments(dice, { count, id, oneFolder: full });
  return {
    id,
    scenario,
    documents,
    maxFiles,
    // While one job is held until the batch is cancelled, others come to their end.
    maxConcurrentJobs: scenario === 'cancel' ? 2 + dice.below(3) : 1 + dice.below(4),
    upload: scenario === 'form' ? 'form' : 'signed',
    cancelAfterMs: dice.of([500, 1_500, 3_000]),
    twin: dice.of(['after', 'beside'] as const),
  };
}

function plannedDocuments(dice: Dice, { count, id, oneFolder }: { count: number; id: string; oneFolder: boolean }): CrashDocument[] {
  const documents = Array.from({ length: count }, (_, index): CrashDocument => {
    const sizeBytes = index === 0 || dice.below(4) === 0 ? partBytes + 1 + dice.below(2 * partBytes) : 1_000 + dice.below(30_000);
    const folder = oneFolder ? 'drawings' : dice.of(Object.keys(creditsPerPage));
    return { path: `${folder}/${id}-${String(index + 1).padStart(3, '0')}.pdf`, pages: 2 + dice.below(3), sizeBytes, marker: `${id} ${index + 1}` };
  });
  const copies = !oneFolder && dice.below(3) === 0 ? documents.slice(0, 1 + dice.below(2)) : [];
  // Their name sorts them behind the originals, which therefore are what is sent.
  return [...documents, ...copies.map((document, index) => ({ ...document, path: `zz-copies/${id}-copy-${index + 1}.pdf` }))];
}

/** The process that a point lies in. */
const ownTarget = (point: string): Target => (isOfReceiver(point) ? 'receiver' : 'worker');

/** Kills at the points that were dealt, and now and then some more: at a random time, or once more while a process starts again. */
function plannedKills(dice: Dice, { scenario, points, workers }: Pick<CrashPlan, 'workers'> & { scenario: Scenario; points: string[] }): Kill[] {
  const kills = points.map((point): Kill => {
    const times = passagesOf(point)[scenario] ?? 1;
    const own = ownTarget(point);
    const others: Target[][] = own === 'worker' ? [['server'], ['worker', 'server'], ['worker', 'receiver']] : [['server'], ['worker'], ['receiver', 'server']];
    // The last passages may not come in a batch of another shape, or where two processes share them.
    const latest = workers === 'two' ? 1 : Math.min(4, Math.ceil(times / 4));
    return { at: { point, nth: 1 + dice.below(latest) }, targets: dice.below(4) > 0 ? [own] : dice.of(others) };
  });
  const more = dice.below(3);
  for (let index = 0; index < more; index++) kills.push(extraKill(dice));
  const startsAgain = kills.some(({ targets }) => targets.includes('receiver')) && dice.below(2) === 0;
  if (startsAgain) kills.push({ at: { point: 'receiver start', nth: 2 }, targets: ['receiver'] });
  return kills;
}

function extraKill(dice: Dice): Kill {
  if (dice.below(3) === 0) return { at: { point: 'worker start', nth: 2 + dice.below(2) }, targets: ['worker'] };
  return { at: { afterMs: 500 + dice.below(8_000) }, targets: dice.of<Target[]>([['worker'], ['server'], ['worker', 'server'], ['receiver'], ['worker', 'receiver', 'server']]) };
}

/** A kill in a few words. */
export function killText({ at, targets }: Kill): string {
  const moment = 'point' in at ? `${at.point} ${at.nth}` : `${at.afterMs} ms`;
  return `${targets.join(' and ')} at ${moment}`;
}
