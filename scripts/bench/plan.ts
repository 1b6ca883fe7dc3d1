import { join } from 'node:path';
import type { Source } from '../../src/contract/batch';
import type { Measured } from './children/measure';
import type { PlanAnswer, PlanRequest } from './children/plan';
import { figure, type Figures } from './figures';
import { mostJobs } from './packing';
import { writeCsv, writeJsonLines, writeTree } from './plan-sources';
import { runChild, type Run } from './session';

/** A source, and how many documents it has. */
interface Planned {
  name: 'list' | 'csv' | 'folder';
  source: Source;
  documents: number;
}

/** Most memory of the process that the design allows for a million documents, in bytes. */
const memoryBudgetBytes = 300_000_000;
/** Looks that a file may cost; its folder costs one too. */
const looksBudget = 1.05;
const limitMs = 15 * 60_000;

/** Planning lists that spare every look at a file, and a folder whose files are looked at. */
export const plan: Run = async (session) => {
  const [list, csv, folder] = [join(session.folder, 'list.jsonl'), join(session.folder, 'list.csv'), join(session.folder, 'source')];
  const [listed, files] = session.smoke ? [20_000, 1_000] : [1_000_000, session.full ? 1_000_000 : 200_000];
  session.progress(`plan: writing lists of ${listed} documents, and ${files} files`);
  await writeJsonLines(list, listed);
  await writeCsv(csv, listed);
  await writeTree(folder, files);
  const planned: Planned[] = [
    { name: 'list', source: { list }, documents: listed },
    { name: 'csv', source: { list: csv }, documents: listed },
    { name: 'folder', source: { folder }, documents: files },
  ];
  session.progress('plan: planning');
  // A process for each where memory means something.
  const runs = session.smoke ? [planned] : planned.map((one) => [one]);
  let figures: Figures = {};
  for (const run of runs) {
    const request: PlanRequest = { sources: run.map(({ source }) => source) };
    const measured = await runChild<Measured<PlanAnswer>[]>(session, 'plan', request, limitMs);
    for (const [at, one] of run.entries()) figures = { ...figures, ...figuresOf(one, measured[at]!) };
  }
  return figures;
};

function figuresOf({ name, documents }: Planned, { value, seconds, cpuSeconds, memory }: Measured<PlanAnswer>): Figures {
  const { lines, rejected, duplicates, jobs, lowerBound, looks, opened } = value;
  if (lines !== documents || rejected + duplicates > 0) {
    throw new Error(`${name}: ${lines} lines were planned, ${rejected} of them rejected and ${duplicates} duplicates, instead of ${documents}`);
  }
  const figures: Figures = {
    documents: figure(lines, 'documents', { note: 'no two of one size: of files that share their size planning reads the content, which measures the disk' }),
    seconds: figure(seconds, 's', { note: 'reading the source, packing, and writing every line of the plan to nowhere; without the start of Node' }),
    cpuSeconds: figure(cpuSeconds, 's'),
    processPeakBytes: figure(memory.processPeakBytes, 'bytes', { budget: memoryBudgetBytes, note: 'resident, the whole process with Node and the loader of TypeScript' }),
    jobs: figure(jobs, 'jobs', { budget: mostJobs(lowerBound) }),
    lowerBound: figure(lowerBound, 'jobs'),
    ratio: figure(jobs / lowerBound, 'ratio'),
    looksPerFile: figure(looks / documents, 'ratio', { budget: name === 'folder' ? looksBudget : 0.001, note: 'calls of lstat, stat, access and realpath, those for folders included' }),
    opened: figure(opened, 'files', { budget: 0 }),
  };
  return Object.fromEntries(Object.entries(figures).map(([of, value]) => [`${name}/${of}`, value]));
}
