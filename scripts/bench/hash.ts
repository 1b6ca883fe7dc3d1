import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { HashAnswer, HashRequest } from './children/hash';
import type { Measured } from './children/measure';
import { writeRandomFiles } from './documents';
import { figure, median, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';

/** Growth of the hashing process that the design allows a worker, in bytes. */
const growthBudgetBytes = 64 * 2 ** 20;
/** Files that are open at the same time: as many as our threads take at once. */
const width = 8;
const limitMs = 10 * 60_000;

/** Programs that hash files: what shows that they are there, and what goes before the files. */
const rivals = {
  sha256sum: { probe: ['--version'], args: [] },
  openssl: { probe: ['version'], args: ['dgst', '-sha256', '-r'] },
} as const;
type Rival = keyof typeof rivals;

/** One round: ours and the shell's, right after each other; null for a program that is not there. */
interface Round {
  ours: Measured<HashAnswer>;
  seconds: Record<Rival, number | null>;
}

/** Hashing in our threads beside programs that run as many processes, large files and small ones. */
export const hash: Run = async (session) => {
  const [large, largeBytes, small, smallBytes, rounds] = session.smoke ? [8, 1_000_000, 100, 4_000, 1] : [64, session.full ? 160_000_000 : 16_000_000, 5_000, 16_000, 3];
  const warmUp = (await writeRandomFiles(join(session.folder, 'warm-up'), 1, 100_000))[0]!;
  const groups = [
    { name: 'large', count: large, sizeBytes: largeBytes },
    { name: 'small', count: small, sizeBytes: smallBytes },
  ];
  const there = await programs(session);
  let figures: Figures = {};
  for (const { name, count, sizeBytes } of groups) {
    const folder = join(session.folder, name);
    const files = (await writeRandomFiles(folder, count, sizeBytes)).sort();
    const measured: Round[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      session.progress(`hash: ${name} files, round ${round} of ${rounds}`);
      measured.push(await runRound(session, { warmUp, folder, width }, { files, there }));
    }
    figures = { ...figures, ...figuresOf(name, measured, { files: count, bytes: count * sizeBytes }) };
    await rm(folder, { recursive: true });
  }
  return figures;
};

async function programs({ processes }: Session): Promise<Set<Rival>> {
  const names = Object.keys(rivals) as Rival[];
  const there = await Promise.all(names.map((name) => processes.capture(name, [...rivals[name].probe], { timeoutMs: 10_000 }).then(({ code }) => code === 0, () => false)));
  return new Set(names.filter((_, at) => there[at]));
}

async function runRound(session: Session, request: HashRequest, { files, there }: { files: string[]; there: Set<Rival> }): Promise<Round> {
  const ours = await runChild<Measured<HashAnswer>>(session, 'hash', request, limitMs);
  const seconds: Round['seconds'] = { sha256sum: null, openssl: null };
  for (const name of there) {
    const { digests, seconds: took } = await runRival(session, name, files);
    if (digests !== ours.value.digests) throw new Error(`${name} found other digests than we did`);
    seconds[name] = took;
  }
  return { ours, seconds };
}

/** As many processes as there are processors, each with its share of the files; the digests are put into the order of the files. */
async function runRival(session: Session, rival: Rival, files: string[]): Promise<{ digests: string; seconds: number }> {
  const lanes = availableParallelism();
  const startedAt = performance.now();
  const printed = await Promise.all(Array.from({ length: lanes }, (_, lane) => runProgram(session, rival, files.filter((_file, at) => at % lanes === lane))));
  const seconds = (performance.now() - startedAt) / 1000;
  // A digest, a space, a space or an asterisk, and the path.
  const digestOf = new Map(printed.flatMap((text) => text.trim().split('\n')).map((line) => [line.slice(66), line.slice(0, 64)] as const));
  const digests = files.map((file) => `${digestOf.get(file) ?? ''}\n`).join('');
  return { digests: createHash('sha256').update(digests).digest('hex'), seconds };
}

async function runProgram({ processes }: Session, rival: Rival, files: string[]): Promise<string> {
  const { code, stdout, stderr } = await processes.capture(rival, [...rivals[rival].args, ...files], { timeoutMs: limitMs });
  if (code !== 0) throw new Error(`${rival} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  return stdout;
}

function figuresOf(group: string, rounds: Round[], { files, bytes }: { files: number; bytes: number }): Figures {
  const figures: Figures = {
    files: figure(files, 'files'),
    bytes: figure(bytes, 'bytes'),
    bytesPerSecond: figure(median(rounds.map(({ ours }) => bytes / ours.seconds)), 'bytes/s', { note: `median of ${rounds.length}; opening, hashing and closing each file; from the page cache` }),
    seconds: figure(median(rounds.map(({ ours }) => ours.seconds)), 's'),
    cpuSeconds: figure(median(rounds.map(({ ours }) => ours.cpuSeconds)), 's'),
    blockedSeconds: figure(Math.max(...rounds.map(({ ours }) => ours.value.blockedSeconds)), 's', { note: 'the longest that the event loop was not free' }),
    growthBytes: figure(Math.max(...rounds.map(({ ours: { memory } }) => memory.peakBytes - memory.beforeBytes)), 'bytes', {
      budget: growthBudgetBytes,
      note: 'resident, the largest of the hashing processes, over what it held with its threads started',
    }),
  };
  for (const name of Object.keys(rivals) as Rival[]) {
    const pairs = rounds.flatMap(({ ours, seconds }) => (seconds[name] === null ? [] : [{ ours: ours.seconds, theirs: seconds[name] }]));
    const missing = pairs.length === 0 ? { note: `not measured: there is no ${name}` } : {};
    const of = (value: (pair: { ours: number; theirs: number }) => number): number | null => (pairs.length === 0 ? null : median(pairs.map(value)));
    figures[`${name}/bytesPerSecond`] = figure(of(({ theirs }) => bytes / theirs), 'bytes/s', { note: 'median; one process a processor, starting them included', ...missing });
    figures[`${name}/ratio`] = figure(of(({ ours, theirs }) => theirs / ours), 'ratio', { note: 'median of the pairs: above 1, ours is faster', ...missing });
    for (const [at, { ours, theirs }] of pairs.entries()) figures[`${name}/pair${at + 1}`] = figure(theirs / ours, 'ratio');
  }
  return Object.fromEntries(Object.entries(figures).map(([of, value]) => [`${group}/${of}`, value]));
}
