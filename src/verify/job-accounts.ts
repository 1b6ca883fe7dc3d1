import { archivedFileSchema, documentOutcomeSchema, jobFileSchema, type ArchivedFile, type DocumentOutcome, type JobFile, type Plan } from '../contract/archive';
import { jobKeys } from '../contract/keys';
import { addOutcome, type ManifestTally, type Settled } from '../domain/manifest';
import type { JobTree } from '../domain/manifest-lines';
import { BrokenFileError, findJson, readJsonLines } from '../store/jsonl';
import type { AccountsCheck } from './accounts';

/** A job's own documents.jsonl: its lines, and whether its closing activity wrote them, not one that found all of them unfit. */
interface OwnDocuments {
  documents: number;
  isClosed: boolean;
}

/** What jobs say of their documents, each job's files compared with each other on the way. */
export class JobAccounts {
  /** job.json of each job that has one. */
  readonly files = new Map<number, JobFile>();
  /** Jobs whose files cannot be relied on: nothing is concluded from them. */
  readonly unknown = new Set<number>();
  /** `seq` of each planned job's first document. */
  readonly #first: number[] = [];

  constructor(
    private readonly check: AccountsCheck,
    private readonly tree: JobTree,
    private readonly plan: Plan,
  ) {
    let seq = 1;
    for (const { documents } of plan.jobs) {
      this.#first.push(seq);
      seq += documents;
    }
  }

  /** Whether something of this planned job, or of what was made of it, cannot be relied on. */
  isUnknown(plannedJob: number): boolean {
    return this.tree.family(plannedJob).some((job) => this.unknown.has(job));
  }

  /** What the planned job, and the jobs made of it, say of their documents: the last word counts, and what each cost joins `tally`. */
  async outcomes(plannedJob: number, tally: ManifestTally): Promise<Map<number, Settled>> {
    const settled = new Map<number, Settled>();
    for (const job of this.tree.family(plannedJob)) {
      try {
        await this.#read(plannedJob, job, settled, tally);
      } catch (error) {
        if (!(error instanceof BrokenFileError)) throw error;
        this.unknown.add(job);
        this.#problem(error.key.slice(error.key.indexOf('/jobs/') + 1), error.message.slice(error.key.length).replace(/^:? /, ''));
      }
    }
    return settled;
  }

  async #read(plannedJob: number, job: number, settled: Map<number, Settled>, tally: ManifestTally): Promise<void> {
    const { store, batchId, findings, manifest } = this.check;
    const { relative } = jobKeys(batchId, job);
    const paths = ['job.json', 'documents.jsonl', 'files.jsonl'].map((name) => `${relative}/${name}`);
    if (paths.some((path) => findings.isDamaged(path))) {
      this.unknown.add(job);
      return;
    }
    const file = await findJson(store, jobKeys(batchId, job).job, jobFileSchema);
    if (file) this.files.set(job, file);
    const hasDocuments = manifest.sha256[`${relative}/documents.jsonl`] !== undefined;
    const own = hasDocuments ? await this.#readDocuments(plannedJob, job, settled, tally) : { documents: 0, isClosed: false };
    if (file) this.#checkFile(file, job, own);
  }

  async #readDocuments(plannedJob: number, job: number, settled: Map<number, Settled>, tally: ManifestTally): Promise<OwnDocuments> {
    const keys = jobKeys(this.check.batchId, job);
    const path = `${keys.relative}/documents.jsonl`;
    const files = await this.#readFiles(job);
    const seen = new Set<number>();
    let isClosed = false;
    const first = this.#first[plannedJob - 1] ?? 0;
    const last = first + (this.plan.jobs[plannedJob - 1]?.documents ?? 0) - 1;
    for await (const outcome of readJsonLines(this.check.store, keys.documents, documentOutcomeSchema)) {
      if (seen.has(outcome.seq)) this.#problem(path, `has document ${outcome.seq} twice`);
      else if (outcome.seq < first || outcome.seq > last) this.#problem(path, `has document ${outcome.seq}, which is not one of its job's`);
      seen.add(outcome.seq);
      isClosed ||= outcome.outcome !== 'rejected' || outcome.jobId !== null;
      this.#checkArchived(outcome, path, keys.relative, files);
      this.#checkSentAgain(outcome, job, path, settled.get(outcome.seq));
      addOutcome(tally, job, outcome);
      settled.set(outcome.seq, { job, outcome });
    }
    return { documents: seen.size, isClosed };
  }

  /** files.jsonl by the path in the batch's folder. */
  async #readFiles(job: number): Promise<Map<string, ArchivedFile>> {
    const keys = jobKeys(this.check.batchId, job);
    const files = new Map<string, ArchivedFile>();
    if (this.check.manifest.sha256[`${keys.relative}/files.jsonl`] === undefined) return files;
    for await (const file of readJsonLines(this.check.store, keys.files, archivedFileSchema)) files.set(`${keys.relative}/${file.path}`, file);
    return files;
  }

  #checkArchived({ seq, result, artifacts }: DocumentOutcome, path: string, folder: string, files: Map<string, ArchivedFile>): void {
    if (result && (result.path !== `${folder}/result.json` || !files.has(result.path))) {
      this.#problem(path, `document ${seq} points to ${result.path}, which files.jsonl does not name`);
    }
    for (const artifact of artifacts) {
      const file = files.get(artifact.path);
      if (!file) this.#problem(path, `document ${seq} points to ${artifact.path}, which files.jsonl does not name`);
      else if (file.sha256 !== artifact.sha256 || file.sizeBytes !== artifact.sizeBytes) this.#problem(path, `document ${seq} has another size or hash for ${artifact.path} than files.jsonl`);
    }
  }

  /** Only a failed or partial document goes into another job, which was made of the one that had it; and what failed cost nothing. */
  #checkSentAgain({ seq, outcome, pagesPaid }: DocumentOutcome, job: number, path: string, before: Settled | undefined): void {
    if ((pagesPaid ?? 0) > 0 && outcome !== 'processed' && outcome !== 'partial') this.#problem(path, `document ${seq} is ${outcome}, and has pages that came out`);
    if (!before || before.job === job) return;
    const had = before.outcome.outcome;
    if (had !== 'failed' && had !== 'partial') this.#problem(path, `has document ${seq}, which is ${had} in job ${before.job}`);
    else if (!this.tree.isMadeOf(job, before.job)) this.#problem(path, `has document ${seq} of job ${before.job}, which it was not made of`);
  }

  /** A job that ended without its closing activity does not know yet whose part it is, nor how many documents it has. */
  #checkFile(file: JobFile, job: number, { documents, isClosed }: OwnDocuments): void {
    const parent = this.tree.parents.get(job) ?? null;
    const path = `${jobKeys(this.check.batchId, job).relative}/job.json`;
    if (file.batchId !== this.check.batchId || file.job !== job) this.#problem(path, `belongs to job ${file.job} of batch ${file.batchId}`);
    if (file.documents !== documents && (isClosed || file.documents !== 0)) this.#problem(path, `counts ${file.documents} documents, and documents.jsonl has ${documents}`);
    if (file.parent !== parent && (isClosed || file.parent !== null)) this.#problem(path, `is a part of job ${file.parent}, and manifest.json says of ${parent}`);
  }

  #problem(path: string, message: string): void {
    this.check.findings.add('count', path, message);
  }
}
