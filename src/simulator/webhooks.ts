import { Agent, request } from 'undici';
import { defaultScheme, signWebhook } from '../plangrep/signature';
import type { WebhookFault } from './faults';
import { isTerminal, type SimJob } from './job';
import type { SimulatorState } from './state';
import { jobView } from './views';

// The documentation names no timeout.
const timeoutMs = 10_000;

interface Message {
  jobId: string;
  url: string;
  secret: string;
  body: string;
}

/** Sends a signed POST on every status change of a job with a `webhookUrl`: once and in order for each job, unless faults say otherwise. */
export class WebhookSender {
  readonly #state: SimulatorState;
  readonly #agent = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connect: { timeout: timeoutMs } });
  /** What is under way, by job: the next one waits for it. */
  readonly #queues = new Map<string, Promise<void>>();
  /** What waits for the job's next one, to come after it. */
  readonly #overtaken = new Map<string, Message[]>();

  constructor(state: SimulatorState) {
    this.#state = state;
  }

  /** Sends the job as it is now. */
  statusChanged(job: SimJob): void {
    const { webhookUrl, webhookSecret } = job;
    if (!this.#state.settings.webhooks || webhookUrl === null || webhookSecret === null) return;
    const body = JSON.stringify({ event: 'job.status_changed', job: jobView(this.#state, job) });
    for (const message of this.#onItsWay(job, { jobId: job.id, url: webhookUrl, secret: webhookSecret, body })) this.#enqueue(message);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all(this.#queues.values());
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** What is to be sent now: of this message, and of those that waited for it. */
  #onItsWay(job: SimJob, message: Message): Message[] {
    const fault = this.#state.faults.forWebhook(job.externalId, job.status);
    const overtaken = this.#overtaken.get(job.id) ?? [];
    const waits = fault?.delivery === 'reordered' && !isTerminal(job.status);
    if (waits) this.#overtaken.set(job.id, [message, ...overtaken]);
    else this.#overtaken.delete(job.id);
    return waits ? [] : [...this.#copies(message, fault), ...overtaken];
  }

  #copies(message: Message, fault: WebhookFault | undefined): Message[] {
    switch (fault?.delivery) {
      case undefined:
      case 'reordered':
        return [message];
      case 'dropped':
        this.#state.counters.webhooks.dropped += 1;
        return [];
      case 'duplicated':
        return Array.from({ length: fault.copies }, () => message);
      case 'delayed':
        this.#state.clock.after(fault.delayMs, () => this.#enqueue(message));
        return [];
      case 'forged':
        return [{ ...message, secret: 'wss_of_somebody_else' }];
    }
  }

  #enqueue(message: Message): void {
    const sent = (this.#queues.get(message.jobId) ?? Promise.resolve()).then(() => this.#send(message));
    this.#queues.set(message.jobId, sent);
    void sent.then(() => {
      if (this.#queues.get(message.jobId) === sent) this.#queues.delete(message.jobId);
    });
  }

  async #send({ url, secret, body }: Message): Promise<void> {
    const { webhooks } = this.#state.counters;
    try {
      const headers = { 'content-type': 'application/json', [defaultScheme.header]: signWebhook(secret, body) };
      const response = await request(url, { method: 'POST', headers, body, dispatcher: this.#agent });
      await response.body.dump();
      if (response.statusCode >= 200 && response.statusCode < 300) webhooks.delivered += 1;
      else webhooks.failed += 1;
    } catch {
      webhooks.failed += 1;
    }
  }
}
