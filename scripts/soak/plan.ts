import type { BatchInputOptions } from '../../src/client';
import { Dice } from '../../src/simulator/words';

/**
 * What a document is, which decides what becomes of it. `twin`: the bytes of an earlier one. `text`: no PDF, whatever its name says.
 * `sick`: its first page does not come out; `dead`: no page does; `poison`: a job with it fails before anything is paid. `gone`: in the
 * list, and not on the disk.
 */
export type DocumentKind = 'good' | 'twin' | 'empty' | 'text' | 'sick' | 'dead' | 'poison' | 'gone';

/** One document of a batch. */
export interface SoakDocument {
  /** Below the source's folder. */
  path: string;
  kind: DocumentKind;
  pages: number;
  /** At least so many bytes. */
  sizeBytes: number;
  /** Printed on its pages: documents of one marker have one content. */
  marker: string;
}

/** Everything that chance decides about a batch and those that follow it over the same documents. */
export interface FamilyPlan {
  number: number;
  documents: SoakDocument[];
  source: 'folder' | 'jsonl' | 'csv' | 'documents' | 'schedule';
  input: Pick<BatchInputOptions, 'upload' | 'limits' | 'maxConcurrentJobs' | 'tenant' | 'priority' | 'skipProcessed' | 'labels' | 'createProject'> & { project: string };
  /** What an operator does to it while it runs. */
  operation: { what: 'none' | 'cancel' | 'pause'; afterMs: number; forMs: number };
  /** Its jobs fail when half of their documents are paid. */
  failsHalfway: boolean;
  /** Whether another batch sweeps the same folder afterwards, without what was processed. */
  again: boolean;
  /** Whether what was not processed is sent again afterwards. */
  retry: boolean;
  /** Until the next one starts, when there is room for it. */
  pauseMs: number;
}

/** Credits a page, by the folder that a document lies in. */
export const creditsPerPage = { drawings: 10, papers: 1 } as const;
/** The classes of those folders. */
export const classify: NonNullable<BatchInputOptions['classify']> = [
  { glob: '**/drawings/**', classification: 'plans' },
  { glob: '**/papers/**', classification: 'specifications' },
];
/** Files that no batch takes. */
export const ignored = 'ignored';

/** Names that the faults of the whole run are about. */
export const names = { sick: 'sick.pdf', dead: 'dead.pdf', poison: 'poison.pdf' } as const;

const [kilobyte, megabyte] = [1_000, 1_000_000];

/** The family of batches that follows from a seed and its number: always the same one. */
export function familyPlan(seed: number, number: number): FamilyPlan {
  const dice = new Dice(`soak ${seed} ${number}`);
  const one = (of: number): boolean => dice.below(of) === 0;
  const source = dice.of(['folder', 'folder', 'folder', 'folder', 'folder', 'folder', 'jsonl', 'csv', 'documents', 'schedule'] as const);
  const [failsHalfway, form] = [one(25), one(5)];
  const documents = plannedDocuments(dice, { seed, number, listed: source === 'jsonl' || source === 'csv', large: !form && one(12) });
  const few = one(4);
  const project = one(30) ? { project: `Soak ${number}`, createProject: true } : { project: 'Quickstart' };
  return {
    number,
    documents,
    source,
    input: {
      ...project,
      upload: form ? 'form' : 'signed',
      limits: few ? { maxFiles: 2 + dice.below(9) } : one(3) ? { maxFiles: 20 + dice.below(80) } : {},
      maxConcurrentJobs: 1 + dice.below(6),
      ...(one(2) && { tenant: `tenant-${dice.below(3)}` }),
      ...(one(3) && { priority: 1 + dice.below(5) }),
      skipProcessed: source === 'schedule' || one(4),
      labels: { soak: String(number) },
    },
    operation: { what: source === 'schedule' ? 'none' : dice.of(['none', 'none', 'none', 'none', 'none', 'none', 'none', 'none', 'pause', 'cancel'] as const), afterMs: 300 + dice.below(4_000), forMs: 3_000 + dice.below(12_000) },
    failsHalfway,
    again: source === 'schedule' || (source === 'folder' && one(4)),
    retry: one(2),
    pauseMs: 3_000 + dice.below(14_000),
  };
}

interface Shape {
  seed: number;
  number: number;
  listed: boolean;
  large: boolean;
}

function plannedDocuments(dice: Dice, { seed, number, listed, large }: Shape): SoakDocument[] {
  const one = (of: number): boolean => dice.below(of) === 0;
  const count = dice.of([() => 1 + dice.below(5), () => 6 + dice.below(55), () => 6 + dice.below(55), () => 61 + dice.below(240)])();
  const documents = Array.from({ length: count }, (_, index): SoakDocument => {
    const folder = dice.of(['drawings', 'papers']);
    const sizeBytes = one(15) ? (50 + dice.below(800)) * kilobyte : 0;
    return { path: `set-${Math.floor(index / 25) + 1}/${folder}/doc-${String(index + 1).padStart(4, '0')}.pdf`, kind: 'good', pages: 1 + dice.below(4), sizeBytes, marker: `${seed} ${number} ${index}` };
  });
  const add = (path: string, kind: DocumentKind, more: Partial<SoakDocument> = {}): void => {
    documents.push({ path, kind, pages: kind === 'empty' || kind === 'text' || kind === 'gone' ? 0 : 2, sizeBytes: 0, marker: `${seed} ${number} ${kind} ${path}`, ...more });
  };
  if (large) for (let index = 0; index <= dice.below(3); index++) add(`drawings/large-${index}.pdf`, 'good', { pages: 20, sizeBytes: (5 + dice.below(46)) * megabyte });
  if (one(3)) for (let index = 0; index <= dice.below(5); index++) add(`zz-twins/papers/twin-${index}.pdf`, 'twin', twinOf(dice.of(documents.slice(0, count))));
  if (one(5)) for (let index = 0; index <= dice.below(3); index++) add(`papers/empty-${index}.pdf`, 'empty');
  if (one(7)) for (let index = 0; index <= dice.below(3); index++) add(`papers/text-${index}.pdf`, 'text');
  if (one(8)) add(`papers/${names.sick}`, 'sick');
  if (one(10)) add(`papers/${names.dead}`, 'dead');
  if (one(12)) add(`papers/${names.poison}`, 'poison');
  if (listed && one(2)) add('papers/gone.pdf', 'gone');
  return documents;
}

const twinOf = ({ pages, sizeBytes, marker }: SoakDocument): Partial<SoakDocument> => ({ pages, sizeBytes, marker });

/** What a sweep finds beside the documents that an earlier one took. */
export function laterDocuments({ number, documents }: FamilyPlan, seed: number): SoakDocument[] {
  const dice = new Dice(`soak ${seed} ${number} later`);
  return Array.from({ length: dice.below(Math.min(20, documents.length + 1)) }, (_, index) => ({ path: `later/papers/late-${index}.pdf`, kind: 'good', pages: 1 + dice.below(3), sizeBytes: 0, marker: `${seed} ${number} late ${index}` }));
}

/** When the credits run out, in ms from the end of the last time; whether somebody resumes what waits, or it is left to its own probes. */
export function creditOutage(seed: number, number: number): { afterMs: number; forMs: number; resumed: boolean } {
  const dice = new Dice(`soak ${seed} credits ${number}`);
  return { afterMs: 120_000 + dice.below(300_000), forMs: 10_000 + dice.below(30_000), resumed: dice.below(4) > 0 };
}
