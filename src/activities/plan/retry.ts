import { inputFileSchema, jobFileSchema, manifestLineSchema, planLineSchema, planSchema } from '../../contract/archive';
import type { ManifestLine, PlanLine } from '../../contract/archive';
import type { ListedDocument } from '../../contract/batch';
import { batchKeys, jobKeys } from '../../contract/keys';
import { batchIdRule, isBatchId } from '../../contract/messages';
import { retryFate } from '../../domain/retry';
import type { LastJob, RetryFate } from '../../domain/retry';
import type { Store } from '../../store';
import { BrokenFileError, findJson, parseJson, readJsonLines, splitLines } from '../../store/jsonl';
import { invalidInput } from './broken-lines';

/** Documents that are handed on together. */
const portion = 256;
/** Jobs that are kept: those of one planned job stand together in a manifest. */
const jobsKept = 1000;

const fates: readonly RetryFate[] = ['leave', 'take', 'paid'];

/** What a batch's retry is about, and which of it is taken. */
export class RetriedBatch {
  /** Documents that are not processed, and were left out because their pages were or may have been paid for. */
  leftOut = 0;
  /** Fate of each document by its `seq`, one byte each. */
  private fateOf = new Uint8Array(1024);
  private readonly jobs = new Map<number, Promise<LastJob>>();
  private readonly keys;

  private constructor(
    private readonly store: Store,
    private readonly batchId: string,
    /** The old plan's root; null when the batch failed before it had a plan. */
    readonly root: string | null,
    /** The old batch sent documents again whose pages were paid for. */
    private readonly paidAgain: boolean,
    private readonly options: { retryPartial: boolean; signal: AbortSignal | undefined },
  ) {
    this.keys = batchKeys(batchId);
  }

  /** @throws InvalidInput when there is no such batch in the archive, or it is not finished */
  static async open(store: Store, batchId: string, options: { retryPartial: boolean; signal: AbortSignal | undefined }): Promise<RetriedBatch> {
    if (!isBatchId(batchId)) throw invalidInput(`source.retryOf ${batchId} is no batch id: it must have ${batchIdRule}`);
    const keys = batchKeys(batchId);
    if (!(await store.stat(keys.manifest))) {
      const known = await store.stat(keys.input);
      throw invalidInput(`Batch ${batchId} ${known ? 'is not finished: only what a finished batch did not process can be retried' : 'is not in this archive'}`);
    }
    const plan = await findJson(store, keys.plan, planSchema);
    const paidAgain = (await findJson(store, keys.input, inputFileSchema))?.input.retryPartialDocuments ?? false;
    return new RetriedBatch(store, batchId, plan?.root ?? null, paidAgain, options);
  }

  /** Why there is nothing to retry. */
  get whyEmpty(): string {
    const { batchId, leftOut } = this;
    if (leftOut === 0) return `Batch ${batchId} has no document that was not processed`;
    const documents = leftOut === 1 ? '1 document' : `${leftOut} documents`;
    return `Nothing of batch ${batchId} can be sent again without the risk of paying twice: pages of ${documents} were, or may have been, paid for; retryPartialDocuments (--retry-partial) takes them`;
  }

  /** The documents that are taken, as a list names them. Two files are read side by side, line by line. @throws BrokenFileError */
  async *documents(): AsyncGenerator<ListedDocument[]> {
    if (this.root === null) return;
    let taken: ListedDocument[] = [];
    const plan = splitLines(await this.store.openRead(this.keys.planLines), this.keys.planLines);
    try {
      for await (const line of readJsonLines(this.store, this.keys.manifestLines, manifestLineSchema)) {
        const planned = await plan.next();
        if (!(await this.takes(line))) continue;
        taken.push(listed(line, this.plannedLine(line.seq, planned)));
        if (taken.length < portion) continue;
        yield taken;
        taken = [];
      }
      if (taken.length > 0) yield taken;
    } finally {
      await plan.return(undefined);
    }
  }

  private plannedLine(seq: number, { done, value }: IteratorResult<Buffer, void>): PlanLine {
    const { planLines } = this.keys;
    const line = done ? null : parseJson((value as Buffer).toString(), planLineSchema, planLines, seq);
    if (line?.seq !== seq) throw new BrokenFileError(planLines, seq, 'is not the line that the manifest was made with');
    return line;
  }

  private async takes(line: ManifestLine): Promise<boolean> {
    this.options.signal?.throwIfAborted();
    const { seq, job, duplicateOf } = line;
    const original = duplicateOf === null ? null : fates[this.fateOf[duplicateOf] ?? 0]!;
    const fate = retryFate(line, job === null ? null : await this.lastJob(job), original);
    this.note(seq, fate);
    if (fate === 'paid' && !this.options.retryPartial) this.leftOut += 1;
    return fate === 'take' || (fate === 'paid' && this.options.retryPartial);
  }

  private note(seq: number, fate: RetryFate): void {
    if (seq >= this.fateOf.length) {
      const grown = new Uint8Array(Math.max(seq + 1, this.fateOf.length * 2));
      grown.set(this.fateOf);
      this.fateOf = grown;
    }
    this.fateOf[seq] = fates.indexOf(fate);
  }

  private lastJob(job: number): Promise<LastJob> {
    const known = this.jobs.get(job);
    if (known) return known;
    if (this.jobs.size >= jobsKept) this.jobs.clear();
    const read = this.readJob(job);
    this.jobs.set(job, read);
    return read;
  }

  private async readJob(job: number): Promise<LastJob> {
    const file = await findJson(this.store, jobKeys(this.batchId, job).job, jobFileSchema);
    return { debited: file?.creditsDebited ?? null, resent: this.paidAgain && file !== null && file.parent !== null };
  }
}

/** As a list would name it: where it lies now, under the name it was sent by, with the class that it had. */
const listed = ({ source, fileName, classification }: ManifestLine, { contentType }: PlanLine): ListedDocument => ({
  path: source,
  fileName,
  contentType,
  ...(classification && { classification }),
});
