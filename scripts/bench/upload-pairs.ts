import type { UploadAnswer } from './children/upload';
import type { Measured } from './children/measure';
import { counted, figure, median, type Figures } from './figures';
import { missingProgram, runRival, type RivalTimes } from './rival';
import type { Session } from './session';
import { countDuring, type SimulatorAddress } from './simulator';
import { growthFigures, type Send } from './transfer';

/** Files to send again and again. */
export interface Comparison {
  /** Of the batches and jobs, with the round behind it. */
  name: string;
  /** The files are in it. */
  source: string;
  files: string[];
  rounds: number;
}

/** One upload of ours and one of the shell, right after each other. */
interface Pair {
  ours: Measured<UploadAnswer>;
  rival: RivalTimes | null;
}

/** Sends the same files in turns: ours, and `sha256sum` then `curl`. */
export async function comparePairs(session: Session, simulator: SimulatorAddress, send: Send, { name, source, files, rounds }: Comparison): Promise<Figures> {
  const missing = await missingProgram(session);
  const pairs: Pair[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    session.progress(`upload: ${files.length === 1 ? 'one file' : `${files.length} files`}, pair ${round} of ${rounds}`);
    const ours = await send([{ batchId: `${name}-${round}`, source }]);
    const rival = missing === null ? await sendByShell(session, simulator, { name: `${name}-${round}`, files }, ours.value.bytes) : null;
    pairs.push({ ours, rival });
  }
  return figuresOf(pairs, { files: files.length, missing });
}

/** By the server's own count, the shell sent everything, once. */
async function sendByShell(session: Session, simulator: SimulatorAddress, run: { name: string; files: string[] }, bytes: number): Promise<RivalTimes> {
  const { value, bytesReceived } = await countDuring(simulator.control, () => runRival(session, simulator, run));
  if (bytesReceived !== bytes) throw new Error(`The server received ${bytesReceived} bytes of the shell instead of ${bytes}`);
  return value;
}

function figuresOf(pairs: Pair[], { files, missing }: { files: number; missing: string | null }): Figures {
  const { bytes, requests } = pairs[0]!.ours.value;
  const seconds = ({ sha256sumSeconds, curlSeconds }: RivalTimes): number => sha256sumSeconds + curlSeconds;
  const rivals = pairs.flatMap(({ ours, rival }) => (rival ? [{ ours, rival }] : []));
  const note = missing === null ? {} : { note: `not measured: there is no ${missing}` };
  const ofRivals = (of: (pair: { ours: Measured<UploadAnswer>; rival: RivalTimes }) => number): number | null => (rivals.length === 0 ? null : median(rivals.map(of)));
  const how = files === 1 ? 'one after the other' : 'four files at a time each';
  return {
    files: figure(files, 'files'),
    bytes: figure(bytes, 'bytes'),
    bytesPerSecond: figure(median(pairs.map(({ ours }) => bytes / ours.seconds)), 'bytes/s', { note: `median of ${pairs.length}; hashing, registering, sending and writing the ledger` }),
    rivalBytesPerSecond: figure(ofRivals(({ rival }) => bytes / seconds(rival)), 'bytes/s', { note: `median; sha256sum, then curl, ${how}`, ...note }),
    ratio: figure(ofRivals(({ ours, rival }) => seconds(rival) / ours.seconds), 'ratio', { note: 'median of the pairs: above 1, ours is faster', ...note }),
    ...Object.fromEntries(rivals.map(({ ours, rival }, at) => [`pair${at + 1}/ratio`, figure(seconds(rival) / ours.seconds, 'ratio')])),
    'rival/sha256sumSeconds': figure(ofRivals(({ rival }) => rival.sha256sumSeconds), 's', note),
    'rival/curlSeconds': figure(ofRivals(({ rival }) => rival.curlSeconds), 's', note),
    cpuSeconds: figure(median(pairs.map(({ ours }) => ours.cpuSeconds)), 's', { note: 'ours, median' }),
    ...growthFigures(pairs.map(({ ours }) => ours.memory)),
    ...counted('requests', requests, 'requests'),
  };
}
