import type { Manifest, Plan } from '../contract/archive';
import type { PlacedLine } from '../domain/manifest-lines';
import type { Findings } from './findings';

/** plan.json against plan.jsonl, line by line. */
export class PlanAccount {
  #documents = 0;
  #rejected = 0;
  #duplicates = 0;
  #skipped = 0;
  #bytes = 0;
  #pages = 0;
  /** The job whose lines pass, and what was seen of it. */
  #job = 0;
  #seen = { offset: 0, documents: 0, sizeBytes: 0, pages: 0 };
  #next = 0;

  constructor(
    private readonly plan: Plan,
    private readonly batchId: string,
    private readonly manifest: Manifest,
    private readonly findings: Findings,
  ) {}

  /** The next line of plan.jsonl. */
  add({ line, offset }: PlacedLine): void {
    this.#documents += 1;
    if (line.seq !== this.#documents) this.#problem('plan.jsonl', `line ${this.#documents} has seq ${line.seq}`);
    if ((line.job === null) === (line.reason === null)) this.#problem('plan.jsonl', `line ${line.seq} has not exactly one of job and reason`);
    if ((line.duplicateOf !== null) !== (line.reason?.code === 'duplicate')) this.#problem('plan.jsonl', `line ${line.seq} is half a duplicate`);
    if (line.job === null) {
      this.#closeJob(offset);
      if (line.duplicateOf !== null) this.#duplicates += 1;
      else if (line.reason?.code === 'skipped') this.#skipped += 1;
      else this.#rejected += 1;
      return;
    }
    if (line.job !== this.#job) this.#openJob(line.job, offset);
    this.#seen.documents += 1;
    this.#seen.sizeBytes += line.sizeBytes ?? 0;
    this.#seen.pages += line.pages ?? 0;
    this.#bytes += line.sizeBytes ?? 0;
    this.#pages += line.pages ?? 0;
  }

  /** After the last line. `sizeBytes` of plan.jsonl is where the last job's lines end when nothing follows them. */
  finish(sizeBytes: number): void {
    const { plan, manifest } = this;
    this.#closeJob(sizeBytes);
    if (this.#next !== plan.jobs.length) this.#problem('plan.json', `has ${plan.jobs.length} jobs, and plan.jsonl has lines of ${this.#next}`);
    this.#same('batchId', plan.batchId, this.batchId);
    this.#same('documents', plan.documents, this.#documents);
    this.#same('rejected', plan.rejected, this.#rejected);
    this.#same('duplicates', plan.duplicates, this.#duplicates);
    this.#same('skipped', plan.skipped, this.#skipped);
    this.#same('bytes', plan.bytes, this.#bytes);
    if (plan.pages !== null) this.#same('pages', plan.pages, this.#pages);
    this.#same('sha256', plan.sha256, manifest.sha256['plan.jsonl']);
  }

  #openJob(job: number, offset: number): void {
    this.#closeJob(offset);
    if (job !== this.#next + 1) this.#problem('plan.jsonl', `has lines of job ${job} after those of job ${this.#next}`);
    this.#job = job;
    this.#next = job;
    this.#seen = { offset, documents: 0, sizeBytes: 0, pages: 0 };
  }

  #closeJob(end: number): void {
    const range = this.plan.jobs[this.#job - 1];
    if (this.#job > 0 && range) {
      const { offset, documents, sizeBytes, pages } = this.#seen;
      const at = `jobs.${this.#job - 1}`;
      this.#same(`${at}.offset`, range.offset, offset);
      this.#same(`${at}.length`, range.length, end - offset);
      this.#same(`${at}.documents`, range.documents, documents);
      this.#same(`${at}.sizeBytes`, range.sizeBytes, sizeBytes);
      if (range.pages !== null) this.#same(`${at}.pages`, range.pages, pages);
    }
    this.#job = 0;
  }

  #same(field: string, has: unknown, should: unknown): void {
    if (has !== should) this.#problem('plan.json', `${field} is ${JSON.stringify(has)}, and comes to ${JSON.stringify(should)}`);
  }

  #problem(path: string, message: string): void {
    this.findings.add('count', path, message);
  }
}
