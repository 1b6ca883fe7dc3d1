import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { searchAttributes } from '../src/contract/messages';
import type { Processes } from './processes';
import { startService, type Service } from './service';

const root = resolve(__dirname, '..');
/** The command line of the product, as built. */
export const cli = join(root, 'lib/cli.js');

/** Where {@link startStack} works. */
export interface StackOptions {
  processes: Processes;
  /** The Temporal CLI. */
  temporal: string;
  /** For the database, logs and keys; made when absent. */
  folder: string;
  /** The secret key's file; made with mode 0600 when absent, so that a later run opens what an earlier one sealed. */
  secretKeyFile: string;
  archive: string;
  print: (line: string) => void;
}

/** Temporal, the simulator and a worker, all on 127.0.0.1. */
export interface Stack {
  /** For further commands of ours; holds every variable they read. */
  env: NodeJS.ProcessEnv;
  temporalAddress: string;
  webUi: string;
  /** The simulator's addresses. */
  api: string;
  control: string;
  /** Rejects when one of them ends; never resolves. */
  failure: Promise<never>;
}

/** Starts Temporal, the simulator and a worker. Nothing of the caller's own configuration reaches them. @throws Error with the end of the log of what did not start */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { processes, folder, print, archive } = options;
  await mkdir(folder, { recursive: true });
  const emptyConfig = join(folder, 'temporal-config.toml');
  await writeFile(emptyConfig, '');
  const bare = { ...withoutOurs(process.env), TEMPORAL_CONFIG_FILE: emptyConfig };
  const [temporal, simulator] = await Promise.all([startTemporal(options, bare), startSimulator(options, bare)]);
  print(`Temporal    ${temporal.address}, web UI ${temporal.webUi}`);
  print(`Simulator   ${simulator.api} in place of Plangrep: nothing leaves this machine, nothing is charged`);
  const env = {
    ...bare,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    PLANGREP_BASE_URL: simulator.api,
    PLANGREP_API_KEY: simulator.apiKey,
    PLANGREP_PROJECT: 'Quickstart',
    PLANGREP_ARCHIVE: archive,
    PLANGREP_SECRET_KEY_FILE: await ensureSecretKey(options.secretKeyFile),
    PLANGREP_REQUESTS_PER_SECOND: '200',
    PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '200',
    PLANGREP_MIN_POLL_SECONDS: '1',
    PLANGREP_WEB_UI_URL: temporal.webUi,
  };
  const worker = await startService(processes, { name: 'Worker', command: process.execPath, args: [cli, 'worker'], env, log: join(folder, 'worker.log'), ready: /^Worker ready/ });
  print('Worker      ready');
  const failure = Promise.race([temporal.service, simulator.service, worker].map((service) => service.failure));
  failure.catch(() => undefined);
  return { env, temporalAddress: temporal.address, webUi: temporal.webUi, api: simulator.api, control: simulator.control, failure };
}

/** The environment without our variables and Temporal's, and without proxies, which have no business between programs of one machine. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^(PLANGREP|TEMPORAL)_/.test(name) && !/^(grpc|https?|all)_proxy$/i.test(name));
  return Object.fromEntries(kept);
}

async function startTemporal({ processes, temporal, folder }: StackOptions, env: NodeJS.ProcessEnv): Promise<{ service: Service; address: string; webUi: string }> {
  const log = join(folder, 'temporal.log');
  for (let attempt = 1; ; attempt++) {
    const [port, uiPort] = await freePorts(2);
    const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort), '--log-level', 'warn'];
    args.push('--db-filename', join(folder, 'temporal.db'), '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL');
    args.push('--dynamic-config-value', 'matching.enableFairness=true');
    for (const [name, type] of Object.entries(searchAttributes)) args.push('--search-attribute', `${name}=${attributeTypes[type]}`);
    const address = `127.0.0.1:${port}`;
    try {
      const service = await startService(processes, { name: 'Temporal', command: temporal, args, env, log });
      await Promise.race([service.failure, healthy(processes, temporal, address, env)]);
      return { service, address, webUi: `http://127.0.0.1:${uiPort}` };
    } catch (error) {
      // Somebody else may have taken a port in the moment between.
      if (attempt === 3 || !/address already in use|can't set up/i.test((error as Error).message)) throw error;
    }
  }
}

const attributeTypes = { KEYWORD: 'Keyword', INT: 'Int', DATETIME: 'Datetime' } as const;

async function healthy(processes: Processes, temporal: string, address: string, env: NodeJS.ProcessEnv): Promise<void> {
  const limit = AbortSignal.timeout(60_000);
  for (;;) {
    const { code } = await processes.capture(temporal, ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address], { env, timeoutMs: 10_000 });
    if (code === 0) return;
    if (limit.aborted) throw new Error(`Temporal at ${address} did not answer within 60 s`);
    await pause(200);
  }
}

async function startSimulator({ processes, folder }: StackOptions, env: NodeJS.ProcessEnv): Promise<{ service: Service; api: string; control: string; apiKey: string }> {
  const args = [cli, 'simulator', '--port', '0', '--storage-port', '0'];
  const service = await startService(processes, { name: 'Simulator', command: process.execPath, args, env, log: join(folder, 'simulator.log'), ready: /^\{"api"/ });
  return { service, ...(JSON.parse(service.line) as { api: string; control: string; apiKey: string }) };
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((listening) => server.once('listening', listening))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

async function ensureSecretKey(file: string): Promise<string> {
  try {
    await writeFile(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return file;
}
