import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { ConfigWith } from './config';
import { createLogger } from './log';
import { Seal } from './store/seal';
import { JobSecrets } from './webhook/job-secrets';
import { Counters } from './webhook/outcomes';
import { RareLog } from './webhook/rare-log';
import { createReceiver, listen, type ReceiverLimits } from './webhook/receiver';
import { Signaller } from './webhook/signaller';
import { createReadiness, readSealedSecret, tellWorkflow } from './webhook/temporal';

/** Meaning of the fields: see each. */
export interface WebhookOptions {
  config: Pick<ConfigWith<'secretKey'>, 'secretKey' | 'oldSecretKeys' | 'webhook'>;
  temporal: Client;
  /** Default 127.0.0.1. */
  host?: string;
  /** 0 for any. */
  port: number;
  /** Prometheus counters on 127.0.0.1 at this port. Default: none. */
  metricsPort?: number | undefined;
  /** Default: standard error. */
  log?: Pick<Logger, 'warn'>;
  limits?: Partial<ReceiverLimits>;
}

/** A receiver that serves. */
export interface Webhook {
  /** Base address on this machine, without a slash at the end. */
  url: string;
  server: Server;
  counters: Counters;
  /** Takes no more requests, answers those that run, tells workflows what waits, then ends. */
  close(): Promise<void>;
}

/** How long running requests may take when the receiver closes, in ms. */
const graceMs = 10_000;

/** Starts a receiver. @throws the error of a port that is taken, SealError */
export async function startWebhook({ config, temporal, host = '127.0.0.1', port, metricsPort, log: logger = createLogger(), limits = {} }: WebhookOptions): Promise<Webhook> {
  const { secretKey, oldSecretKeys, webhook } = config;
  const [log, counters] = [new RareLog(logger), new Counters()];
  const seal = new Seal(secretKey.reveal(), oldSecretKeys.map((key) => key.reveal()));
  const signaller = new Signaller({
    tell: (workflowId, news) => tellWorkflow(temporal, workflowId, news),
    onLate: () => (counters.lateSignals += 1),
    onGivenUp: () => (counters.givenUp += 1),
    onFailure: (workflowId, error) => log.warn('late', { workflowId, reason: (error as Error).message }, 'A job could not be told that it changed: Temporal does not answer. It is tried again.'),
  });
  const secrets = new JobSecrets((workflowId) => openSecret(workflowId, { seal, temporal, log }));
  const prefix = webhook.url === null ? '' : new URL(webhook.url).pathname.replace(/\/$/, '');
  const count = (outcome: keyof Counters['requests']): void => void (counters.requests[outcome] += 1);
  const onDropped = (): void => {
    counters.droppedConnections += 1;
    log.warn('connections', {}, 'More connections than allowed: those that said nothing of use for longest are closed. A proxy in front of the receiver keeps slow senders away.');
  };
  const server = createReceiver({ seal, scheme: webhook.scheme, secrets, signaller, isReady: createReadiness(temporal), prefix, log, count, onDropped, limits });
  await serveOn(server, { host, port, log });
  const metrics = metricsPort === undefined ? null : await serveMetrics({ counters, port: metricsPort, log }).catch((error: unknown) => closeServer(server).then(() => Promise.reject(error as Error)));
  const close = async (): Promise<void> => {
    await Promise.all([closeServer(server), metrics && closeServer(metrics)]);
    await signaller.drain();
  };
  return { url: urlOf(server), server, counters, close };
}

/** The job's secret. One that this process has no key for is as good as none: the address is proof enough, and the state is read from the API. */
async function openSecret(workflowId: string, { seal, temporal, log }: { seal: Seal; temporal: Client; log: RareLog }): Promise<string | null> {
  const sealed = await readSealedSecret(temporal, workflowId);
  try {
    return sealed === null ? null : seal.open(sealed, workflowId);
  } catch (error) {
    log.warn('secret', { workflowId, reason: (error as Error).message }, "A job's signing secret cannot be opened: its webhooks are taken by their address alone.");
    return null;
  }
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function serveMetrics({ counters, port, log }: { counters: Counters; port: number; log: RareLog }): Promise<Server> {
  const server = createServer((_request, response) => void response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(counters.page()));
  await serveOn(server, { host: '127.0.0.1', port, log });
  return server;
}

/** @throws the error of a port that is taken. Later ones, such as of a connection that could not be accepted, are told and end nothing. */
async function serveOn(server: Server, { host, port, log }: { host: string; port: number; log: RareLog }): Promise<void> {
  await listen(server, host, port);
  server.on('error', (error) => log.warn('server', { reason: error.message }, 'A connection could not be taken.'));
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((done) => server.close(done));
  // Requests under way are answered; then their connections, which a proxy would keep, have no use any more.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const limit = new AbortController();
  await Promise.race([closed, pause(graceMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  limit.abort();
  clearInterval(idle);
  server.closeAllConnections();
}

/** Serves until SIGINT or SIGTERM, then drains. `onReady` gets the receiver once it serves. @throws as {@link startWebhook} */
export async function runWebhook(options: WebhookOptions, onReady: (webhook: Webhook) => void): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const webhook = await startWebhook(options);
  onReady(webhook);
  await asked;
  await webhook.close();
}
