import { join } from 'node:path';
import type { ArchiveRequest } from './children/archive';
import type { Measured } from './children/measure';
import { writePdfs } from './documents';
import { figure, type Figures } from './figures';
import { runChild, type Run, type Session } from './session';
import { withSimulator, type SimulatorAddress } from './simulator';
import { growthBudgetBytes } from './upload';

/** Archiving one large result. */
export const archive: Run = (session) => withSimulator(session, (simulator) => archiveLargeResult(session, simulator));

async function archiveLargeResult(session: Session, { api, apiKey, control }: SimulatorAddress): Promise<Figures> {
  const source = join(session.folder, 'source');
  await writePdfs(source, 1);
  const resultBytes = session.smoke ? 8_000_000 : 256_000_000;
  session.progress(`archive: a result of ${resultBytes} bytes`);
  const request: ArchiveRequest = { api, apiKey, control, folder: session.folder, source, resultBytes };
  const { value, seconds, cpuSeconds, memory } = await runChild<Measured<{ files: number; bytes: number }>>(session, 'archive', request);
  if (value.bytes < resultBytes) throw new Error(`${value.bytes} bytes were archived instead of ${resultBytes}`);
  return {
    files: figure(value.files, 'files', { note: 'the result and the artifacts of one document' }),
    bytes: figure(value.bytes, 'bytes'),
    seconds: figure(seconds, 's'),
    cpuSeconds: figure(cpuSeconds, 's'),
    bytesPerSecond: figure(value.bytes / seconds, 'bytes/s', { note: 'the server makes the result while it sends it, on the same cores' }),
    growthBytes: figure(memory.peakBytes - memory.beforeBytes, 'bytes', { budget: growthBudgetBytes, note: 'resident, over what the process held after a small job' }),
    processPeakBytes: figure(memory.processPeakBytes, 'bytes'),
  };
}
