import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection, isGrpcServiceError, type ConnectionOptions } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection } from '@temporalio/worker';
import { isLoopback } from './config';

/** How long Temporal may take to answer before it counts as not reachable. */
export const temporalTimeoutMs = 15_000;

/** Where Temporal is and how it is spoken to, as `TEMPORAL_*` variables and the TOML profiles say. */
export interface TemporalSettings {
  /** Host and port. */
  address: string;
  namespace: string;
  /** Base address of the web UI, or null when it is not known. */
  webUiUrl: string | null;
  /** For the connection; holds the API key and certificates, so printing or copying the settings leaves it out. */
  readonly connectionOptions: ConnectionOptions;
}

/** A client and the connection below it, which the caller closes. */
export interface TemporalConnection {
  client: Client;
  settings: TemporalSettings;
  close(): Promise<void>;
}

/** Temporal's own settings cannot be read: a profile that does not exist, a broken TOML file. */
export class TemporalSettingsError extends Error {
  override readonly name = 'TemporalSettingsError';
}

/** Temporal did not answer in time. */
export class TemporalUnreachableError extends Error {
  override readonly name = 'TemporalUnreachableError';
  constructor(readonly address: string, options?: { cause?: unknown }) {
    super(`Temporal at ${address} is not reachable`, options);
  }
}

/** Temporal answered, but knows no such namespace or does not let us in. */
export class TemporalRefusedError extends Error {
  override readonly name = 'TemporalRefusedError';
  /** Without the connection's options, which hold the credentials: an error is logged with all its fields. */
  readonly settings: Pick<TemporalSettings, 'address' | 'namespace'>;
  constructor({ address, namespace }: Pick<TemporalSettings, 'address' | 'namespace'>, reason: string) {
    super(`Temporal at ${address} refuses namespace ${namespace}: ${reason}`);
    this.settings = { address, namespace };
  }
}

/** The development server's web UI stands 1,000 ports above its gRPC port; elsewhere nobody can know. */
function defaultWebUiUrl(address: string): string | null {
  const [, host = '', port] = /^(.*?):(\d+)$/.exec(address) ?? [];
  return isLoopback(host) && port === '7233' ? 'http://127.0.0.1:8233' : null;
}

/** A TOML file without any profile, an empty one included, is as good as none; the library reads a property of undefined there. */
function loadConnectConfig(env: Record<string, string>): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig({ overrideEnvVars: env });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const profile = env['TEMPORAL_PROFILE'];
    if (profile) throw new TemporalSettingsError(`the TOML file has no profile "${profile}"`, { cause: error });
    return loadClientConnectConfig({ overrideEnvVars: env, disableFile: true });
  }
}

/**
 * Reads where Temporal is; contacts nobody.
 * @param webUiUrl overrides what the address suggests
 * @throws TemporalSettingsError
 */
export function readTemporalSettings(env: NodeJS.ProcessEnv, webUiUrl: string | null = null): TemporalSettings {
  try {
    const set = Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const { connectionOptions, namespace } = loadConnectConfig(set);
    const address = connectionOptions.address ?? '127.0.0.1:7233';
    const settings = { address, namespace: namespace ?? 'default', webUiUrl: webUiUrl ?? defaultWebUiUrl(address) };
    return Object.defineProperty(settings, 'connectionOptions', { value: { ...connectionOptions, address }, enumerable: false }) as TemporalSettings;
  } catch (error) {
    // A TOML error quotes the line it stumbled over, which may hold a key: its first line says enough, and it is no cause to pass on.
    throw new TemporalSettingsError(`Temporal's settings cannot be read: ${(error as Error).message.split('\n')[0]}`);
  }
}

const grpcNotFound = 5;
const grpcRefusals: number[] = [grpcNotFound, 7 /* permission denied */, 16 /* unauthenticated */];

/** Meaning of the fields: see {@link connectTemporal}. */
export interface ConnectOptions {
  /** How payloads are read and written, see {@link dataConverterOf}. Default: the SDK's own, which encrypts nothing. */
  dataConverter?: DataConverter;
  /** Default {@link temporalTimeoutMs}. */
  timeoutMs?: number;
  /** Of gRPC's channel. */
  channelArgs?: ConnectionOptions['channelArgs'];
}

/**
 * Connects a client and makes sure that the namespace is there.
 * @throws TemporalUnreachableError after `timeoutMs`, TemporalRefusedError
 */
export async function connectTemporal(settings: TemporalSettings, { dataConverter, timeoutMs = temporalTimeoutMs, channelArgs }: ConnectOptions = {}): Promise<TemporalConnection> {
  const connection = Connection.lazy({ ...settings.connectionOptions, connectTimeout: timeoutMs, ...(channelArgs && { channelArgs }) });
  try {
    const deadline = Date.now() + timeoutMs;
    await connection.ensureConnected();
    await connection.withDeadline(deadline, () => connection.workflowService.describeNamespace({ namespace: settings.namespace }));
  } catch (error) {
    await connection.close();
    throw refusal(settings, error) ?? new TemporalUnreachableError(settings.address, { cause: error });
  }
  const client = new Client({ connection, namespace: settings.namespace, ...(dataConverter && { dataConverter }) });
  return { client, settings, close: () => connection.close() };
}

function refusal(settings: TemporalSettings, error: unknown): TemporalRefusedError | null {
  const cause = error instanceof Error && error.cause ? error.cause : error;
  if (!isGrpcServiceError(cause) || !grpcRefusals.includes(cause.code)) return null;
  return new TemporalRefusedError(settings, cause.code === grpcNotFound ? 'it does not exist' : cause.details);
}

/** Between two tries of a worker to connect, in ms. */
const connectAgainMs = 500;

/**
 * Connects a worker, and waits for a server that is just being restarted, as commands do: the native library gives up at the first refusal.
 * It is loaded here, so that commands without a worker start fast.
 * @throws TemporalUnreachableError after `timeoutMs`
 */
export async function connectWorker(settings: TemporalSettings, timeoutMs = temporalTimeoutMs): Promise<NativeConnection> {
  const { NativeConnection } = await import('@temporalio/worker');
  const { apiKey, tls, metadata, address } = settings.connectionOptions;
  const options = { address, apiKey, tls, metadata } as Parameters<typeof NativeConnection.connect>[0];
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await NativeConnection.connect(options);
    } catch (error) {
      if (performance.now() + connectAgainMs > deadline) throw new TemporalUnreachableError(settings.address, { cause: error });
      await pause(connectAgainMs);
    }
  }
}
