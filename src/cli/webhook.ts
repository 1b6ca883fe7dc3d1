import { dataConverterOf } from '../codec/data-converter';
import { environment } from '../config';
import { connectTemporal, readTemporalSettings } from '../temporal-connection';
import { exitCodes } from './exit-codes';
import { explainAddress } from './listening';
import type { Output } from './output';
import { commandConfig } from './session';

/** Flags of `webhook`. */
export interface WebhookFlags {
  host?: string;
  port?: number;
  metricsPort?: number;
}

const defaultPort = 8090;
/** After an outage of Temporal: the library would wait up to two minutes before it looks again. */
const quickReconnect = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 };

/** `webhook`: serves the receiver until SIGINT or SIGTERM. With `--json` its first line of standard output says where. */
export async function webhook({ host, port = defaultPort, metricsPort }: WebhookFlags, output: Output): Promise<number> {
  const config = commandConfig(['secretKey']);
  const settings = readTemporalSettings(environment(), config.webUiUrl);
  const temporal = await connectTemporal(settings, { dataConverter: dataConverterOf(config.payloadKeys), channelArgs: quickReconnect });
  try {
    const { runWebhook } = await import('../webhook.js');
    await runWebhook({ config, temporal: temporal.client, port, metricsPort, ...(host !== undefined && { host }) }, ({ url }) => {
      output.event({ webhook: url, public: config.webhook.url });
      output.note(`Webhook receiver ready: ${url}, public address ${config.webhook.url ?? 'unknown'}, signals to ${settings.address}.`);
      if (config.webhook.url === null) output.note('PLANGREP_WEBHOOK_URL is not set: workers that do not have it either give Plangrep no address, and only poll.');
    }).catch(explainAddress(host));
  } finally {
    await temporal.close();
  }
  return exitCodes.ok;
}
