import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BatchInputOptions, BatchSummary } from '../../src/client';
import { inputFileSchema, manifestLineSchema, manifestSchema, planSchema } from '../../src/contract/archive';
import { batchFolder, batchKeys, workFolder } from '../../src/contract/keys';
import { readJsonLines } from '../../src/store/jsonl';
import { verifyBatch } from '../../src/verify';
import { brokenAccounts, type Before, type EndedBatch } from './account';
import { sourceOver, writeDocuments, type WrittenDocument } from './documents';
import { failsHalfway } from './faults';
import type { Tally } from './ledger';
import type { Operator } from './operator';
import { classify, laterDocuments, type FamilyPlan } from './plan';
import type { SoakSite } from './site';

/** What all families share. */
export interface SoakContext {
  site: SoakSite;
  operator: Operator;
  tally: Tally;
  seed: number;
  /** How long a batch may take before that is a finding, in ms. */
  batchLimitMs: number;
  /** Ends all waiting. */
  signal: AbortSignal;
}

/** What a batch is expected to be about. */
interface Expectation {
  documents: readonly WrittenDocument[];
  cancelled?: boolean;
  skips: boolean;
  plan: FamilyPlan;
}

/** A batch and those that follow it over the same documents; then everything of them is removed, unless something was wrong. */
export class Family {
  readonly #before: Before = { sent: new Set(), paid: new Set() };
  readonly #batchIds: string[] = [];
  #isSound = true;

  constructor(
    private readonly context: SoakContext,
    private readonly plan: FamilyPlan,
  ) {}

  get #folder(): string {
    return join(this.context.site.options.folder, 'sources', String(this.plan.number));
  }

  get #name(): string {
    return `soak-${String(this.plan.number).padStart(5, '0')}`;
  }

  /** Runs all of them, one after another. Whatever is wrong is in the tally. */
  async run(): Promise<void> {
    const { plan, context } = this;
    const documents = await writeDocuments(this.#folder, plan.documents);
    const input: BatchInputOptions = { ...plan.input, source: await sourceOver(this.#folder, plan, documents), classify };
    if (plan.source === 'schedule') await this.#sweeps(input, documents);
    else {
      const ended = await this.#single(input, documents);
      if (ended && plan.again) await this.#start(`${this.#name}-again`, 'again', { ...input, skipProcessed: true }, { documents, skips: true, plan });
    }
    if (!this.#isSound) return;
    await rm(this.#folder, { recursive: true, force: true });
    for (const batchId of this.#batchIds) await rm(join(context.site.archive, batchFolder(batchId)), { recursive: true, force: true });
  }

  async #single(input: BatchInputOptions, documents: WrittenDocument[]): Promise<EndedBatch | null> {
    const { plan, context } = this;
    const batchId = this.#name;
    if (plan.failsHalfway) await context.site.addFaults([failsHalfway(batchId)]);
    const operated = new AbortController();
    const operation = this.#operate(batchId, AbortSignal.any([operated.signal, context.signal]));
    operation.catch(() => undefined);
    const ended = await this.#start(batchId, plan.source, input, { documents, cancelled: plan.operation.what === 'cancel', skips: plan.input.skipProcessed === true, plan });
    operated.abort();
    await operation;
    if (ended && plan.retry) await this.#retry(batchId, documents);
    return ended;
  }

  /** What an operator does to it meanwhile. */
  async #operate(batchId: string, signal: AbortSignal): Promise<void> {
    const { what, afterMs, forMs } = this.plan.operation;
    const { operator, site } = this.context;
    if (what === 'none') return;
    try {
      await pause(afterMs, undefined, { signal });
      if (what === 'cancel') await site.batches.cancel(batchId);
      else if (await operator.tell(batchId, 'pause')) {
        await pause(forMs, undefined, { signal }).catch(() => undefined);
        // A batch that nobody resumes waits for ever.
        while (!(await operator.tell(batchId, 'resume')) && !signal.aborted) await pause(1_000);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** A schedule whose sweeps find what came since the last one. */
  async #sweeps(input: BatchInputOptions, documents: WrittenDocument[]): Promise<void> {
    const { plan, context } = this;
    const { schedules } = context.site.batches;
    await schedules.create(this.#name, input, { cron: '@every 1000h', overlap: 'buffer-one' });
    const all = [...documents];
    for (const later of [[], laterDocuments(plan, context.seed)]) {
      all.push(...(await writeDocuments(this.#folder, later)));
      const { outcome, batchId } = await schedules.trigger(this.#name);
      if (batchId === null || outcome !== 'started') throw new Error(`schedule ${this.#name} was triggered and came to ${outcome}`);
      context.tally.starts('schedule');
      await this.#toItsEnd(batchId, { documents: all, skips: true, plan });
    }
    await schedules.delete(this.#name);
  }

  /** Sends again what was not processed, when there is something that cost nothing. */
  async #retry(batchId: string, documents: WrittenDocument[]): Promise<void> {
    const { site, tally } = this.context;
    const { lines, root } = await this.#read(batchId);
    const open = new Set(lines.filter(({ outcome }) => outcome !== 'processed' && outcome !== 'skipped').map(({ source }) => join(root, source)));
    const unsent = lines.filter(({ outcome, jobId }) => (outcome === 'rejected' || outcome === 'cancelled') && jobId === null);
    if (unsent.length === 0) return;
    const { batchId: id } = await site.batches.retry(batchId, { id: `${batchId}-retry` });
    tally.starts('retry');
    const ended = await this.#toItsEnd(id, { documents: documents.filter(({ file }) => open.has(file)), skips: this.plan.input.skipProcessed === true, plan: this.plan }, true);
    const taken = new Set(ended?.lines.map(({ source }) => join(root, source)));
    const forgotten = unsent.filter(({ source }) => !taken.has(join(root, source)));
    this.#finds(forgotten.map(({ source }) => `${id}: ${source} was never sent, and the retry left it out`));
  }

  async #start(batchId: string, kind: string, input: BatchInputOptions, expectation: Expectation): Promise<EndedBatch | null> {
    const { site, tally } = this.context;
    await site.batches.start(input, { id: batchId });
    tally.starts(kind);
    return this.#toItsEnd(batchId, expectation);
  }

  async #toItsEnd(batchId: string, expectation: Expectation, isRetry = false): Promise<EndedBatch | null> {
    const { site, operator, tally, batchLimitMs, signal } = this.context;
    this.#batchIds.push(batchId);
    const late = AbortSignal.timeout(batchLimitMs);
    const looks: Promise<void>[] = [];
    const onProgress = (summary: BatchSummary): void => void looks.push(operator.look(summary).catch((error: Error) => this.#finds([`${batchId}: ${error.message}`])));
    let summary: BatchSummary;
    try {
      summary = await site.batches.wait(batchId, { onProgress, signal: AbortSignal.any([late, signal]) });
    } catch (error) {
      if (!late.aborted) throw error;
      this.#finds([`${batchId}: is not over after ${batchLimitMs / 60_000} minutes: ${JSON.stringify(await site.batches.status(batchId))}`]);
      return null;
    }
    await Promise.all(looks);
    tally.ends(summary);
    if (summary.status === 'failed' || summary.error) {
      this.#finds([`${batchId}: ended as ${summary.status}: ${JSON.stringify(summary.error)}`]);
      return null;
    }
    return this.#check(batchId, summary, expectation, isRetry);
  }

  async #check(batchId: string, summary: BatchSummary, { documents, cancelled = false, skips, plan }: Expectation, isRetry: boolean): Promise<EndedBatch> {
    const { site, tally } = this.context;
    const { problems, files, bytes } = await verifyBatch(site.store, batchId);
    tally.archivedFiles += files;
    tally.archivedBytes += bytes;
    const records = await site.records(batchId);
    const archived = await this.#read(batchId);
    // A retry takes what it may take: which, is checked by its caller.
    const taken = isRetry ? documents.filter(({ file }) => archived.lines.some(({ source }) => join(archived.root, source) === file)) : documents;
    const ended: EndedBatch = { batchId, documents: taken, cancelled, failsHalfway: plan.failsHalfway, skips, before: this.#before, ...archived, summary, records };
    this.#finds([
      ...problems.map(({ code, path, message }) => `${batchId}: verify: ${code} ${path} ${message}`),
      ...brokenAccounts(ended),
      ...(await this.#leftOver(batchId)).map((path) => `${batchId}: ${path} was left behind`),
    ]);
    for (const { sha256 } of records.jobs.flatMap((job) => job.documents)) this.#before.sent.add(sha256);
    for (const [sha256, pages] of Object.entries(records.debits)) if (pages.some((times) => times > 0)) this.#before.paid.add(sha256);
    return ended;
  }

  /** Working files, and what was half-written in a job's folder. In the batch's own a killed worker may leave a name that no list shows. */
  async #leftOver(batchId: string): Promise<string[]> {
    const { site } = this.context;
    const halfWritten = (await site.filesBelow(`${batchFolder(batchId)}/jobs`)).filter((path) => path.includes('/.tmp-'));
    return [...(await site.filesBelow(workFolder(batchId))), ...halfWritten];
  }

  async #read(batchId: string): Promise<Pick<EndedBatch, 'root' | 'manifest'> & { lines: (EndedBatch['lines'][number] & { jobId: string | null })[] }> {
    const { store, archive } = this.context.site;
    const keys = batchKeys(batchId);
    const json = async (key: string): Promise<unknown> => JSON.parse(await readFile(join(archive, key), 'utf8'));
    inputFileSchema.parse(await json(keys.input));
    const lines = [];
    for await (const line of readJsonLines(store, keys.manifestLines, manifestLineSchema)) lines.push(line);
    const manifest = manifestSchema.parse(await json(keys.manifest));
    // A batch that was told to end before it had planned has no plan, and no lines that could be below a root.
    const isPlanned = 'plan.json' in manifest.sha256 || lines.length > 0;
    return { root: isPlanned ? planSchema.parse(await json(keys.plan)).root : '/', manifest, lines };
  }

  #finds(problems: string[]): void {
    if (problems.length > 0) this.#isSound = false;
    this.context.tally.finds(problems);
  }
}
