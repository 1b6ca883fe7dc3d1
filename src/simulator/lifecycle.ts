import { invalidState } from './errors';
import {
  includedDocuments, isTerminal, pageCredits, successfulPages, type JobStatus, type Problem, type SimDocument, type SimJob,
} from './job';
import { estimatePages } from './intake';
import type { SimulatorState } from './state';
import type { WebhookSender } from './webhooks';

// How a job's own time is divided; its pages come on top of processing.
const preflightShare = 0.2;
const blocked = 'blocked_insufficient_credits';

/** What happens to jobs by themselves, on the simulator's clock; and the calls that change their course. */
export class Lifecycle {
  constructor(
    private readonly state: SimulatorState,
    private readonly webhooks: WebhookSender,
  ) {}

  /** Starts a new job's life. */
  begin(job: SimJob, provisioningMs: number): void {
    const { clock } = this.state;
    job.history.push({ status: job.status, at: clock.iso() });
    if (provisioningMs > 0) job.alarm = clock.after(provisioningMs, () => this.#setStatus(job, 'awaiting_uploads'));
    clock.after(job.expiresAtMs - clock.now(), () => this.#expire(job));
  }

  /** The first file or registration arrived. */
  uploading(job: SimJob): void {
    if (job.status === 'awaiting_uploads') this.#setStatus(job, 'uploading');
  }

  /** The upload window is closed; `waiting` are registered files that nobody mentioned. */
  preflight(job: SimJob, waiting: SimDocument[]): void {
    this.#setStatus(job, 'preflighting');
    const waitMs = waiting.length > 0 ? this.state.settings.uploadTimeoutMs : 0;
    job.alarm = this.state.clock.after(waitMs + this.state.settings.jobMs * preflightShare, () => {
      for (const document of waiting) document.uploadFailure = { code: 'upload_timeout', message: 'The upload was never confirmed.' };
      this.#afterPreflight(job);
    });
  }

  /** @throws ApiError 409 unless the job is blocked */
  resume(job: SimJob): void {
    if (job.status !== blocked) throw invalidState(`A job in ${job.status} cannot be resumed.`);
    this.#setStatus(job, 'preflighting');
    job.alarm = this.state.clock.after(this.state.settings.jobMs * preflightShare, () => this.#afterPreflight(job));
  }

  /** Ends the job, at once unless a document is in work. @throws ApiError 409 when it is over */
  cancel(job: SimJob): void {
    if (isTerminal(job.status)) throw invalidState(`A job in ${job.status} cannot be cancelled.`);
    if (job.status !== 'processing') return this.#end(job, 'cancelled');
    job.cancelling = !job.finishesFirst;
    this.release(job);
  }

  /** Lets a job go on that is held, or that would be. */
  release(job: SimJob): void {
    const { held } = job;
    job.hold = null;
    job.held = null;
    held?.();
  }

  /** Whether the job stays where it is; what comes next is kept for its release. */
  #holds(job: SimJob, next: () => void): boolean {
    if (job.hold === null || job.hold !== job.status) return false;
    job.held = next;
    return true;
  }

  #afterPreflight(job: SimJob): void {
    if (this.#holds(job, () => this.#afterPreflight(job))) return;
    const documents = includedDocuments(job);
    const names = documents.map((document) => document.fileName);
    const failure = this.#pageLimitProblem(documents) ?? this.state.faults.forJobFailure(job.externalId, names, 'preflight');
    if (failure) return this.#end(job, 'failed', { code: failure.code, message: failure.message });
    const estimate = documents.reduce((sum, document) => sum + this.#estimate(document), 0);
    if (!this.state.credits.reserve(estimate)) return this.#setStatus(job, blocked);
    job.creditsReserved = estimate;
    this.#setStatus(job, 'processing');
    this.#workOn(job);
  }

  #pageLimitProblem(documents: SimDocument[]): Problem | null {
    const limit = this.state.settings.pageLimit;
    const pages = documents.reduce((sum, document) => sum + (document.content?.pages ?? 0), 0);
    if (limit === null || pages <= limit) return null;
    return { code: 'page_limit_exceeded', message: `The job has ${pages} pages; ${limit} are allowed.` };
  }

  /** Credits that the pages still to come may cost, judged by the declared size: the pages themselves are not known yet. */
  #estimate(document: SimDocument): number {
    const pages = estimatePages(document.sizeBytes, this.state.settings.bytesPerPage);
    return Math.max(0, pages - document.donePages) * pageCredits(document, 1);
  }

  #workOn(job: SimJob): void {
    if (this.#holds(job, () => this.#workOn(job))) return;
    const documents = includedDocuments(job);
    const document = documents[job.cursor];
    if (!document) return this.#finish(job, documents);
    const { jobMs, pageMs } = this.state.settings;
    const pages = (document.content?.pages ?? 0) - document.donePages;
    const ms = (jobMs * (1 - preflightShare)) / documents.length + pages * pageMs;
    job.alarm = this.state.clock.after(ms, () => this.#afterDocument(job, document, documents));
  }

  #afterDocument(job: SimJob, document: SimDocument, documents: SimDocument[]): void {
    const paid = this.#processPages(job, document);
    if (job.cancelling) return this.#end(job, 'cancelled');
    if (!paid) {
      this.#releaseReservation(job);
      return this.#setStatus(job, blocked);
    }
    job.cursor += 1;
    const names = documents.map(({ fileName }) => fileName);
    const half = job.cursor === Math.ceil(documents.length / 2);
    const failure = half ? this.state.faults.forJobFailure(job.externalId, names, 'processing') : undefined;
    if (failure) return this.#end(job, 'failed', { code: failure.code, message: failure.message });
    this.#workOn(job);
  }

  /** Works on the pages that are left. False: the credits were not enough for all of them. */
  #processPages(job: SimJob, document: SimDocument): boolean {
    const pages = document.content?.pages ?? 0;
    const fault = pages > document.donePages ? this.state.faults.forDocument(document.fileName) : undefined;
    for (let page = document.donePages + 1; page <= pages; page++) {
      if (fault && (fault.failPages === 'all' || fault.failPages.includes(page))) {
        document.failedPages.push(page);
        document.pageProblem = fault.error ?? { code: 'page_failed', message: 'The page could not be read.' };
      } else if (!this.#debit(job, pageCredits(document, page))) {
        return false;
      }
      document.donePages = page;
    }
    return true;
  }

  #debit(job: SimJob, credits: number): boolean {
    const reserved = Math.min(job.creditsReserved, credits);
    if (!this.state.credits.charge(credits - reserved)) return false;
    this.state.credits.use(reserved);
    job.creditsReserved -= reserved;
    job.creditsDebited += credits;
    job.updatedAtMs = this.state.clock.now();
    return true;
  }

  #finish(job: SimJob, documents: SimDocument[]): void {
    const successful = documents.reduce((sum, document) => sum + successfulPages(document), 0);
    if (successful === 0) return this.#end(job, 'failed', { code: 'no_readable_pages', message: 'No page of any document could be read.' });
    const lost = documents.some((document) => document.content?.problem || document.failedPages.length > 0);
    this.#end(job, lost || job.documents.some((document) => document.uploadFailure) ? 'completed_with_errors' : 'completed');
  }

  #expire(job: SimJob): void {
    if (isTerminal(job.status)) {
      job.gone = true;
      return;
    }
    this.#end(job, 'expired');
    this.state.clock.after(job.expiredGraceMs, () => {
      job.gone = true;
    });
  }

  #end(job: SimJob, status: JobStatus, error: Problem | null = null): void {
    this.#releaseReservation(job);
    for (const document of job.documents) {
      void document.parts?.discard();
      document.parts = null;
    }
    job.error = error;
    job.completedAtMs = this.state.clock.now();
    this.#setStatus(job, status);
  }

  #releaseReservation(job: SimJob): void {
    this.state.credits.release(job.creditsReserved);
    job.creditsReserved = 0;
  }

  #setStatus(job: SimJob, status: JobStatus): void {
    job.alarm?.cancel();
    job.alarm = null;
    job.held = null;
    job.status = status;
    job.updatedAtMs = this.state.clock.now();
    job.history.push({ status, at: this.state.clock.iso() });
    this.webhooks.statusChanged(job);
  }
}
