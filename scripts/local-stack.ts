import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Processes } from './processes';
import { startService, type Service } from './service';
import { startTemporalServer } from './temporal-server';

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
  /** Variables beside ours, and over them. */
  settings?: NodeJS.ProcessEnv;
  /** Further arguments of the simulator. */
  simulatorArgs?: string[];
  /** The worker processes. Default: one that serves everything. */
  workers?: WorkerProcess[];
}

/** How one worker process is run. */
export interface WorkerProcess {
  /** Arguments of `worker`. */
  args?: string[];
  /** Arguments of Node itself. */
  nodeArgs?: string[];
  /** Variables of this process alone. */
  settings?: NodeJS.ProcessEnv;
}

/** Temporal, the simulator, a webhook receiver and a worker, all on 127.0.0.1. */
export interface Stack {
  /** For further commands of ours; holds every variable they read. */
  env: NodeJS.ProcessEnv;
  temporalAddress: string;
  webUi: string;
  /** The simulator's addresses. */
  api: string;
  control: string;
  /** The webhook receiver's address. */
  webhook: string;
  /** The processes behind them. */
  services: { temporal: Service; simulator: Service; webhook: Service; workers: Service[] };
  /** Rejects when one of them ends; never resolves. */
  failure: Promise<never>;
}

/** Starts Temporal, the simulator, a webhook receiver and a worker. Nothing of the caller's own configuration reaches them. @throws Error with the end of the log of what did not start */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { folder, print, archive } = options;
  await mkdir(folder, { recursive: true });
  const emptyConfig = join(folder, 'temporal-config.toml');
  await writeFile(emptyConfig, '');
  const bare = { ...withoutOurs(process.env), TEMPORAL_CONFIG_FILE: emptyConfig };
  const [temporal, simulator] = await Promise.all([startTemporalServer({ ...options, env: bare }), startSimulator(options, bare)]);
  print(`Temporal    ${temporal.address}, web UI ${temporal.webUi}`);
  print(`Simulator   ${simulator.api} in place of Plangrep: nothing leaves this machine, nothing is charged`);
  const own = {
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
    ...options.settings,
  };
  const webhook = await startReceiver(options, own);
  print(`Webhooks    ${webhook.url}`);
  const env = { ...own, PLANGREP_WEBHOOK_URL: webhook.url };
  const workers = await Promise.all((options.workers ?? [{}]).map((worker, index) => startWorker(options, { worker, index, env })));
  print(workers.length === 1 ? 'Worker      ready' : `Workers     ${workers.length} ready`);
  const services = { temporal: temporal.service, simulator: simulator.service, webhook: webhook.service, workers };
  const failure = Promise.race([services.temporal, services.simulator, services.webhook, ...workers].map((service) => service.failure));
  failure.catch(() => undefined);
  return { env, temporalAddress: temporal.address, webUi: temporal.webUi, api: simulator.api, control: simulator.control, webhook: webhook.url, services, failure };
}

/** One more worker process; the stack does not know it. */
export function startWorker({ processes, folder }: Pick<StackOptions, 'processes' | 'folder'>, { worker, index, env }: { worker: WorkerProcess; index: number; env: NodeJS.ProcessEnv }): Promise<Service> {
  const { args = [], nodeArgs = [], settings } = worker;
  const name = index === 0 ? 'worker' : `worker-${index + 1}`;
  return startService(processes, { name: 'Worker', command: process.execPath, args: [...nodeArgs, cli, 'worker', ...args], env: { ...env, ...settings }, log: join(folder, `${name}.log`), ready: /^Worker ready/ });
}

/** The environment without our variables and Temporal's, and without proxies, which have no business between programs of one machine. */
export function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^(PLANGREP|TEMPORAL)_/.test(name) && !/^(grpc|https?|all)_proxy$/i.test(name));
  return Object.fromEntries(kept);
}

async function startSimulator({ processes, folder, simulatorArgs = [] }: StackOptions, env: NodeJS.ProcessEnv): Promise<{ service: Service; api: string; control: string; apiKey: string }> {
  const args = [cli, 'simulator', '--port', '0', '--storage-port', '0', ...simulatorArgs];
  const service = await startService(processes, { name: 'Simulator', command: process.execPath, args, env, log: join(folder, 'simulator.log'), ready: /^\{"api"/ });
  return { service, ...(JSON.parse(service.line) as { api: string; control: string; apiKey: string }) };
}

/** The receiver says where it listens; the worker has to know before it creates a job. */
async function startReceiver({ processes, folder }: StackOptions, env: NodeJS.ProcessEnv): Promise<{ service: Service; url: string }> {
  const args = [cli, 'webhook', '--port', '0', '--json'];
  const service = await startService(processes, { name: 'Webhook receiver', command: process.execPath, args, env, log: join(folder, 'webhook.log'), ready: /^\{"webhook"/ });
  return { service, url: (JSON.parse(service.line) as { webhook: string }).webhook };
}

async function ensureSecretKey(file: string): Promise<string> {
  try {
    await writeFile(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return file;
}
