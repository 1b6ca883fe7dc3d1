import { join } from 'node:path';
import { FolderStore } from '../../src/store/folder';
import { writeManifest } from './batch-builder';
import type { Measured } from './children/measure';
import type { VerifyAnswer, VerifyRequest } from './children/verify';
import { figure, median } from './figures';
import { buildLargeBatch } from './large-batch';
import { runChild, type Run, type Session } from './session';

const batchId = 'bench';
const limitMs = 15 * 60_000;

/** Reading an archived batch again, as the command does, in turns with `sha256sum` of the same files, which compares nothing. */
export const verify: Run = async (session) => {
  const documents = session.full ? 1_000_000 : session.smoke ? 60 : 20_000;
  const archive = join(session.folder, 'archive');
  session.progress(`verify: making an archive of ${documents} documents`);
  await buildLargeBatch(archive, { batchId, documents, artifacts: session.full ? [] : ['thumbnail.png', 'text.json'] });
  await writeManifest(new FolderStore(archive), batchId);
  session.progress('verify: verifying');
  const request: VerifyRequest = { archive, batchId };
  const runs: Measured<VerifyAnswer>[] = [];
  const shell: number[] = [];
  for (let pair = 0; pair < (session.full || session.smoke ? 1 : 3); pair += 1) {
    runs.push(await runChild<Measured<VerifyAnswer>>(session, 'verify', request, limitMs));
    shell.push(await sumFiles(session, archive));
  }
  const { value } = runs[0]!;
  if (value.documents !== documents) throw new Error(`${value.documents} documents were verified instead of ${documents}`);
  return {
    documents: figure(value.documents, 'documents'),
    files: figure(value.files, 'files', { note: 'small ones, just written: what is measured is the work for each file, not the disk' }),
    bytes: figure(value.bytes, 'bytes'),
    seconds: figure(median(runs.map(({ seconds }) => seconds)), 's'),
    cpuSeconds: figure(median(runs.map(({ cpuSeconds }) => cpuSeconds)), 's'),
    'shell/seconds': figure(median(shell), 's', { note: 'find and xargs sha256sum over the same files: their digests alone, of no account' }),
    growthBytes: figure(Math.max(...runs.map(({ memory }) => memory.peakBytes - memory.beforeBytes)), 'bytes', { budget: growthBudgetBytes, note: 'resident' }),
    processPeakBytes: figure(Math.max(...runs.map(({ memory }) => memory.processPeakBytes)), 'bytes'),
  };
};

/**
 * A constant, for any number of documents. What is kept is a few kilobytes a job, 50 MB for the 10,000 of a million documents; beyond that
 * the garbage collector takes about 100 MB of room as soon as it has that much to collect, and does without it when it must.
 */
const growthBudgetBytes = 192 * 1024 * 1024;

/** Seconds that the shell takes for the SHA-256 of every file. */
async function sumFiles({ processes }: Session, archive: string): Promise<number> {
  const startedAt = performance.now();
  const { code } = await processes.capture('bash', ['-c', 'set -o pipefail; find "$0" -type f -print0 | xargs -0 sha256sum > /dev/null', archive], { timeoutMs: limitMs });
  if (code !== 0) throw new Error(`sha256sum ended with code ${code}`);
  return (performance.now() - startedAt) / 1000;
}
