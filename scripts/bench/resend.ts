import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ResendRequest } from './children/resend';
import { writeRandomFiles } from './documents';
import { figure, median, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';
import { readCounters, setFaults, withSimulator, type SimulatorAddress, type SimulatorCounters } from './simulator';

const limitMs = 120_000;
const pollMs = 5;

/** What is sent, and how fast storage takes it: so slowly that the middle is not missed. */
interface Load {
  source: string;
  bytes: number;
  /** The longest that is sent with one request. */
  unitBytes: number;
  /** How many uploads are killed, each at another place. */
  kills: number;
}

/** What goes over the wire again when an uploading process is killed without a warning, and another one goes on. */
export const resend: Run = async (session) => {
  const load = await writeLoad(session);
  const flags = ['--part-threshold', String(load.unitBytes)];
  return withSimulator(session, (simulator) => killUploads(session, simulator, load), flags);
};

async function writeLoad({ folder, smoke }: Session): Promise<Load> {
  const [files, fileBytes, largeBytes, unitBytes] = smoke ? [8, 200_000, 1_600_000, 400_000] : [24, 4_000_000, 96_000_000, 8_000_000];
  const [source, large] = [join(folder, 'source'), join(folder, 'large')];
  await writeRandomFiles(source, files, fileBytes);
  const [file] = await writeRandomFiles(large, 1, largeBytes);
  // Among the others by its name, so that it is sent while they are.
  await rename(file!, join(source, 'scan-004-in-parts.bin'));
  return { source, bytes: files * fileBytes + largeBytes, unitBytes, kills: smoke ? 1 : 6 };
}

async function killUploads(session: Session, simulator: SimulatorAddress, load: Load): Promise<Figures> {
  await setFaults(simulator.control, [{ kind: 'storage', bytesPerSecond: Math.ceil(load.bytes / (session.smoke ? 1 : 3)) }]);
  const again: number[] = [];
  for (let kill = 1; kill <= load.kills; kill += 1) {
    session.progress(`resend: kill ${kill} of ${load.kills}`);
    again.push(await killOnce(session, simulator, load, { batchId: `kill-${kill}`, mark: (load.bytes * kill) / (load.kills + 1) }));
  }
  const { uploadsAtOnce } = await readCounters(simulator.control);
  const budget = load.unitBytes * uploadsAtOnce.most;
  return {
    kills: figure(load.kills, 'jobs', { note: 'one process each, killed on its way, and another one to go on' }),
    bytes: figure(load.bytes, 'bytes', { note: 'of each job: files below the part size, and one in parts' }),
    unitBytes: figure(load.unitBytes, 'bytes', { note: 'a part, which no whole file exceeds' }),
    streams: figure(uploadsAtOnce.most, 'requests', { note: 'the most PUTs that the server was taking at once' }),
    'bytesSentAgain/median': figure(median(again), 'bytes'),
    'bytesSentAgain/most': figure(Math.max(...again), 'bytes', { budget, note: 'bytes that the server received less those of the files; budget: one unit a stream' }),
  };
}

/** @returns the bytes that came more than once */
async function killOnce(session: Session, simulator: SimulatorAddress, { source, bytes }: Load, { batchId, mark }: { batchId: string; mark: number }): Promise<number> {
  const { api, apiKey, control } = simulator;
  const request: ResendRequest = { api, apiKey, folder: session.folder, batchId, source, sealKey: randomBytes(32).toString('hex') };
  const before = await settled(control);
  const args = ['--import', 'tsx', join(__dirname, 'children/resend.ts'), JSON.stringify(request)];
  const { process: child, ended } = session.processes.start('upload', process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  while ((await readCounters(control)).bytesReceived < before.bytesReceived + mark) {
    if (child.exitCode !== null) throw new Error(`The upload ended before it could be killed, with code ${child.exitCode}`);
    await pause(pollMs);
  }
  child.kill('SIGKILL');
  if ((await ended).signal !== 'SIGKILL') throw new Error('The upload ended before it was killed');
  // Else the streams of both processes would be counted together.
  await settled(control);
  const sent = await runChild<number>(session, 'resend', request, limitMs);
  if (sent !== bytes) throw new Error(`${sent} bytes were sent instead of ${bytes}`);
  const again = (await settled(control)).bytesReceived - before.bytesReceived - bytes;
  if (again < 0) throw new Error(`The server received ${-again} bytes too few`);
  return again;
}

/** The counters once storage takes nothing any more: what a killed process has handed to the kernel still arrives. */
async function settled(control: string): Promise<SimulatorCounters> {
  for (;;) {
    const counters = await readCounters(control);
    if (counters.uploadsAtOnce.now === 0) return counters;
    await pause(pollMs);
  }
}
