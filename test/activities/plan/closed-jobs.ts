/** A batch whose jobs are run by a few rules instead of Plangrep, on the real activities that close jobs, send again and write the manifest. */
import { createArchiveActivities } from '../../../src/activities/archive';
import { readJobLines } from '../../../src/activities/plan';
import { resendDocuments } from '../../../src/activities/plan/resend';
import type { ClosedJob, JobEnding, ResendKind } from '../../../src/contract/activities';
import { planLineSchema, planSchema } from '../../../src/contract/archive';
import type { PlanLine, ResultRecord, UploadRecord } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';
import type { BatchInputOptions } from '../../../src/contract/batch';
import { batchKeys, jobKeys } from '../../../src/contract/keys';
import { jsonLines, jsonText } from '../../../src/store/jsonl';
import type { PlangrepClient } from '../../../src/plangrep/client';
import { MemoryStore } from '../../support/memory-store';
import { quietActivity } from './planning';

export const batchId = 'b';
export const keys = batchKeys(batchId);

/** What becomes of a document whenever it is processed. `poison` fails its whole job for nothing, `costly` after credits were debited. */
export type Fate = 'good' | 'blank' | 'blank once' | 'partial' | 'unknown' | 'unsent once' | 'changed' | 'poison' | 'costly';

/** A document of the plan. */
export interface FatedDocument {
  fate: Fate;
  /** As planning counted; null when it did not. */
  pages: number | null;
}

/** How the remote side behaves. */
export interface Remote {
  pageLimit: number;
  /** That many jobs fail first, for no fault of their documents. */
  outages: number;
}

/** A batch of planned jobs, each a list of documents. */
export class FatedBatch {
  readonly store = new MemoryStore();
  /** Jobs in which pages of a document were, or may have been, paid for. */
  readonly paid = new Map<number, number>();
  /** Jobs that each document was sent in. */
  readonly tries = new Map<number, number>();
  private outages: number;

  constructor(
    private readonly jobs: FatedDocument[][],
    private readonly remote: Remote,
    readonly options: Partial<BatchInputOptions>,
    private readonly root: string,
  ) {
    this.outages = remote.outages;
  }

  /** input.json and the plan. */
  async write(): Promise<void> {
    const input = batchInputSchema.parse({ project: 'p', source: { folder: this.root }, ...this.options });
    await this.store.write(keys.input, jsonText({ batchId, acceptedAt: '2026-01-01T00:00:00Z', input }));
    let [text, documents] = ['', 0];
    const ranges = this.jobs.map((job, at) => {
      const lines = job.map(({ pages }) => `${JSON.stringify(lineOf((documents += 1), at + 1, pages))}\n`).join('');
      const counted = job.every(({ pages }) => pages === null) ? null : job.reduce((sum, { pages }) => sum + (pages ?? 0), 0);
      const range = { offset: text.length, length: lines.length, documents: job.length, sizeBytes: 10 * job.length, pages: counted };
      text += lines;
      return range;
    });
    const { sha256 } = await this.store.write(keys.planLines, text);
    await this.store.write(keys.plan, jsonText(planSchema.parse({
      ...{ batchId, root: this.root, createdAt: '2026-01-01T00:00:00Z', documents, rejected: 0, duplicates: 0, skipped: 0, bytes: 10 * documents, pages: null },
      ...{ limits: {}, lowerBoundJobs: 1, credits: null, jobs: ranges, sha256 },
    })));
  }

  /** Sends a job, lets it end as its documents' fates and the remote side say, and closes it. */
  async run(job: number): Promise<ClosedJob> {
    const lines = await readJobLines(this.store, batchId, job);
    const uploads = lines.map((line) => this.upload(line, job));
    await this.store.write(jobKeys(batchId, job).uploads, jsonLines(uploads));
    const sent = lines.filter((_, at) => uploads[at]!.sent);
    for (const { seq } of sent) this.tries.set(seq, (this.tries.get(seq) ?? 0) + 1);
    return this.close(job, sent.length === 0 ? nothingSent : await this.end(job, sent));
  }

  /** Closes a job. */
  close(job: number, ending: JobEnding): Promise<ClosedJob> {
    const { closeJob } = createArchiveActivities({ store: this.store, plangrep: {} as PlangrepClient, pace: { wait: () => Promise.resolve(), slowDown: () => undefined } });
    return closeJob({ batchId, job, projectId: 'proj_1', remote: remoteOf(job), ending });
  }

  /** The activity under test. */
  resend(job: number, how: ResendKind, next: number): ReturnType<typeof resendDocuments> {
    return quietActivity().run(() => resendDocuments({ store: this.store, settings: { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 } }, { batchId, job, how, next }));
  }

  fate(seq: number): Fate {
    return this.jobs.flat()[seq - 1]!.fate;
  }

  private upload({ seq }: PlanLine, job: number): UploadRecord {
    const fate = this.fate(seq);
    const reason = fate === 'changed' ? { code: 'changed' as const, message: 'It changed.' } : fate === 'unsent once' && job <= this.jobs.length ? { code: 'remote_error' as const, message: 'Refused.' } : null;
    return { seq, documentId: reason ? null : `doc_${seq}`, sha256: String(seq).padStart(64, '0'), sizeBytes: 10, sent: reason === null, reason };
  }

  private async end(job: number, sent: PlanLine[]): Promise<JobEnding> {
    const failure = this.failureOf(sent);
    if (!failure) return this.archive(job, sent);
    if (failure.creditsDebited !== 0) for (const { seq } of sent) this.paid.set(seq, (this.paid.get(seq) ?? 0) + 1);
    return { kind: 'failed', error: { code: failure.code, message: 'It failed.' }, creditsDebited: failure.creditsDebited };
  }

  private failureOf(sent: PlanLine[]): { code: string; creditsDebited: number | null } | null {
    if (this.outages > 0 && this.outages--) return { code: 'runtime_lost', creditsDebited: 0 };
    if (sent.reduce((sum, { pages }) => sum + (pages ?? 1), 0) > this.remote.pageLimit) return { code: 'page_limit_exceeded', creditsDebited: 0 };
    if (sent.some(({ seq }) => this.fate(seq) === 'costly')) return { code: 'internal', creditsDebited: null };
    return sent.some(({ seq }) => this.fate(seq) === 'poison') ? { code: 'internal', creditsDebited: 0 } : null;
  }

  private async archive(job: number, sent: PlanLine[]): Promise<JobEnding> {
    const job_ = jobKeys(batchId, job);
    const records = sent.map(({ seq, fileName, pages }, index): ResultRecord => {
      const total = pages ?? 2;
      const good = goodPages(this.fate(seq), total, this.tries.get(seq)!);
      if (good !== 0) this.paid.set(seq, (this.paid.get(seq) ?? 0) + 1);
      const counts = { pageCount: total, successfulPageCount: good, failedPageCount: good === null ? null : total - good };
      return { index, documentId: `doc_${seq}`, fileName, status: good === null ? 'odd' : null, ...counts, error: null, issue: null, credits: good, artifacts: [], missing: null };
    });
    await this.store.write(job_.results, jsonLines(records));
    await this.store.write(job_.result, '{}');
    const seen = { ...{ job, parent: null, batchId, jobId: `job_${job}`, externalId: null, status: 'completed_with_errors', error: null, creditsDebited: null }, ...{ pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 0 } };
    await this.store.write(job_.job, jsonText(seen));
    return { kind: 'archived' };
  }
}

const nothingSent: JobEnding = { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'No document of this job could be sent.' } };

const remoteOf = (job: number) => ({ jobId: `job_${job}`, externalId: `batch/b/job/${job}`, createdAt: '2026-01-01T00:00:00Z', expiresAt: '2099-01-01T00:00:00Z' });

/** A document that is blank has one page at least that did not come out, and a partial one a page more. */
function goodPages(fate: Fate, total: number, tries: number): number | null {
  if (fate === 'unknown') return null;
  if (fate === 'blank' || (fate === 'blank once' && tries === 1)) return 0;
  return fate === 'partial' ? Math.ceil(total / 2) : total;
}

const lineOf = (seq: number, job: number, pages: number | null): PlanLine =>
  planLineSchema.parse({
    ...{ seq, source: `${seq % 3}/${seq}.pdf`, fileName: `${seq}.pdf`, contentType: 'application/pdf', sizeBytes: 10, sha256: null, pages, classification: null },
    ...{ mtimeMs: null, inode: null, job, reason: null, duplicateOf: null },
  });
