import { createHash } from 'node:crypto';
import type { Plan, PlanLine } from '../../contract/archive';
import type { BatchInput } from '../../contract/batch';
import { failureTypes } from '../../contract/failures';
import { classifier } from '../../domain/classify';
import { jobLimits, unfitReason, unlimited } from '../../domain/plan';
import { creditRange } from '../../domain/plan-cost';
import type { PlanCost } from '../../domain/plan-cost';
import { countPages } from '../../pdf/page-count';
import type { Store } from '../../store';
import { giveUp } from '../failure';
import type { PlanProgress } from './candidate';
import { findDuplicates } from './compare';
import { countTablePages } from './count';
import type { CountPages } from './count';
import { DigestMap } from './digest-map';
import { compileGlob } from './globs';
import { LineWriter, PackedTable } from './lines';
import { requireFilledRoot, requireSameRoot } from './root';
import { findSkips } from './skips';
import type { FindElsewhere } from './skips';
import { openSource } from './source';
import type { OpenSource } from './source';
import { DocumentTable } from './table';

/** How a plan is made, beside its input. */
export interface PlanOptions {
  /** For plan.json; empty for a plan without a batch. */
  batchId?: string | undefined;
  /** The archive's folder: left out when it lies in the source folder. */
  archive?: string | undefined;
  /** Holds the batch that `source.retryOf` names. */
  store?: Store | undefined;
  /** Asks a ledger for each content, so that what another batch has is passed over. Default: nothing is asked, and only what must be is hashed. */
  findElsewhere?: FindElsewhere | undefined;
  /** Count pages also without `limits.maxPages` and `maxCredits`. Default false: counting reads every file. */
  pages?: boolean | undefined;
  /** Default: {@link countPages}. */
  countPages?: CountPages | undefined;
  /** Credits a page, for the estimate; without them there is none. */
  credits?: { drawingPage: number; documentPage: number } | undefined;
  onProgress?: ((progress: PlanProgress) => void) | undefined;
  /** Aborts reading, comparing, counting and writing; the signal's reason is thrown. */
  signal?: AbortSignal | undefined;
}

/** A plan that is decided but not yet written. Must be closed. */
export interface PreparedPlan {
  readonly cost: PlanCost;
  /** plan.jsonl in chunks; can be read once. `sink` sees each line. */
  bytes(sink?: (line: PlanLine) => void | Promise<void>): AsyncGenerator<Buffer>;
  /** plan.json, once the bytes are read. `sha256` is theirs. */
  plan(sha256: string): Plan;
  close(): void;
}

/**
 * Plans a batch without one: reads the source, compares, packs, and gives each line of the plan to `sink`, in order.
 * Writes nothing but a temporary file. @throws SourceUnavailable, InvalidInput, EmptySource
 */
export async function planDocuments(
  input: BatchInput,
  options: PlanOptions & { sink: (line: PlanLine) => void | Promise<void> },
): Promise<Plan> {
  const prepared = await preparePlan(input, options);
  try {
    const hash = createHash('sha256');
    for await (const chunk of prepared.bytes(options.sink)) hash.update(chunk);
    return prepared.plan(hash.digest('hex'));
  } finally {
    prepared.close();
  }
}

/** Decides everything a plan says. @throws SourceUnavailable, InvalidInput, EmptySource */
export async function preparePlan(input: BatchInput, options: PlanOptions): Promise<PreparedPlan> {
  const source = await openSource(input, options.archive, options.signal, options.store);
  const table = new DocumentTable(classifier(input.classify, compileGlob));
  try {
    return await prepare(input, options, source, table);
  } catch (error) {
    table.close();
    throw error;
  }
}

async function prepare(input: BatchInput, options: PlanOptions, source: OpenSource, table: DocumentTable): Promise<PreparedPlan> {
  const { signal, findElsewhere } = options;
  const report = (phase: PlanProgress['phase']) => (documents: number) => options.onProgress?.({ phase, documents });
  const limits = jobLimits(input.limits);
  await readSource(table, source, report('reading'));
  // A mount that went away leaves an empty folder: what was not found in it says nothing.
  await requireSameRoot(source.root);
  if (table.count === 0 && !input.allowEmpty) throw giveUp(failureTypes.emptySource, source.whyEmpty());
  const fits = (size: number) => unfitReason(size, null, limits) === null;
  const digests = await findDuplicates(table, source.root, { fits, all: findElsewhere !== undefined, signal, onProgress: report('comparing') });
  if (findElsewhere) await findSkips(table, digests, { find: findElsewhere, signal, onProgress: report('looking up') });
  if (options.pages || limits.maxPages !== unlimited || input.maxCredits !== undefined) {
    await countTablePages(table, source.root, { countPages: options.countPages ?? countPages, signal, onProgress: report('counting') });
  }
  await (table.sawUnreadable ? requireFilledRoot : requireSameRoot)(source.root);
  report('packing')(table.count);
  const packed = new PackedTable(table, digests, limits);
  const writer = new LineWriter();
  const pages = table.pages ? packed.pages : null;
  const cost: PlanCost = { pages, uncounted: table.pages ? packed.uncounted : 0, credits: creditRange(pages, options.credits) };
  return {
    cost,
    bytes: (sink) => planBytes(packed, writer, { sink, signal, onProgress: report('writing') }),
    plan: (sha256) => planOf(packed, writer, { root: source.root.path, sha256, cost, documents: table.count, leftOut: source.leftOut?.() ?? 0, input, options }),
    close: () => table.close(),
  };
}

async function readSource(table: DocumentTable, source: OpenSource, report: (documents: number) => void): Promise<void> {
  const paths = new DigestMap();
  for await (const candidates of source.candidates) {
    for (const candidate of candidates) {
      const number = table.add(candidate);
      const first = source.repeats ? paths.claim(candidate.path, number) : number;
      if (first !== number) table.repeat(number, first);
    }
    report(table.count);
  }
}

async function* planBytes(
  packed: PackedTable,
  writer: LineWriter,
  options: { sink: ((line: PlanLine) => void | Promise<void>) | undefined; signal: AbortSignal | undefined; onProgress: (documents: number) => void },
): AsyncGenerator<Buffer> {
  const { sink, signal, onProgress } = options;
  for (const line of packed.lines()) {
    const taken = sink?.(line);
    // A turn of the loop for each line would take longer than the line.
    if (taken) await taken;
    const chunk = writer.add(line);
    if (!chunk) continue;
    signal?.throwIfAborted();
    onProgress(line.seq);
    yield chunk;
  }
  signal?.throwIfAborted();
  yield writer.take();
}

function planOf(
  packed: PackedTable,
  writer: LineWriter,
  { root, sha256, cost, documents, leftOut, input, options }: { root: string; sha256: string; cost: PlanCost; documents: number; leftOut: number; input: BatchInput; options: PlanOptions },
): Plan {
  const { maxFiles, maxBytes, maxPages } = jobLimits(input.limits);
  return {
    batchId: options.batchId ?? '',
    root,
    createdAt: new Date().toISOString(),
    documents,
    rejected: packed.rejected,
    duplicates: packed.duplicates,
    skipped: packed.skipped,
    bytes: packed.bytes,
    pages: cost.pages,
    ...(cost.uncounted > 0 && { uncounted: cost.uncounted }),
    ...(leftOut > 0 && { leftOut }),
    limits: { maxFiles, maxBytes, ...(maxPages !== unlimited && { maxPages }) },
    lowerBoundJobs: packed.lowerBound,
    credits: cost.credits,
    jobs: writer.ranges,
    sha256,
  };
}
