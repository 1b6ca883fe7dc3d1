import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BatchSummary } from '../../src/client';
import { manifestSchema } from '../../src/contract/archive';
import { streamsPerJob } from '../../src/activities/upload/streams';
import { batchKeys } from '../../src/contract/keys';
import { verifyBatch } from '../../src/verify';
import { creditsPerPage, type CrashPlan, type Kill } from './plan';
import type { Site } from './site';

const recordsSchema = z.object({
  jobs: z.array(
    z.object({
      id: z.string(),
      status: z.string(),
      creditsDebited: z.number(),
      creditsReserved: z.number(),
      callsAfterEnd: z.record(z.string(), z.number()),
      documents: z.array(z.object({ sha256: z.string(), included: z.boolean() })),
    }),
  ),
  debits: z.record(z.string(), z.array(z.number())),
});
type Records = z.infer<typeof recordsSchema>;
const countersSchema = z.object({ bytesReceived: z.number() });

/** Reads, which change nothing and are what a job's end is for. */
const harmless = new Set(['getJob', 'getJobResult', 'getJobArtifact']);

/** What a document of the run is, by its bytes. */
interface Content {
  sizeBytes: number;
  pages: number;
  credits: number;
}

/** A run that is over. */
export interface Ended {
  plan: CrashPlan;
  batchId: string;
  summary: BatchSummary;
  /** Those that came to pass. */
  kills: Kill[];
}

/** What a run left that it should not have, from outside: by the simulator's records and the archive. Empty: all is well. */
export async function brokenInvariants(site: Site, ended: Ended): Promise<string[]> {
  const records = recordsSchema.parse(await control(site, 'records'));
  const { bytesReceived } = countersSchema.parse(await control(site, 'counters'));
  const contents = await readContents(site, ended.plan);
  return [
    ...checkSummary(ended, contents),
    ...checkJobs(records, ended),
    ...checkDocuments(records, contents),
    ...checkCredits(records, contents),
    ...checkBytes(bytesReceived, contents, ended),
    ...(await checkArchive(site, ended, contents)),
  ];
}

async function control({ simulator }: Site, path: string): Promise<unknown> {
  return (await fetch(`${simulator.controlUrl}/${path}`)).json();
}

async function readContents({ source }: Site, { documents }: CrashPlan): Promise<Map<string, Content>> {
  const contents = new Map<string, Content>();
  for (const { path, pages } of documents) {
    const bytes = await readFile(join(source, path));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const rate = creditsPerPage[path.split('/')[0] as keyof typeof creditsPerPage];
    // A copy has no rate of its own.
    if (!contents.has(sha256)) contents.set(sha256, { sizeBytes: bytes.length, pages, credits: pages * rate });
  }
  return contents;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);
const creditsOf = (contents: Map<string, Content>): number => sum([...contents.values()].map(({ credits }) => credits));
const differ = (what: string, is: unknown, should: unknown): string[] => (is === should ? [] : [`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(should)}`]);

function checkSummary({ plan, summary }: Ended, contents: Map<string, Content>): string[] {
  return [
    ...differ('the batch ended as', summary.status, 'completed'),
    ...differ('documents', summary.documents, plan.documents.length),
    ...differ('processed documents', summary.counts.processed ?? 0, contents.size),
    ...differ('credits of the summary', summary.credits, creditsOf(contents)),
  ];
}

function checkJobs({ jobs }: Records, { summary, kills }: Ended): string[] {
  const late = jobs.flatMap(({ id, callsAfterEnd }) =>
    Object.entries(callsAfterEnd).flatMap(([operation, times]) => {
      // A completion call whose answer was lost is made once more, and by then a short job may be over.
      const allowed = harmless.has(operation) ? Infinity : operation === 'completeUploads' ? kills.length : 0;
      return times > allowed ? [`${times} calls of ${operation} after job ${id} had ended`] : [];
    }),
  );
  const unfinished = jobs.filter(({ status }) => status !== 'completed').map(({ id, status }) => `job ${id} ended as ${status}`);
  return [...differ('remote jobs', jobs.length, summary.jobs?.planned), ...unfinished, ...late];
}

function checkDocuments({ jobs }: Records, contents: Map<string, Content>): string[] {
  const live = jobs.flatMap(({ documents }) => documents.filter(({ included }) => included).map(({ sha256 }) => sha256));
  const unknown = live.filter((sha256) => !contents.has(sha256)).map((sha256) => `content ${sha256} is in a job and was never given`);
  const wrong = [...contents.keys()].flatMap((sha256) => differ(`jobs with content ${sha256}`, live.filter((one) => one === sha256).length, 1));
  return [...unknown, ...wrong];
}

function checkCredits({ jobs, debits }: Records, contents: Map<string, Content>): string[] {
  const pages = [...contents].flatMap(([sha256, { pages: count }]) => {
    const paid = debits[sha256] ?? [];
    const once = paid.length === count && paid.every((times) => times === 1);
    return once ? [] : [`pages of ${sha256} were paid ${JSON.stringify(paid)} times, each of ${count} should be once`];
  });
  const debited = differ('credits debited', sum(jobs.map(({ creditsDebited }) => creditsDebited)), creditsOf(contents));
  return [...pages, ...debited, ...differ('credits still reserved', sum(jobs.map(({ creditsReserved }) => creditsReserved)), 0)];
}

/**
 * Working files, and what was half-written in a job's folder. Not in the batch's own: manifest.json is linked into its place, and a kill
 * before its temporary name is gone leaves that name, which no list shows.
 */
const leftOverPattern = /^work\/|^batches\/[^/]+\/jobs\/(.*\/)?\.tmp-/;

/** A kill costs each stream what it was sending: a part, or a file that is sent whole. */
function checkBytes(bytesReceived: number, contents: Map<string, Content>, { plan, kills }: Ended): string[] {
  const sizes = [...contents.values()].map(({ sizeBytes }) => sizeBytes);
  const whole = plan.upload === 'form' ? sizes : sizes.filter((size) => size <= plan.partThreshold);
  const piece = Math.max(plan.upload === 'form' ? 0 : plan.partBytes, ...whole);
  const again = bytesReceived - sum(sizes);
  const most = kills.length * plan.maxConcurrentJobs * streamsPerJob * piece;
  if (again < 0) return [`only ${bytesReceived} of ${sum(sizes)} bytes were received`];
  return again > most ? [`${again} bytes were received again, at most ${most} may be`] : [];
}

async function checkArchive({ store, archive }: Site, { batchId, plan }: Ended, contents: Map<string, Content>): Promise<string[]> {
  const { problems } = await verifyBatch(store, batchId);
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(archive, batchKeys(batchId).manifest), 'utf8')));
  const leftOver = (await readdir(archive, { recursive: true })).filter((path) => leftOverPattern.test(path)).map((path) => `${path} was left behind`);
  return [
    ...problems.map(({ code, path, message }) => `verify: ${code} ${path} ${message}`),
    ...differ('manifest: documents', manifest.counts.documents, plan.documents.length),
    ...differ('manifest: processed', manifest.counts.processed, contents.size),
    ...differ('manifest: duplicate', manifest.counts.duplicate, plan.documents.length - contents.size),
    ...differ('manifest: credits', manifest.credits, creditsOf(contents)),
    ...leftOver,
  ];
}
