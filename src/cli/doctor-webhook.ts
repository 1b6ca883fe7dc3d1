import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import type { Config } from '../config';
import { jobWorkflowId } from '../contract/messages';
import { webhookPath } from '../contract/webhook-path';
import { Seal } from '../store/seal';
import type { Check } from './doctor';

const timeoutMs = 10_000;
const name = 'webhook';

/** Whether webhooks reach a receiver of ours through their public address, by asking it as Plangrep would. */
export async function checkWebhook({ webhook: { url }, secretKey }: Pick<Config, 'webhook' | 'secretKey'>): Promise<Check> {
  if (url === null) return { name, ok: true, message: 'PLANGREP_WEBHOOK_URL is not set: jobs are polled only', fix: null };
  const health = await ask(url, 'GET', '/healthz');
  if (typeof health === 'string') return problem(`${url} does not answer: ${health}`, 'Start plangrep-batch webhook behind this address, or unset PLANGREP_WEBHOOK_URL: without it jobs are polled.');
  if (health !== 200) return problem(`${url}/healthz answers ${health} instead of 200`, 'Let the proxy pass everything below this address on to plangrep-batch webhook.');
  // No such batch can be: the answer alone is wanted.
  const workflowId = jobWorkflowId(`doctor-${randomBytes(8).toString('hex')}`, 1);
  const wrong = await ask(url, 'POST', webhookPath(workflowId, 'wrong'));
  if (wrong !== 404) return problem(`${url} answers ${wrong} to a webhook that is none, instead of 404`, 'Something else answers there: let the proxy pass POST requests on to plangrep-batch webhook, unchanged.');
  if (secretKey === null) return { name, ok: true, message: `${url} answers; without PLANGREP_SECRET_KEY nobody can tell whether it takes webhooks`, fix: null };
  return judge(url, await ask(url, 'POST', webhookPath(workflowId, new Seal(secretKey.reveal()).sign(workflowId))));
}

function judge(url: string, status: number | string): Check {
  if (status === 204) return { name, ok: true, message: `${url} takes webhooks`, fix: null };
  if (status === 404) return problem(`the receiver at ${url} does not know addresses made with this secret key`, 'Give workers and receivers the same PLANGREP_SECRET_KEY, or list this one in PLANGREP_SECRET_KEYS_OLD of the receivers; or it is another program that answers.');
  if (status === 503) return problem(`the receiver at ${url} cannot reach Temporal`, 'Check TEMPORAL_ADDRESS and the credentials that the receiver runs with.');
  return problem(`${url} answers ${status} to a webhook, instead of 204`, 'Let the proxy pass POST requests on to plangrep-batch webhook, unchanged.');
}

const problem = (message: string, fix: string): Check => ({ name, ok: false, message, fix });

/** The status of an answer, or why there is none. */
async function ask(url: string, method: 'GET' | 'POST', path: string): Promise<number | string> {
  try {
    const { statusCode, body } = await request(url + path, { method, signal: AbortSignal.timeout(timeoutMs), ...(method === 'POST' && { body: '{}', headers: { 'content-type': 'application/json' } }) });
    await body.dump();
    return statusCode;
  } catch (error) {
    const { name: kind, code, message } = error as NodeJS.ErrnoException;
    return kind === 'TimeoutError' ? `nothing came within ${timeoutMs / 1000} s` : (code ?? message);
  }
}
