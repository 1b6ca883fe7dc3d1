import { LRUCache } from 'lru-cache';
import type { WebhookNews } from '../contract/messages';
import { dueAt, isKnown, newChannel, onDue, onNews, onSent, type Channel } from './news';

/** Tells a job's workflow; `gone` when it is not running. @throws whatever says that nobody knows whether it was told */
export type Tell = (workflowId: string, news: WebhookNews) => Promise<'sent' | 'gone'>;

/** What became of news: `waiting` is told later, `repeated` was told before. */
export type Delivery = 'sent' | 'gone' | 'waiting' | 'repeated';

/** Meaning of the fields: see each. */
export interface SignallerOptions {
  tell: Tell;
  /** Called for a failure that no request waits for; it is tried again. */
  onFailure: (workflowId: string, error: unknown) => void;
  /** Called when something that had to wait was told. */
  onLate?: () => void;
  /** Called for news of a forgotten job that could not be told and is tried no more: polling finds the change. */
  onGivenUp?: (workflowId: string, news: WebhookNews) => void;
  /** Jobs remembered. One that is forgotten is told at once, once, what waits; it may be told something twice. Default 10,000. */
  maxJobs?: number;
}

/** One status of one job, with what runs for it. */
interface Line {
  channel: Channel;
  running: Promise<Delivery> | null;
  timer: NodeJS.Timeout | null;
  /** Its job is not remembered any more: nothing may wait here, or an outage would fill the memory. */
  forgotten: boolean;
}
/** By status. */
type Job = Map<string | null, Line>;

/** Statuses remembered for one job; further ones that the documentation does not name are told as "unreadable". */
const maxStatuses = 16;

/** Tells workflows what webhooks said: each status at most once per job and ten seconds, and none less than once. */
export class Signaller {
  readonly #options: SignallerOptions;
  readonly #jobs: LRUCache<string, Job>;
  #draining = false;

  constructor(options: SignallerOptions) {
    this.#options = options;
    this.#jobs = new LRUCache({ max: options.maxJobs ?? 10_000, dispose: (job, workflowId, why) => why === 'evict' && this.#flush(workflowId, job) });
  }

  /** Passes news on, now or when it may. Repeats are harmless. @throws the error of telling: it was not told, though it may be later */
  async deliver(workflowId: string, news: WebhookNews): Promise<Delivery> {
    const job = this.#job(workflowId);
    const status = job.has(news.status) || isKnown(news.status) || job.size < maxStatuses ? news.status : null;
    const line = job.get(status) ?? { channel: newChannel, running: null, timer: null, forgotten: false };
    job.set(status, line);
    const { channel, verdict } = onNews(line.channel, { ...news, status }, performance.now());
    line.channel = channel;
    if (verdict === 'drop') return 'repeated';
    if (verdict === 'join') return (await line.running) === 'gone' ? 'gone' : 'repeated';
    if (verdict === 'send') return this.#send(workflowId, line);
    this.#arm(workflowId, line);
    return 'waiting';
  }

  /** Tells at once whatever waits, however short ago its status was told, and ends when nothing is under way. Nothing may be delivered after it. */
  async drain(): Promise<void> {
    this.#draining = true;
    const lines = [...this.#jobs.entries()].flatMap(([workflowId, job]) => [...job.values()].map((line) => ({ workflowId, line })));
    const ended = async ({ running }: Line): Promise<unknown> => running?.catch(() => undefined);
    await Promise.all(
      lines.map(async ({ workflowId, line }) => {
        await ended(line);
        this.#sendLate(workflowId, line);
        await ended(line);
      }),
    );
  }

  /** The job's lines; it becomes the one that was used last. */
  #job(workflowId: string): Job {
    const known = this.#jobs.get(workflowId);
    if (known) return known;
    const job: Job = new Map();
    this.#jobs.set(workflowId, job);
    return job;
  }

  /** Tells what `sending` holds. */
  #send(workflowId: string, line: Line): Promise<Delivery> {
    const running = this.#told(workflowId, line).finally(() => {
      line.running = null;
      this.#arm(workflowId, line);
    });
    line.running = running;
    return running;
  }

  async #told(workflowId: string, line: Line): Promise<Delivery> {
    let outcome: 'sent' | 'gone' | 'failed' = 'failed';
    try {
      return (outcome = await this.#options.tell(workflowId, line.channel.sending!));
    } finally {
      line.channel = onSent(line.channel, outcome, performance.now());
    }
  }

  /** One timer a line, for what waits in it. */
  #arm(workflowId: string, line: Line): void {
    if (line.timer) clearTimeout(line.timer);
    line.timer = null;
    const due = dueAt(line.channel);
    if (due === null || this.#draining) return;
    if (line.forgotten) return this.#settle(workflowId, line);
    line.timer = setTimeout(() => this.#sendLate(workflowId, line), Math.max(0, due - performance.now()));
    line.timer.unref();
  }

  #sendLate(workflowId: string, line: Line): void {
    if (line.timer) clearTimeout(line.timer);
    line.timer = null;
    if (line.channel.sending || !line.channel.waiting) return;
    line.channel = onDue(line.channel);
    this.#send(workflowId, line).then(
      (delivery) => delivery === 'sent' && this.#options.onLate?.(),
      (error: unknown) => this.#options.onFailure(workflowId, error),
    );
  }

  /** A job that is forgotten is told at once what waits. */
  #flush(workflowId: string, job: Job): void {
    for (const line of job.values()) {
      line.forgotten = true;
      this.#sendLate(workflowId, line);
    }
  }

  /** What waits in a forgotten line is told at once, or given up when telling failed. */
  #settle(workflowId: string, line: Line): void {
    const { failures, waiting } = line.channel;
    if (failures === 0) return this.#sendLate(workflowId, line);
    line.channel = { ...line.channel, waiting: null };
    this.#options.onGivenUp?.(workflowId, waiting!);
  }
}
