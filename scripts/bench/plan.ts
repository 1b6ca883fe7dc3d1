import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { PlanAnswer, PlanRequest } from './children/plan';
import type { Measured } from './children/measure';
import { figure, type Figures } from './figures';
import { mostJobs } from './packing';
import { runChild, type Run, type Session } from './session';
import { sequence, Sizes } from './sizes';

/** Documents of one folder of the list. */
const folderFiles = 80;
/** Lines that are written together. */
const portion = 5_000;

/** Planning a list that spares every look at a file. */
export const plan: Run = async (session) => {
  const list = join(session.folder, 'list.jsonl');
  const documents = session.smoke ? 20_000 : 1_000_000;
  session.progress(`plan: writing a list of ${documents} documents`);
  await writeList(list, documents);
  session.progress('plan: planning');
  return figuresOf(await planList(session, { list }), documents);
};

const planList = (session: Session, request: PlanRequest): Promise<Measured<PlanAnswer>> => runChild(session, 'plan', request);

function figuresOf({ value, seconds, cpuSeconds, memory }: Measured<PlanAnswer>, expected: number): Figures {
  if (value.lines !== expected || value.rejected + value.duplicates > 0) {
    throw new Error(`${value.lines} lines were planned, ${value.rejected} of them rejected and ${value.duplicates} duplicates, instead of ${expected}`);
  }
  return {
    documents: figure(value.lines, 'documents', { note: 'no two of one size: of files that share their size planning reads the content, which measures the disk' }),
    seconds: figure(seconds, 's', { note: 'reading the list, packing, and writing every line of the plan to nowhere; without the start of Node' }),
    cpuSeconds: figure(cpuSeconds, 's'),
    processPeakBytes: figure(memory.processPeakBytes, 'bytes', { budget: 300_000_000, note: 'resident, the whole process with Node and the loader of TypeScript' }),
    jobs: figure(value.jobs, 'jobs', { budget: mostJobs(value.lowerBound) }),
    lowerBound: figure(value.lowerBound, 'jobs'),
    ratio: figure(value.jobs / value.lowerBound, 'ratio'),
  };
}

async function writeList(path: string, documents: number): Promise<void> {
  const file = createWriteStream(path);
  const sizeOf = distinctSizes();
  for (let from = 0; from < documents; from += portion) {
    const lines = Array.from({ length: Math.min(portion, documents - from) }, (_, at) => lineOf(from + at, sizeOf()));
    if (!file.write(lines.join(''))) await once(file, 'drain');
  }
  await new Promise<void>((resolve, reject) => file.once('error', reject).end(resolve));
}

function lineOf(document: number, sizeBytes: number): string {
  const folder = String(Math.floor(document / folderFiles)).padStart(5, '0');
  return `${JSON.stringify({ path: `project-${folder.slice(0, 3)}/set-${folder}/sheet-${String(document).padStart(7, '0')}.pdf`, sizeBytes })}\n`;
}

/** Sizes as sheets have them, each one once. */
function distinctSizes(): () => number {
  const sizes = new Sizes(sequence(1_000_003));
  const taken = new Set<number>();
  return () => {
    let size = sizes.around(3_000_000, 0.9);
    while (taken.has(size)) size += 1;
    taken.add(size);
    return size;
  };
}
