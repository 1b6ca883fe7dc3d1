import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { webhookSecretMemo, type WebhookNews } from '../../src/contract/messages';

/** A Temporal whose answers a test decides: for faults that a real server has too rarely. */
export class ScriptedTemporal {
  /** Sealed secrets by workflow id. */
  readonly memos = new Map<string, unknown>();
  /** Workflows that are over. */
  readonly closed = new Set<string>();
  readonly signals: ({ workflowId: string } & WebhookNews)[] = [];
  describes = 0;
  up = true;
  /** Set: workflows can be looked at, but not told. */
  deaf = false;
  /** Set: signals wait for it. */
  held: Promise<void> | null = null;
  /** Signals that have come, whatever became of them. */
  attempts = 0;

  get client(): Client {
    return {
      connection: { withDeadline: <T>(_deadline: number, call: () => Promise<T>) => call() },
      workflowService: { getSystemInfo: () => this.#answer({}) },
      workflow: { getHandle: (workflowId: string) => ({ describe: () => this.#describe(workflowId), signal: (_definition: unknown, news: WebhookNews) => this.#signal(workflowId, news) }) },
    } as unknown as Client;
  }

  async #answer<T>(value: T): Promise<T> {
    if (!this.up) throw new Error('14 UNAVAILABLE');
    return value;
  }

  #describe(workflowId: string): Promise<{ memo: Record<string, unknown> }> {
    this.describes += 1;
    return this.#answer({ memo: { [webhookSecretMemo]: this.memos.get(workflowId) } });
  }

  async #signal(workflowId: string, news: WebhookNews): Promise<void> {
    this.attempts += 1;
    await this.held;
    await this.#answer(null);
    if (this.deaf) throw new Error('8 RESOURCE_EXHAUSTED\n\u001b[31mnamespace rate limit');
    if (this.closed.has(workflowId)) throw new WorkflowNotFoundError('workflow execution already completed', workflowId, undefined);
    this.signals.push({ workflowId, ...news });
  }
}
