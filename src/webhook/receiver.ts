import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseWebhookPath } from '../contract/webhook-path';
import { verifyWebhook, type SignatureScheme } from '../plangrep/signature';
import { readWebhook } from '../plangrep/webhook';
import type { Seal } from '../store/seal';
import { readBody } from './body';
import type { JobSecrets } from './job-secrets';
import { newsOf } from './news';
import type { Outcome } from './outcomes';
import type { RareLog } from './rare-log';
import type { Signaller } from './signaller';

/** What a receiver works with. */
export interface ReceiverOptions {
  /** Makes and checks the tokens of addresses. */
  seal: Pick<Seal, 'isSigned'>;
  scheme: SignatureScheme;
  secrets: Pick<JobSecrets, 'passes'>;
  signaller: Pick<Signaller, 'deliver'>;
  isReady: () => Promise<boolean>;
  /** Path of the public address, which a proxy may have taken off or left; empty for none. */
  prefix: string;
  log: RareLog;
  count: (outcome: Outcome) => void;
  /** Bounds for slow senders. Defaults below. */
  limits?: Partial<ReceiverLimits>;
}

/** Times in ms. */
export interface ReceiverLimits {
  /** For a request's headers. Default 10,000. */
  headersMs: number;
  /** For a whole request. Default 15,000. */
  requestMs: number;
  /** Connections at a time; more are closed at once. Default 1,000. */
  connections: number;
  /** How often the times are looked at. Default 1,000. */
  checkMs: number;
}

const defaultLimits: ReceiverLimits = { headersMs: 10_000, requestMs: 15_000, connections: 1_000, checkMs: 1_000 };
/** Longer than the minute that proxies keep a connection, so that none is closed under a request. */
const keepAliveMs = 75_000;

const statuses: Record<Outcome, number> = { signalled: 204, waiting: 204, repeated: 204, ignored: 204, gone: 204, unknown_address: 404, bad_signature: 404, too_large: 413, unavailable: 503 };
const texts: Record<number, string> = { 204: '', 404: 'not found\n', 413: 'too large\n', 503: 'try again\n' };
const signalled = { sent: 'signalled', waiting: 'waiting', repeated: 'repeated', gone: 'gone' } as const;

/**
 * The HTTP server that takes webhooks; not listening yet. It holds nothing that must survive: any number may run, and any may die. A
 * webhook only makes a job's workflow read the job from the API.
 */
export function createReceiver(options: ReceiverOptions): Server {
  const { headersMs, requestMs, connections, checkMs } = { ...defaultLimits, ...options.limits };
  const timeouts = { headersTimeout: headersMs, requestTimeout: requestMs, keepAliveTimeout: keepAliveMs, connectionsCheckingInterval: checkMs };
  const server = createServer({ ...timeouts, maxHeaderSize: 16 * 1024 }, (request, response) => void serve(options, request, response));
  server.maxConnections = connections;
  return server;
}

async function serve(options: ReceiverOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request.url ?? '', options.prefix);
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (path === '/healthz') return answer(response, 200, 'ok\n');
    if (path === '/readyz') return (await options.isReady()) ? answer(response, 200, 'ready\n') : answer(response, 503, 'Temporal does not answer\n');
  }
  const outcome = await receive(options, request, path);
  if (outcome === null) return;
  options.count(outcome);
  const status = statuses[outcome];
  answer(response, status, texts[status]!);
}

/** The path below the prefix, without query. */
function pathOf(url: string, prefix: string): string {
  const path = url.split('?', 1)[0]!;
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

function answer(response: ServerResponse, status: number, text: string): void {
  const headers = { 'cache-control': 'no-store', ...(status === 503 && { 'retry-after': '10' }), ...(text && { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }) };
  response.writeHead(status, headers).end(text);
}

/** What becomes of a webhook; null when its sender went away. Nothing of it is read before its address is known to be ours. */
async function receive(options: ReceiverOptions, request: IncomingMessage, path: string): Promise<Outcome | null> {
  const address = request.method === 'POST' ? parseWebhookPath(path) : null;
  if (!address || !options.seal.isSigned(address.workflowId, address.token)) return 'unknown_address';
  const body = await readBody(request).catch(() => undefined);
  if (body === undefined) return null;
  if (body === null) return 'too_large';
  try {
    return await passOn(options, address.workflowId, { headers: request.headers, body });
  } catch (error) {
    options.log.warn('unavailable', { workflowId: address.workflowId, reason: (error as Error).message }, 'A webhook could not be passed on: Temporal does not answer. Its sender may try again; else polling finds the change.');
    return 'unavailable';
  }
}

async function passOn({ secrets, scheme, signaller, log }: ReceiverOptions, workflowId: string, webhook: { headers: IncomingMessage['headers']; body: Buffer }): Promise<Outcome> {
  if (!(await secrets.passes(workflowId, (secret) => verifyWebhook(webhook, secret, Date.now(), scheme)))) {
    log.warn('signature', { workflowId, header: scheme.header }, 'A webhook was refused: its signature does not fit the secret of its job. If all are, check PLANGREP_WEBHOOK_SIGNATURE_*.');
    return 'bad_signature';
  }
  const news = newsOf(readWebhook(webhook.body.toString('utf8')));
  return news === null ? 'ignored' : signalled[await signaller.deliver(workflowId, news)];
}
