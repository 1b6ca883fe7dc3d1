import { courseOf, warmUpMinutes, type Allowance, type Course, type Point } from './flat';
import type { HistorySurvey } from './histories';
import type { Tally } from './ledger';
import type { ProcessSample, Sample } from './samples';
import type { SimulatorCounters } from './site';

/** Everything a soak has to say. */
export interface SoakReport {
  seed: number;
  minutes: number;
  interrupted: boolean;
  batches: { started: number; ended: number; byStatus: Record<string, number>; byKind: Record<string, number> };
  documents: { total: number; byOutcome: Record<string, number> };
  jobs: number;
  bytes: number;
  archived: { files: number; bytes: number };
  /** Answers that were none: by status, and connections that were cut. */
  faults: Record<string, number>;
  webhooks: SimulatorCounters['webhooks'];
  operator: { gatesOpened: Record<string, number>; creditOutages: number; unanswered: number };
  restarts: { drained: number; killed: number };
  /** Courses by process and measure. */
  courses: Record<string, Partial<Record<Measure, Course>>>;
  /** Share of one processor, by process, over the whole run. */
  cpu: Record<string, number>;
  databaseBytes: number;
  histories: Record<string, HistorySurvey>;
  /** Lines of level `error` in the workers' logs, and the last one. */
  logged: Record<string, { errors: number; last: string | null }>;
  findings: string[];
}

/** What is followed of a process. */
export type Measure = 'rss' | 'anonymous' | 'heap' | 'descriptors' | 'threads';

const mebibyte = 2 ** 20;
/** How much each may grow. */
const allowances: Record<Measure, Allowance> = {
  rss: { ratio: 1.15, growth: 32 * mebibyte },
  anonymous: { ratio: 1.15, growth: 32 * mebibyte },
  heap: { ratio: 1.15, growth: 16 * mebibyte },
  descriptors: { ratio: 1.1, growth: 10 },
  threads: { ratio: 1.1, growth: 4 },
};
/** Processes of ours that live as long as the run: theirs has to be flat. Temporal's database and the simulator's records grow by design. */
const judged = ['worker', 'receiver'];

/** How each measure of each process went; of a process that was started again, its last life. */
export function coursesOf(samples: readonly Sample[]): SoakReport['courses'] {
  const names = [...new Set(samples.flatMap(({ processes }) => Object.keys(processes)))];
  return Object.fromEntries(names.map((name) => [name, coursesOfProcess(samples, name)]));
}

function coursesOfProcess(samples: readonly Sample[], name: string): Partial<Record<Measure, Course>> {
  const all = samples.flatMap(({ minutes, processes }) => (processes[name] ? [{ minutes, process: processes[name] }] : []));
  const life = all.filter(({ process }) => process.pid === all.at(-1)?.process.pid);
  const [from, to] = [life[0]?.minutes ?? 0, life.at(-1)?.minutes ?? 0];
  const courses: Partial<Record<Measure, Course>> = {};
  for (const measure of Object.keys(allowances) as Measure[]) {
    const points = life.flatMap(({ minutes, process }): Point[] => (process[measure] === null ? [] : [{ minutes, value: process[measure] }]));
    const course = courseOf(points, from + warmUpMinutes(to - from), allowances[measure]);
    if (course) courses[measure] = course;
  }
  return courses;
}

/** What grew that should not. */
export function growth(courses: SoakReport['courses']): string[] {
  return judged.flatMap((name) =>
    (Object.entries(courses[name] ?? {}) as [Measure, Course][])
      .filter(([, { flat }]) => flat === false)
      .map(([measure, { first, last, slope }]) => `${name}: ${measure} grew from ${shown(measure, first)} to ${shown(measure, last)} (first and last third), ${shown(measure, slope)} an hour`),
  );
}

const isBytes = (measure: Measure): boolean => measure === 'rss' || measure === 'anonymous' || measure === 'heap';
const shown = (measure: Measure, value: number): string => (isBytes(measure) ? `${(value / mebibyte).toFixed(1)} MiB` : String(Math.round(value)));

/** Share of one processor that each process used. */
export function cpuOf(samples: readonly Sample[]): Record<string, number> {
  const used: Record<string, number> = {};
  const last = new Map<string, ProcessSample>();
  for (const { processes } of samples) {
    for (const [name, process] of Object.entries(processes)) {
      const before = last.get(name);
      used[name] = (used[name] ?? 0) + process.cpuSeconds - (before?.pid === process.pid ? before.cpuSeconds : 0);
      last.set(name, process);
    }
  }
  const seconds = 60 * Math.max(1 / 60, samples.at(-1)?.minutes ?? 0);
  return Object.fromEntries(Object.entries(used).map(([name, cpuSeconds]) => [name, Math.round((1000 * cpuSeconds) / seconds) / 1000]));
}

/** Answers that went wrong, by what they were. */
export function faultsOf({ requests }: Pick<SimulatorCounters, 'requests'>): Record<string, number> {
  const faults: Record<string, number> = {};
  for (const [operation, outcomes] of Object.entries(requests)) {
    for (const [outcome, count] of Object.entries(outcomes)) {
      if (outcome !== 'dropped' && Number(outcome) < 400) continue;
      const name = `${operation} ${outcome}`;
      faults[name] = (faults[name] ?? 0) + count;
    }
  }
  return Object.fromEntries(Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The part of a report that the tally knows. */
export function tallied({ started, ended, statuses, kinds, documents, outcomes, jobs, bytes, archivedFiles, archivedBytes }: Tally): Pick<SoakReport, 'batches' | 'documents' | 'jobs' | 'bytes' | 'archived'> {
  return { batches: { started, ended, byStatus: statuses, byKind: kinds }, documents: { total: documents, byOutcome: outcomes }, jobs, bytes, archived: { files: archivedFiles, bytes: archivedBytes } };
}

const pairs = (record: Record<string, number>): string => Object.entries(record).map(([name, count]) => `${name} ${count}`).join(', ') || 'none';

/** The report for people. */
export function reportText(report: SoakReport): string {
  const { seed, minutes, interrupted, batches, documents, jobs, bytes, archived, faults, webhooks, operator, restarts, databaseBytes, histories, logged, findings } = report;
  const lines = [
    `Soak with seed ${seed}: ${minutes.toFixed(1)} minutes${interrupted ? ', interrupted' : ''}`,
    `batches      ${batches.ended} of ${batches.started} ended: ${pairs(batches.byStatus)} (${pairs(batches.byKind)})`,
    `documents    ${documents.total}: ${pairs(documents.byOutcome)}`,
    `jobs         ${jobs}; ${(bytes / 1e6).toFixed(0)} MB of documents in jobs; archived and read again ${archived.files} files, ${(archived.bytes / 1e6).toFixed(0)} MB`,
    `faults       ${pairs(faults)}`,
    `webhooks     ${pairs(webhooks)}`,
    `operator     gates opened: ${pairs(operator.gatesOpened)}; credits ran out ${operator.creditOutages} times; ${operator.unanswered} updates unanswered`,
    `restarts     of the second worker: ${pairs(restarts)}`,
    `Temporal     database ${(databaseBytes / 1e6).toFixed(0)} MB`,
    ...Object.entries(histories).map(([type, { runs, longest, median, largestPayload }]) => `histories    ${type}: ${runs} runs, ${median} events in the middle, ${longest} in the longest, largest payload ${largestPayload} bytes`),
    ...Object.entries(logged).filter(([, { errors }]) => errors > 0).map(([name, { errors, last }]) => `logged       ${name}: ${errors} errors, the last: ${last}`),
    '',
    ...courseTable(report),
    '',
    ...(findings.length === 0 ? ['Nothing was lost, doubled or paid twice.'] : [`${findings.length} findings:`, ...findings.slice(0, 200).map((finding) => `  ${finding}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

function courseTable({ courses, cpu }: SoakReport): string[] {
  const row = (cells: string[]): string => cells.map((cell, index) => (index < 2 ? cell.padEnd(12) : cell.padStart(14))).join('');
  const rows = Object.entries(courses).flatMap(([name, measures]) =>
    (Object.entries(measures) as [Measure, Course][]).map(([measure, { first, last, slope, peak, flat }]) => {
      const verdict = flat === null ? 'too short' : flat ? 'flat' : 'grew';
      return row([name, measure, ...[first, last, slope, peak].map((value) => shown(measure, value)), verdict, `${Math.round(100 * (cpu[name] ?? 0))} %`]);
    }),
  );
  return [row(['process', 'measure', 'first third', 'last third', 'an hour', 'peak', 'verdict', 'processor']), ...rows];
}
