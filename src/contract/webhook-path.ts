import { parseJobWorkflowId } from './messages';

/**
 * Path, below the public webhook address, that Plangrep posts a job's changes to. `token` proves that we made the address: nobody else
 * can, so it is a secret.
 */
export const webhookPath = (workflowId: string, token: string): string => `/jobs/${Buffer.from(workflowId).toString('base64url')}/${token}`;
/** Workflow id and token in such a path (without query), or null when it is none. */
export function parseWebhookPath(path: string): { workflowId: string; token: string } | null {
  const match = /^\/jobs\/([A-Za-z0-9_-]{1,400})\/([A-Za-z0-9_-]{1,100})$/.exec(path);
  const workflowId = match && Buffer.from(match[1]!, 'base64url').toString();
  return workflowId && parseJobWorkflowId(workflowId) ? { workflowId, token: match[2]! } : null;
}
