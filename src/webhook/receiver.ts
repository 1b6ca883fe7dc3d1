import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseWebhookPath } from '../contract/webhook-path';
import { verifyWebhook, type SignatureScheme } from '../plangrep/signature';
import { readWebhook } from '../plangrep/webhook';
import type { Seal } from '../store/seal';
import { hasMuchLeft, maxBodyBytes, passOver, readBody } from './body';
import { affordable, Connections } from './connections';
import type { JobSecrets } from './job-secrets';
import { newsOf } from './news';
import type { Outcome } from './outcomes';
import type { RareLog } from './rare-log';
import { Shares } from './shares';
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
  /** Called for each connection that had to make room for another. */
  onDropped: () => void;
  /** Bounds for slow senders. Defaults below. */
  limits?: Partial<ReceiverLimits>;
}

/** Times in ms. */
export interface ReceiverLimits {
  /** For a request's headers. Default 10,000. */
  headersMs: number;
  /** For a whole request. Default 15,000. */
  requestMs: number;
  /** For a connection on which nothing moves, such as one whose other side does not read the answer. Default 30,000. */
  silentMs: number;
  /** For a sender who goes on sending after the answer. Default 1,000. */
  lingerMs: number;
  /** Connections at a time: the one of no use for longest makes room for one more. Default 1,000, or what the limit of open files allows. */
  connections: number;
  /** How often the times are looked at. Default 1,000. */
  checkMs: number;
}

const defaultLimits: ReceiverLimits = { headersMs: 10_000, requestMs: 15_000, silentMs: 30_000, lingerMs: 1_000, connections: 1_000, checkMs: 1_000 };
/** Connections that the kernel holds until they are accepted; it may hold fewer. */
const backlog = 4_096;

const statuses: Record<Outcome, number> = { signalled: 204, waiting: 204, repeated: 204, ignored: 204, gone: 204, unknown_address: 404, bad_signature: 404, too_large: 413, overloaded: 503, unavailable: 503 };
const texts: Record<number, string> = { 204: '', 404: 'not found\n', 413: 'too large\n', 503: 'try again\n' };
const signalled = { sent: 'signalled', waiting: 'waiting', repeated: 'repeated', gone: 'gone' } as const;

/** What one receiver keeps of its requests. */
interface Receiver extends ReceiverOptions {
  shares: Shares;
  connections: Connections;
  lingerMs: number;
}

/** A request, and what answers it. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** Its sender waits until he is told to send the body. */
  isExpectant: boolean;
}

/**
 * The HTTP server that takes webhooks; not listening yet. It holds nothing that must survive: any number may run, and any may die. A
 * webhook only makes a job's workflow read the job from the API.
 */
export function createReceiver(options: ReceiverOptions): Server {
  const { headersMs, requestMs, silentMs, lingerMs, connections: most, checkMs } = { ...defaultLimits, ...options.limits };
  const timeouts = { headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: checkMs };
  const server = createServer({ ...timeouts, maxHeaderSize: 16 * 1024 });
  server.timeout = silentMs;
  // Node accepts one connection a turn of its loop, and first serves all it has: requests one after another on a few connections would keep everybody else waiting.
  server.maxRequestsPerSocket = 1;
  const receiver: Receiver = { ...options, shares: new Shares(), connections: new Connections(server, affordable(most), options.onDropped), lingerMs };
  server.on('request', (request, response) => void serve(receiver, { request, response, isExpectant: false }));
  // Nobody is asked to send a body before his address proves to be ours.
  server.on('checkContinue', (request, response) => void serve(receiver, { request, response, isExpectant: true }));
  server.on('checkExpectation', (request, response) => void serve(receiver, { request, response, isExpectant: false }));
  return server;
}

/** Starts it. @throws the error of a port that is taken */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen({ port, host, backlog });
  await once(server, 'listening');
}

async function serve(receiver: Receiver, exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const path = pathOf(request.url ?? '', receiver.prefix);
  const reply = (status: number, text: string): void => answer(exchange, { status, text, lingerMs: receiver.lingerMs });
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (path === '/healthz') return reply(200, 'ok\n');
    if (path === '/readyz') return (await receiver.isReady()) ? reply(200, 'ready\n') : reply(503, 'Temporal does not answer\n');
  }
  const outcome = await receive(receiver, exchange, path);
  if (outcome === null) return;
  receiver.count(outcome);
  const status = statuses[outcome];
  reply(status, texts[status]!);
}

/** The path below the prefix, without query. */
function pathOf(url: string, prefix: string): string {
  const path = url.split('?', 1)[0]!;
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

function answer({ request, response, isExpectant }: Exchange, { status, text, lingerMs }: { status: number; text: string; lingerMs: number }): void {
  const isOpen = hasMuchLeft(request) || (isExpectant && !request.complete);
  const headers = { Connection: 'close', 'cache-control': 'no-store', ...(status === 503 && { 'retry-after': '10' }), ...(text && { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }) };
  response.writeHead(status, headers);
  if (!isOpen) return void response.end(text);
  response.write(text);
  void passOver(request, lingerMs).then(() => response.end());
}

/** What becomes of a webhook; null when its sender went away. Nothing of it is read before its address is known to be ours. */
async function receive(receiver: Receiver, { request, response, isExpectant }: Exchange, path: string): Promise<Outcome | null> {
  const address = request.method === 'POST' ? parseWebhookPath(path) : null;
  if (!address || !receiver.seal.isSigned(address.workflowId, address.token)) return 'unknown_address';
  const share = receiver.shares.take(address.workflowId);
  if (share === null) return 'overloaded';
  try {
    if (isExpectant && Number(request.headers['content-length'] ?? 0) <= maxBodyBytes) response.writeContinue();
    const body = await readBody(request, share.reserve).catch(() => undefined);
    if (body === undefined) return null;
    if (!Buffer.isBuffer(body)) return body === 'too_large' ? 'too_large' : 'overloaded';
    const release = receiver.connections.hold(request.socket);
    return await passOn(receiver, address.workflowId, { headers: request.headers, body }).finally(release);
  } catch (error) {
    receiver.log.warn('unavailable', { workflowId: address.workflowId, reason: (error as Error).message }, 'A webhook could not be passed on: Temporal does not answer. Its sender may try again; else polling finds the change.');
    return 'unavailable';
  } finally {
    share.release();
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
