import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { UploadRequest } from './children/upload';
import type { Measured } from './children/measure';
import { writeRandomFiles } from './documents';
import { figure, median, type Figures } from './figures';
import { missingProgram, runRival, type RivalTimes } from './rival';
import { runChild, type Run, type Session } from './session';
import { readCounters, withSimulator, type SimulatorAddress } from './simulator';

/** Growth of a worker that the design allows, in bytes. */
export const growthBudgetBytes = 64 * 2 ** 20;

/** One upload of ours and one of the shell, right after each other. */
interface Pair {
  ours: Measured<number>;
  rival: RivalTimes | null;
}

/** Uploading beside what a shell does with the same files. */
export const upload: Run = (session) => withSimulator(session, (simulator) => comparePairs(session, simulator));

async function comparePairs(session: Session, simulator: SimulatorAddress): Promise<Figures> {
  const [count, sizeBytes, rounds] = session.smoke ? [16, 500_000, 1] : [24, 32_000_000, 3];
  const [source, warmUp] = [join(session.folder, 'source'), join(session.folder, 'warm-up')];
  const files = await writeRandomFiles(source, count, sizeBytes);
  await writeRandomFiles(warmUp, 4, 100_000);
  const missing = await missingProgram(session);
  const pairs: Pair[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    session.progress(`upload: pair ${round} of ${rounds}`);
    pairs.push(await runPair(session, simulator, { round, source, warmUp, files, alone: missing !== null }));
  }
  await checkReceived(simulator, { pairs, bytes: count * sizeBytes, warmUpBytes: 400_000 });
  return figuresOf(pairs, { files: count, bytes: count * sizeBytes, missing });
}

interface Round {
  round: number;
  source: string;
  warmUp: string;
  files: string[];
  alone: boolean;
}

async function runPair(session: Session, simulator: SimulatorAddress, { round, source, warmUp, files, alone }: Round): Promise<Pair> {
  const batchId = `round-${round}`;
  const folder = join(session.folder, batchId);
  await mkdir(folder);
  const request: UploadRequest = { api: simulator.api, apiKey: simulator.apiKey, folder, batchId, source, warmUp };
  const ours = await runChild<Measured<number>>(session, 'upload', request);
  return { ours, rival: alone ? null : await runRival(session, simulator, { name: String(round), files }) };
}

/** By the server's own count, both sent everything, once. */
async function checkReceived({ control }: SimulatorAddress, { pairs, bytes, warmUpBytes }: { pairs: Pair[]; bytes: number; warmUpBytes: number }): Promise<void> {
  const expected = pairs.reduce((sum, { rival }) => sum + warmUpBytes + (rival ? 2 : 1) * bytes, 0);
  const { bytesReceived } = await readCounters(control);
  if (bytesReceived !== expected) throw new Error(`The server received ${bytesReceived} bytes instead of ${expected}`);
}

function figuresOf(pairs: Pair[], { files, bytes, missing }: { files: number; bytes: number; missing: string | null }): Figures {
  const seconds = ({ sha256sumSeconds, curlSeconds }: RivalTimes): number => sha256sumSeconds + curlSeconds;
  const rivals = pairs.flatMap(({ ours, rival }) => (rival ? [{ ours, rival }] : []));
  const note = missing === null ? {} : { note: `not measured: there is no ${missing}` };
  const ofRivals = (of: (pair: { ours: Measured<number>; rival: RivalTimes }) => number): number | null => (rivals.length === 0 ? null : median(rivals.map(of)));
  return {
    files: figure(files, 'files'),
    bytes: figure(bytes, 'bytes'),
    bytesPerSecond: figure(median(pairs.map(({ ours }) => bytes / ours.seconds)), 'bytes/s', { note: `median of ${pairs.length}; hashing, registering, sending and writing the ledger` }),
    rivalBytesPerSecond: figure(ofRivals(({ rival }) => bytes / seconds(rival)), 'bytes/s', { note: 'median; sha256sum, then curl, four files at a time each', ...note }),
    ratio: figure(ofRivals(({ ours, rival }) => seconds(rival) / ours.seconds), 'ratio', { note: 'median of the pairs: above 1, ours is faster', ...note }),
    ...Object.fromEntries(rivals.map(({ ours, rival }, at) => [`pair${at + 1}/ratio`, figure(seconds(rival) / ours.seconds, 'ratio')])),
    'rival/sha256sumSeconds': figure(ofRivals(({ rival }) => rival.sha256sumSeconds), 's', note),
    'rival/curlSeconds': figure(ofRivals(({ rival }) => rival.curlSeconds), 's', note),
    cpuSeconds: figure(median(pairs.map(({ ours }) => ours.cpuSeconds)), 's', { note: 'ours, median' }),
    growthBytes: figure(Math.max(...pairs.map(({ ours: { memory } }) => memory.peakBytes - memory.beforeBytes)), 'bytes', {
      budget: growthBudgetBytes,
      note: 'resident, the largest of the uploading processes, over what it held after a small job',
    }),
    processPeakBytes: figure(Math.max(...pairs.map(({ ours: { memory } }) => memory.processPeakBytes)), 'bytes'),
  };
}
