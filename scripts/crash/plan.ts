import { streamsPerJob } from '../../src/activities/upload/streams';
import { Dice } from '../../src/simulator/words';

/** When a process is killed. Everything is counted from the moment the kill before it was over. */
export type Moment =
  /** `arrived`: before anything was done. `done`: all was done, and no answer left. `answered`: the answer is on its way. */
  | { on: 'request'; operation: string; nth: number; phase: 'arrived' | 'done' | 'answered' }
  /** So many files of the archive whose path matches have appeared. */
  | { on: 'file'; path: string; nth: number }
  /** So many bytes of content have arrived, most likely in the middle of a body. */
  | { on: 'bytes'; bytes: number };

/** One kill -9, and the restart that follows it at once. */
export interface Kill {
  target: 'worker' | 'temporal';
  at: Moment;
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

/** Everything about a run that chance decides. */
export interface CrashPlan {
  seed: number;
  documents: CrashDocument[];
  /** Files a job. */
  maxFiles: number;
  /** Jobs at the same time. */
  maxConcurrentJobs: number;
  upload: 'signed' | 'form';
  partThreshold: number;
  partBytes: number;
  /** Time of a remote job, in ms. */
  jobMs: number;
  kills: Kill[];
}

/** Credits a page by a document's folder; the batch classifies by it. */
export const creditsPerPage = { drawings: 10, specifications: 1 } as const;

/** The run that follows from a seed: always the same one. */
export function crashPlan(seed: number): CrashPlan {
  const dice = new Dice(`crash ${seed}`);
  const upload = dice.below(5) === 0 ? 'form' : 'signed';
  const partBytes = 20_000 + 1_000 * dice.below(20);
  const partThreshold = 40_000;
  const documents = plannedDocuments(dice, { partBytes, partThreshold });
  const jobs = { maxFiles: 3 + dice.below(10), maxConcurrentJobs: 1 + dice.below(4), jobMs: dice.of([50, 300, 1_500]) };
  const shape = { seed, documents, upload, partBytes, partThreshold, ...jobs } as const;
  return { ...shape, kills: plannedKills(dice, shape) };
}

function plannedDocuments(dice: Dice, { partBytes, partThreshold }: Pick<CrashPlan, 'partBytes' | 'partThreshold'>): CrashDocument[] {
  const documents = Array.from({ length: 10 + dice.below(31) }, (_, index): CrashDocument => {
    const sizeBytes = dice.below(4) === 0 ? partThreshold + 1 + dice.below(4 * partBytes) : 1_000 + dice.below(30_000);
    const folder = dice.of(Object.keys(creditsPerPage));
    return { path: `${folder}/document-${String(index + 1).padStart(3, '0')}.pdf`, pages: 1 + dice.below(5), sizeBytes, marker: String(index + 1) };
  });
  const copies = dice.below(4) === 0 ? documents.slice(0, 1 + dice.below(2)) : [];
  // Their name sorts them behind the originals, which therefore are what is sent.
  return [...documents, ...copies.map((document, index) => ({ ...document, path: `zz-copies/copy-${index + 1}.pdf` }))];
}

/** What may be waited for, by stage, and how often it happens at least. */
interface Choice {
  moment: (dice: Dice, nth: number) => Moment;
  times: number;
}

const phases = ['arrived', 'done', 'answered'] as const;
const request = (operation: string, times: number): Choice => ({
  times,
  moment: (dice, nth) => ({ on: 'request', operation, nth, phase: dice.of(phases) }),
});
const file = (path: string, times: number): Choice => ({ times, moment: (_, nth) => ({ on: 'file', path, nth }) });

/** The stages of a batch in their order: kills are drawn from different ones, so that each can come after the one before it. */
function stagesOf(plan: Omit<CrashPlan, 'kills'>): Choice[][] {
  const unique = plan.documents.filter(({ path }) => !path.startsWith('zz-'));
  const jobs = Math.ceil(unique.length / plan.maxFiles);
  const inParts = unique.filter(({ sizeBytes }) => sizeBytes > plan.partThreshold).length;
  const bytes = unique.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // Documents that end together are written down together, at most one a stream.
  const groups = Math.ceil(unique.length / streamsPerJob);
  const uploads =
    plan.upload === 'form'
      ? [request('uploadFiles', unique.length), file('/sent/', groups)]
      : [request('putObject', unique.length - inParts), request('putPart', 2 * inParts), file('/sent/', groups), file('/sent-parts/', 2 * inParts)];
  return [
    [file('/input\\.json$', 1), request('listProjects', 1), file('/plan\\.jsonl$', 1), file('/plan\\.json$', 1)],
    [request('createJob', jobs), file('/intent\\.json$', jobs), file('/remote\\.json$', jobs)],
    plan.upload === 'form' ? uploads : [request('registerUploads', jobs), file('/registrations/', jobs)],
    [...uploads, { times: 1, moment: (dice) => ({ on: 'bytes', bytes: 1 + dice.below(Math.ceil(bytes / 2)) }) }],
    [file('/uploads\\.jsonl$', jobs), request('completeUploads', jobs), request('getJob', jobs)],
    [request('getJobResult', jobs), file('/result\\.json$', jobs), file('/extract\\.jsonl$', jobs)],
    [request('getJobArtifact', 2 * unique.length), file('/artifacts/', 2 * unique.length)],
    [file('/results\\.jsonl$', jobs), file('/files\\.jsonl$', jobs), file('/documents\\.jsonl$', jobs), file('/job\\.json$', jobs)],
    [file('/manifest\\.jsonl$', 1), file('/manifest\\.json$', 1)],
  ];
}

/** One to three kills of the worker; in every third run one of the Temporal server as well. */
function plannedKills(dice: Dice, plan: Omit<CrashPlan, 'kills'>): Kill[] {
  const stages = stagesOf(plan);
  const targets: Kill['target'][] = Array.from({ length: 1 + dice.below(3) }, () => 'worker');
  if (dice.below(3) === 0) targets.splice(dice.below(targets.length + 1), 0, 'temporal');
  const left = stages.map((_, index) => index);
  const chosen = targets.map(() => left.splice(dice.below(left.length), 1)[0]!).sort((a, b) => a - b);
  return chosen.map((stage, index) => {
    const possible = stages[stage]!.filter(({ times }) => times > 0);
    const { times, moment } = dice.of(possible);
    // A later kill finds less of its stage left.
    return { target: targets[index]!, at: moment(dice, 1 + dice.below(Math.ceil(times / (index + 2)))) };
  });
}

/** The moment in a few words. */
export function momentText(at: Moment): string {
  if (at.on === 'request') return `${at.operation} ${at.nth} ${at.phase}`;
  if (at.on === 'file') return `file ${at.path.replaceAll(/\\|\$/g, '')} ${at.nth}`;
  return `${at.bytes} bytes`;
}
