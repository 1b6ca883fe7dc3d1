/** Makes batches of up to millions of documents as the activities before the manifest leave them, all processed, faster than these could. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plan } from '../../src/contract/archive';
import { batchKeys } from '../../src/contract/keys';
import type { Content, Store } from '../../src/store';
import { sha256 } from '../../src/store/digest';
import { jsonText } from '../../src/store/jsonl';
import { planHead, planLine, writeInput, writeJob } from './batch-builder';

/** Documents of a job; its credits are three a document, one a page. */
const jobFiles = 100;

/** How large a batch is. */
export interface LargeBatch {
  batchId: string;
  documents: number;
  /** Names of each document's artifacts, small files. */
  artifacts: string[];
}

/** All but the manifest, in the folder of an archive. Memory: a job at a time. */
export async function buildLargeBatch(location: string, { batchId, documents, artifacts }: LargeBatch): Promise<void> {
  const store = new QuickStore(location);
  await writeInput(store, batchId);
  const plan = new PlanWriter(join(location, batchKeys(batchId).planLines));
  for (let first = 1, job = 1; first <= documents; first += jobFiles, job += 1) {
    const seqs = Array.from({ length: Math.min(jobFiles, documents - first + 1) }, (_, index) => first + index);
    plan.addJob(seqs.map((seq) => planLine({ job }, seq - 1)));
    const outcomes = Object.fromEntries(seqs.map((seq) => [seq, 'processed' as const]));
    await writeJob(store, batchId, { job, outcomes, artifacts, creditsDebited: 3 * seqs.length, status: 'completed' });
  }
  await store.write(batchKeys(batchId).plan, jsonText(plan.end(batchId)));
}

/** plan.jsonl, a job at a time, and what plan.json says of it. */
class PlanWriter {
  readonly #file: number;
  readonly #hash = createHash('sha256');
  readonly #jobs: Plan['jobs'] = [];
  #offset = 0;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'w');
  }

  addJob(lines: ReturnType<typeof planLine>[]): void {
    const text = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    writeSync(this.#file, text);
    this.#hash.update(text);
    const sizeBytes = lines.reduce((sum, line) => sum + (line.sizeBytes ?? 0), 0);
    this.#jobs.push({ offset: this.#offset, length: text.length, documents: lines.length, sizeBytes, pages: null });
    this.#offset += text.length;
  }

  end(batchId: string): Plan {
    closeSync(this.#file);
    const sum = (count: 'documents' | 'sizeBytes') => this.#jobs.reduce((total, job) => total + job[count], 0);
    return { ...planHead(batchId), documents: sum('documents'), rejected: 0, duplicates: 0, skipped: 0, bytes: sum('sizeBytes'), jobs: this.#jobs, sha256: this.#hash.digest('hex') };
  }
}

/** Writes where the folder store does, but trusts the machine not to lose power: making the archive is not what is measured. */
class QuickStore implements Pick<Store, 'write'> {
  constructor(private readonly location: string) {}

  async write(key: string, content: Content): Promise<{ sizeBytes: number; sha256: string }> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : await bytesOf(content);
    const path = join(this.location, key);
    try {
      writeFileSync(path, bytes);
    } catch {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
    return { sizeBytes: bytes.length, sha256: sha256(bytes) };
  }
}

async function bytesOf(content: Exclude<Content, string>): Promise<Buffer> {
  if (content instanceof Uint8Array) return Buffer.from(content);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
