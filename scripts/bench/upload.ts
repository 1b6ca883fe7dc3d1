import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { maxBytesPerJob } from '../../src/contract/batch';
import type { UploadAnswer, UploadRequest } from './children/upload';
import type { Measured } from './children/measure';
import { linkFiles, writeRandomFiles, writeSparseFile } from './documents';
import { counted, figure, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';
import { readCounters, withSimulator, type SimulatorAddress } from './simulator';
import { prefixed, transferFigures, type Send } from './transfer';
import { comparePairs } from './upload-pairs';

/** Jobs that send at the same time, and the streams that they share: as many as a worker has at most. */
const jobsAtOnce = 4;
const streamsAtOnce = 16;
const warmUpBytes = 400_000;
/** A signed part has at most so many bytes; with tiny sizes these. */
const [partBytes, tinyPartBytes] = [64 * 2 ** 20, 1_000_000];
const largeLimitMs = 15 * 60_000;

/** Uploading beside what a shell does with the same files, and memory where it could grow: many streams at once, and one huge file. */
export const upload: Run = async (session) => {
  await writeRandomFiles(warmUpIn(session), 4, warmUpBytes / 4, 1);
  // With tiny sizes one simulator does for all; it takes a second to start.
  const tiny = ['--trust-digests', '--part-threshold', String(tinyPartBytes)];
  const beside = async (simulator: SimulatorAddress): Promise<Figures> => ({
    ...(await besideShell(session, simulator)),
    ...(session.smoke && prefixed('large', await largeFile(session, simulator))),
  });
  return {
    ...(await withSimulator(session, beside, session.smoke ? tiny : [])),
    ...(!session.smoke && prefixed('large', await withSimulator(session, (simulator) => largeFile(session, simulator), ['--trust-digests']))),
  };
};

async function besideShell(session: Session, simulator: SimulatorAddress): Promise<Figures> {
  const send: Send = (batches) => sendJobs(session, simulator, { batches });
  const [count, sizeBytes, singleBytes, rounds] = session.smoke ? [16, 500_000, 900_000, 1] : [24, 32_000_000, 512_000_000, 3];
  const [source, alone] = [join(session.folder, 'source'), join(session.folder, 'alone')];
  // No two sizes are alike: else planning would hash the files, which is not measured.
  const files = await writeRandomFiles(source, count, sizeBytes, 1);
  const many = await comparePairs(session, simulator, send, { name: 'round', source, files, rounds });
  const streams = await manyStreams(session, simulator, files);
  const single = await comparePairs(session, simulator, send, { name: 'alone', source: alone, files: await writeRandomFiles(alone, 1, singleBytes), rounds });
  return { ...many, ...prefixed('single', single), ...prefixed('streams16', streams) };
}

async function sendJobs(session: Session, { api, apiKey, control }: SimulatorAddress, given: Pick<UploadRequest, 'batches' | 'streams'>, limitMs?: number): Promise<Measured<UploadAnswer>> {
  const folder = join(session.folder, `sent-${given.batches[0]!.batchId}`);
  await mkdir(folder);
  const request: UploadRequest = { api, apiKey, control, folder, warmUp: warmUpIn(session), ...given };
  const sent = await runChild<Measured<UploadAnswer>>(session, 'upload', request, limitMs);
  const { bytes, bytesReceived } = sent.value;
  if (bytesReceived !== bytes) throw new Error(`The server received ${bytesReceived} bytes instead of ${bytes}`);
  return sent;
}

const warmUpIn = ({ folder }: Session): string => join(folder, 'warm-up');

/** Several jobs of one process at the same time. */
async function manyStreams(session: Session, simulator: SimulatorAddress, files: string[]): Promise<Figures> {
  const share = files.length / jobsAtOnce;
  const batches = Array.from({ length: jobsAtOnce }, (_, at) => ({ batchId: `streams-${at + 1}`, source: join(session.folder, `streams-${at + 1}`) }));
  for (const [at, { source }] of batches.entries()) await linkFiles(files.slice(at * share, (at + 1) * share), source);
  session.progress(`upload: ${jobsAtOnce} jobs at once`);
  const sent = await sendJobs(session, simulator, { batches, streams: streamsAtOnce });
  const { uploadsAtOnce } = await readCounters(simulator.control);
  return {
    jobs: figure(jobsAtOnce, 'jobs', { note: 'at once, in one process' }),
    putsAtOnce: figure(uploadsAtOnce.most, 'requests', { note: 'the most that the server was taking at one moment' }),
    ...transferFigures(sent),
  };
}

/** One document of as many bytes as a job takes, hashed on our side only: the simulator would need the same processors for it. */
async function largeFile(session: Session, simulator: SimulatorAddress): Promise<Figures> {
  const [sizeBytes, size] = session.smoke ? [4 * tinyPartBytes, tinyPartBytes] : [maxBytesPerJob, partBytes];
  const source = join(session.folder, 'large');
  await writeSparseFile(source, sizeBytes);
  session.progress(`upload: one file of ${sizeBytes} bytes in parts`);
  const sent = await sendJobs(session, simulator, { batches: [{ batchId: 'large', source }] }, largeLimitMs);
  const { bytes, requests } = sent.value;
  const parts = Math.ceil(sizeBytes / size);
  if (bytes !== sizeBytes || requests.putPart !== parts) throw new Error(`${bytes} bytes went in ${requests.putPart} parts instead of ${sizeBytes} in ${parts}`);
  return { ...transferFigures(sent), ...counted('requests', requests, 'requests') };
}
