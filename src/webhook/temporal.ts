import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { jobStatusChangedSignal, webhookSecretMemo, type WebhookNews } from '../contract/messages';

/** How long one call may take, in ms: a sender does not wait for ever. */
const callMs = 3_000;
const readyMs = 1_000;

const inTime = <T>({ connection }: Client, ms: number, call: () => Promise<T>): Promise<T> => connection.withDeadline(Date.now() + ms, call);

/** The sealed signing secret in the memo of a job's workflow; null when there is none, or no such workflow. @throws when Temporal does not answer */
export async function readSealedSecret(client: Client, workflowId: string): Promise<string | null> {
  try {
    const { memo } = await inTime(client, callMs, () => client.workflow.getHandle(workflowId).describe());
    const sealed: unknown = memo?.[webhookSecretMemo];
    return typeof sealed === 'string' ? sealed : null;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Signals a job's workflow; `gone` when it is closed, or was never there. @throws when Temporal does not answer */
export async function tellWorkflow(client: Client, workflowId: string, news: WebhookNews): Promise<'sent' | 'gone'> {
  try {
    await inTime(client, callMs, () => client.workflow.getHandle(workflowId).signal(jobStatusChangedSignal, news));
    return 'sent';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}

/** Whether Temporal answers; asked at most once a second, by one caller at a time. */
export function createReadiness(client: Client): () => Promise<boolean> {
  let last = { at: -Infinity, ready: Promise.resolve(false) };
  return () => {
    if (performance.now() - last.at > readyMs) {
      const ready = inTime(client, readyMs, () => client.workflowService.getSystemInfo({})).then(() => true, () => false);
      last = { at: performance.now(), ready };
    }
    return last.ready;
  };
}
