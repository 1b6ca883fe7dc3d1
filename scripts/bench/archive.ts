import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jobKeys } from '../../src/contract/keys';
import type { ArchiveAnswer, ArchiveRequest } from './children/archive';
import type { Measured } from './children/measure';
import { writePdfs, writeSheetSets } from './documents';
import { counted, figure, median, type Figures } from './figures';
import { missingProgram, runDownloadRival, type DownloadTimes } from './rival';
import { runChild, type Run, type Session } from './session';
import { withSimulator, type SimulatorAddress } from './simulator';
import { growthFigures, prefixed } from './transfer';

/** Archiving one large result, and one with thousands of artifacts. */
export const archive: Run = (session) =>
  withSimulator(session, async (simulator) => ({
    ...(await largeResult(session, simulator)),
    ...prefixed('artifacts', await manyArtifacts(session, simulator)),
  }));

type Given = Pick<ArchiveRequest, 'batchId' | 'source' | 'fault'>;

async function archiveJob(session: Session, { api, apiKey, control }: SimulatorAddress, given: Given): Promise<Measured<ArchiveAnswer>> {
  const warmUp = join(session.folder, 'one-page');
  await writePdfs(warmUp, 1);
  const request: ArchiveRequest = { api, apiKey, control, folder: session.folder, warmUp, ...given };
  return runChild<Measured<ArchiveAnswer>>(session, 'archive', request, 10 * 60_000);
}

async function largeResult(session: Session, simulator: SimulatorAddress): Promise<Figures> {
  const source = join(session.folder, 'large');
  await writePdfs(source, 1);
  const resultBytes = session.smoke ? 8_000_000 : 2_000_000_000;
  session.progress(`archive: a result of ${resultBytes} bytes`);
  const { value, seconds, cpuSeconds, memory } = await archiveJob(session, simulator, { batchId: 'large', source, fault: { kind: 'job', resultBytes } });
  if (value.bytes < resultBytes) throw new Error(`${value.bytes} bytes were archived instead of ${resultBytes}`);
  return {
    files: figure(value.files, 'files', { note: 'the result and the artifacts of one document' }),
    bytes: figure(value.bytes, 'bytes'),
    seconds: figure(seconds, 's'),
    cpuSeconds: figure(cpuSeconds, 's'),
    bytesPerSecond: figure(value.bytes / seconds, 'bytes/s', { note: 'the server makes the result while it sends it, on the same cores' }),
    ...growthFigures([memory]),
  };
}

/** One archiving of ours and one of the shell, right after each other. */
interface Pair {
  ours: Measured<ArchiveAnswer>;
  rival: DownloadTimes | null;
}

async function manyArtifacts(session: Session, simulator: SimulatorAddress): Promise<Figures> {
  const [documents, pages, rounds] = session.smoke ? [8, 3, 1] : [100, 48, session.full ? 3 : 2];
  const source = join(session.folder, 'sheet-sets');
  await writeSheetSets(source, documents, pages);
  const missing = await missingProgram(session);
  const pairs: Pair[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    session.progress(`archive: ${documents * (pages + 2)} artifacts, pair ${round} of ${rounds}`);
    const batchId = `artifacts-${round}`;
    const ours = await archiveJob(session, simulator, { batchId, source, fault: { kind: 'job', sheetArtifacts: pages } });
    const { files, requests } = ours.value;
    if (files !== documents * (pages + 2) + 1 || requests.getJobArtifact !== files - 1) throw new Error(`${files} files were archived with ${requests.getJobArtifact} downloads`);
    const rival = missing === null ? await downloadByShell(session, simulator, batchId) : null;
    if (rival && rival.bytes !== ours.value.bytes) throw new Error(`curl got ${rival.bytes} bytes instead of ${ours.value.bytes}`);
    pairs.push({ ours, rival });
  }
  return figuresOf(pairs, missing);
}

/** The same files again: what our archive's result names, and the result itself. */
async function downloadByShell(session: Session, simulator: SimulatorAddress, batchId: string): Promise<DownloadTimes> {
  const result = JSON.parse(await readFile(join(session.folder, 'archive', jobKeys(batchId, 1).result), 'utf8')) as { job: { id: string }; documents: unknown[] };
  const urls: string[] = [`${simulator.api}/api/open/v1/jobs/${result.job.id}/result`];
  JSON.stringify(result.documents, (key, value: unknown) => {
    if (key === 'url' && typeof value === 'string') urls.push(value);
    return value;
  });
  return runDownloadRival(session, simulator, { name: batchId, urls });
}

function figuresOf(pairs: Pair[], missing: string | null): Figures {
  const { files, bytes, requests, storeWrites } = pairs[0]!.ours.value;
  const seconds = ({ curlSeconds, sha256sumSeconds }: DownloadTimes): number => curlSeconds + sha256sumSeconds;
  const rivals = pairs.flatMap(({ ours, rival }) => (rival ? [{ ours: ours.seconds, rival }] : []));
  const note = missing === null ? {} : { note: `not measured: there is no ${missing}` };
  const ofRivals = (of: (pair: { ours: number; rival: DownloadTimes }) => number): number | null => (rivals.length === 0 ? null : median(rivals.map(of)));
  return {
    files: figure(files, 'files'),
    bytes: figure(bytes, 'bytes'),
    seconds: figure(median(pairs.map(({ ours }) => ours.seconds)), 's', { note: `median of ${pairs.length}; downloaded, checked, hashed, and on the disk before the next one` }),
    cpuSeconds: figure(median(pairs.map(({ ours }) => ours.cpuSeconds)), 's', { note: 'ours, median' }),
    'rival/seconds': figure(ofRivals(({ rival }) => seconds(rival)), 's', { note: 'median; one curl, four downloads at a time, then sha256sum; nothing is brought to the disk', ...note }),
    'rival/sha256sumSeconds': figure(ofRivals(({ rival }) => rival.sha256sumSeconds), 's', note),
    ratio: figure(ofRivals(({ ours, rival }) => seconds(rival) / ours), 'ratio', { note: 'median of the pairs: above 1, ours is faster', ...note }),
    ...Object.fromEntries(rivals.map(({ ours, rival }, at) => [`pair${at + 1}/ratio`, figure(seconds(rival) / ours, 'ratio')])),
    storeWritesPerFile: figure(storeWrites / files, 'ratio', { note: 'objects written into the archive for each that stays, its own records included' }),
    ...growthFigures(pairs.map(({ ours }) => ours.memory)),
    ...counted('requests', requests, 'requests'),
  };
}
