import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BatchSummary } from '../../src/client';
import { manifestLineSchema, manifestSchema, type Manifest, type ManifestLine } from '../../src/contract/archive';
import { batchFolder, batchKeys, workFolder } from '../../src/contract/keys';
import { verifyBatch } from '../../src/verify';
import { recordsSchema } from '../simulator-records';
import { twinOf } from './batches';
import { creditsPerPage, type BatchPlan, type CrashDocument, type CrashPlan } from './plan';
import type { Site } from './site';

const countersSchema = z.object({ bytesReceived: z.number(), requests: z.record(z.string(), z.record(z.string(), z.number())) });

/** What a document of the run is, by its bytes. */
export interface Content {
  /** The first document of this content, which is what is sent. */
  document: CrashDocument;
  sizeBytes: number;
  creditsPerPage: number;
}

/** A batch of the run as its archive has it. */
export interface Archived {
  summary: BatchSummary;
  manifest: Manifest;
  lines: ManifestLine[];
  /** What verify found. */
  problems: string[];
}

/** All that is looked at when a batch and its twin are over, from outside: the simulator's records and the archive. */
export interface Evidence {
  plan: CrashPlan;
  batch: BatchPlan;
  records: z.infer<typeof recordsSchema>;
  counters: z.infer<typeof countersSchema>;
  /** By SHA-256. */
  contents: Map<string, Content>;
  archived: Archived[];
  /** Working files, and what was half-written. */
  leftOver: string[];
}

/** Looks at what a batch left. */
export async function gather(site: Site, { plan, batch, summaries }: { plan: CrashPlan; batch: BatchPlan; summaries: BatchSummary[] }): Promise<Evidence> {
  const ids = batch.scenario === 'ledger' ? [batch.id, twinOf(batch.id)] : [batch.id];
  return {
    plan,
    batch,
    records: recordsSchema.parse(await site.control(`records?externalId=batch/${batch.id}`)),
    counters: countersSchema.parse(await site.control('counters')),
    contents: await readContents(site.source(batch.id), batch),
    archived: await Promise.all(ids.map((id, index) => readArchived(site, id, summaries[index]!))),
    leftOver: (await Promise.all(ids.map((id) => leftOver(site.archive, id)))).flat(),
  };
}

async function readContents(source: string, { documents }: BatchPlan): Promise<Map<string, Content>> {
  const contents = new Map<string, Content>();
  for (const document of documents) {
    const bytes = await readFile(join(source, document.path));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const rate = creditsPerPage[document.path.split('/')[0] as keyof typeof creditsPerPage];
    // A copy has no rate of its own.
    if (!contents.has(sha256)) contents.set(sha256, { document, sizeBytes: bytes.length, creditsPerPage: rate });
  }
  return contents;
}

async function readArchived(site: Site, batchId: string, summary: BatchSummary): Promise<Archived> {
  const { problems } = await verifyBatch(site.store, batchId);
  const keys = batchKeys(batchId);
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(site.archive, keys.manifest), 'utf8')));
  const text = await readFile(join(site.archive, keys.manifestLines), 'utf8');
  const lines = text.split('\n').flatMap((line) => (line ? [manifestLineSchema.parse(JSON.parse(line))] : []));
  return { summary, manifest, lines, problems: problems.map(({ code, path, message }) => `${code} ${path} ${message}`) };
}

/** Working files, and temporary names that killed writers left in the batch's folder. */
async function leftOver(archive: string, batchId: string): Promise<string[]> {
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(join(archive, folder), { recursive: true }).catch(() => [])).map((path) => `${folder}/${path}`);
  const halfWritten = (await below(batchFolder(batchId))).filter((path) => path.includes('/.tmp-'));
  return [...(await below(workFolder(batchId))), ...halfWritten];
}
