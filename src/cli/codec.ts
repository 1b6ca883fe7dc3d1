import { isIP } from 'node:net';
import { EncryptionCodec } from '../codec/payload-codec';
import { serveCodec } from '../codec/serve';
import { ConfigError, environment, isLoopback, type Config } from '../config';
import { readTemporalSettings } from '../temporal-connection';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import { explainAddress } from './listening';
import type { Output } from './output';
import { commandConfig } from './session';

/** Flags of `codec`. */
export interface CodecFlags {
  host?: string;
  port?: number;
  origin?: string[];
}

const [defaultHost, defaultPort] = ['127.0.0.1', 8091];

/** `codec`: decrypts for Temporal's web UI and command line until SIGINT or SIGTERM. With `--json` its first line of standard output says where. */
export async function codec({ host = defaultHost, port = defaultPort, origin }: CodecFlags, output: Output): Promise<number> {
  const config = commandConfig([]);
  const { payloadKeys, codecToken } = config;
  if (!payloadKeys.current && payloadKeys.old.length === 0) throw new ConfigError([{ variable: 'PLANGREP_PAYLOAD_KEY', message: 'is not set (nor is PLANGREP_PAYLOAD_KEYS_OLD): without a key there is nothing to decrypt' }]);
  refuseOpen(host, codecToken !== null);
  const origins = origin?.map(originOf) ?? webUiOrigins(config);
  const token = codecToken?.reveal() ?? null;
  const keys = [...(payloadKeys.current ? [payloadKeys.current] : []), ...payloadKeys.old].map(({ id }) => id);
  await serveCodec({ codec: new EncryptionCodec(payloadKeys), origins, token, host, port }, (url) => {
    output.event({ codec: url, keys, origins, token: token !== null });
    output.note(`Codec endpoint ready: ${url}, decrypts with ${keys.join(', ')}, for pages of ${origins.join(', ') || 'nowhere'}${token === null ? '' : ', with the token'}.`);
    if (origins.length === 0) output.note('The address of the web UI is not known: name it with --origin, or set PLANGREP_WEB_UI_URL. Programs without a browser may call.');
  }).catch(explainAddress(host));
  return exitCodes.ok;
}

/** Whoever reaches the endpoint reads every batch: beyond this machine only with proof of who asks. */
function refuseOpen(host: string, hasToken: boolean): void {
  const local = isLoopback(isIP(host) === 6 ? `[${host}]` : host);
  if (local || hasToken) return;
  throw new CliError({
    code: 'token_missing',
    message: `On ${host} others could reach the codec endpoint and decrypt what Temporal stores.`,
    fix: 'Set PLANGREP_CODEC_TOKEN or PLANGREP_CODEC_TOKEN_FILE (made with: openssl rand -base64 32), which callers then send as "Authorization: Bearer ..."; or leave --host out, and let each operator run it on the own machine.',
  });
}

function originOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url && /^https?:$/.test(url.protocol)) return url.origin;
  throw new CliError({ code: 'invalid_input', message: `--origin must be an address such as https://temporal.example.com` });
}

/** Where the web UI is, as far as it is known; the development server's answers to both names of this machine. */
function webUiOrigins({ webUiUrl }: Config): string[] {
  const known = readTemporalSettings(environment(), webUiUrl).webUiUrl;
  if (known === null) return [];
  const { protocol, hostname, port, origin } = new URL(known);
  const suffix = port === '' ? '' : `:${port}`;
  return isLoopback(hostname) ? [...new Set([origin, `${protocol}//127.0.0.1${suffix}`, `${protocol}//localhost${suffix}`])] : [origin];
}
