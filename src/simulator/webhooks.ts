import { Agent, request } from 'undici';
import { defaultScheme, signWebhook } from '../plangrep/signature';
import type { SimJob } from './job';
import type { SimulatorState } from './state';
import { jobView } from './views';

// The documentation names no timeout.
const timeoutMs = 10_000;

/** Sends a signed POST on every status change of a job with a `webhookUrl`, once, in order for each job. */
export class WebhookSender {
  readonly #state: SimulatorState;
  readonly #agent = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connect: { timeout: timeoutMs } });
  /** What is under way, by job: the next one waits for it. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(state: SimulatorState) {
    this.#state = state;
  }

  /** Sends the job as it is now. */
  statusChanged(job: SimJob): void {
    const { webhookUrl, webhookSecret } = job;
    if (!this.#state.settings.webhooks || webhookUrl === null || webhookSecret === null) return;
    const body = JSON.stringify({ event: 'job.status_changed', job: jobView(this.#state, job) });
    const sent = (this.#queues.get(job.id) ?? Promise.resolve()).then(() => this.#send(webhookUrl, webhookSecret, body));
    this.#queues.set(job.id, sent);
    void sent.then(() => {
      if (this.#queues.get(job.id) === sent) this.#queues.delete(job.id);
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all(this.#queues.values());
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(url: string, secret: string, body: string): Promise<void> {
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
