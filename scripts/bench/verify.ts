import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Outcome } from '../../src/contract/batch';
import { sha256 } from '../../src/store/digest';
import type { Content } from '../../src/store';
import { FolderStore } from '../../src/store/folder';
import { buildBatch, writeManifest, type BatchSpec } from './batch-builder';
import type { Measured } from './children/measure';
import type { VerifyAnswer, VerifyRequest } from './children/verify';
import { figure } from './figures';
import { runChild, type Run } from './session';

const batchId = 'bench';
const jobFiles = 100;

/** Reading an archived batch again. */
export const verify: Run = async (session) => {
  const documents = session.smoke ? 60 : 20_000;
  const location = join(session.folder, 'archive');
  session.progress(`verify: making an archive of ${documents} documents`);
  await buildBatch(quickStore(location), batchId, specOf(documents));
  await writeManifest(new FolderStore(location), batchId);
  session.progress('verify: verifying');
  const request: VerifyRequest = { archive: location, batchId };
  const { value, seconds, cpuSeconds, memory } = await runChild<Measured<VerifyAnswer>>(session, 'verify', request);
  if (value.documents !== documents) throw new Error(`${value.documents} documents were verified instead of ${documents}`);
  return {
    documents: figure(value.documents, 'documents'),
    files: figure(value.files, 'files', { note: 'small ones, just written: what is measured is the work for each file, not the disk' }),
    bytes: figure(value.bytes, 'bytes'),
    seconds: figure(seconds, 's'),
    cpuSeconds: figure(cpuSeconds, 's'),
    growthBytes: figure(memory.peakBytes - memory.beforeBytes, 'bytes', { note: 'resident' }),
    processPeakBytes: figure(memory.processPeakBytes, 'bytes'),
  };
};

function specOf(documents: number): BatchSpec {
  const outcomes = new Map<number, Record<number, Outcome>>();
  const specs = Array.from({ length: documents }, (_, index) => {
    const job = Math.floor(index / jobFiles) + 1;
    outcomes.set(job, { ...outcomes.get(job), [index + 1]: 'processed' });
    return { job };
  });
  const jobs = [...outcomes].map(([job, of]) => ({ job, outcomes: of, artifacts: ['thumbnail.png', 'text.json'], creditsDebited: 300, status: 'completed' }));
  return { documents: specs, jobs };
}

/** Writes as the folder store does, but trusts the machine not to lose power: making the archive is not what is measured. */
function quickStore(location: string): Parameters<typeof buildBatch>[0] {
  return {
    write: async (key, content) => {
      const text = typeof content === 'string' ? content : await textOf(content);
      const path = join(location, key);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      return { sizeBytes: Buffer.byteLength(text), sha256: sha256(text) };
    },
  };
}

async function textOf(content: Exclude<Content, string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  if (content instanceof Uint8Array) chunks.push(content);
  else for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
