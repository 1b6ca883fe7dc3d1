import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { searchAttributes } from '../src/contract/messages';
import { freePorts } from './free-ports';
import type { Processes } from './processes';
import { startService, type Service } from './service';

/** Where a development server works. */
export interface TemporalServerOptions {
  processes: Processes;
  /** The Temporal CLI. */
  temporal: string;
  /** For the database and the log. */
  folder: string;
  env: NodeJS.ProcessEnv;
  /** Further arguments of `temporal server start-dev`. */
  extraArgs?: string[];
}

/** Its ports on 127.0.0.1. */
export interface TemporalPorts {
  port: number;
  uiPort: number;
}

/** A development server that answers. */
export interface TemporalServer {
  service: Service;
  ports: TemporalPorts;
  address: string;
  webUi: string;
}

/** Starts a development server on free ports. @throws Error with the end of its log */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt++) {
    const [port, uiPort] = (await freePorts(2)) as [number, number];
    try {
      return await startTemporalServerAt({ port, uiPort }, options);
    } catch (error) {
      // Somebody else may have taken a port in the moment between.
      if (attempt === 3 || !/address already in use|can't set up/i.test((error as Error).message)) throw error;
    }
  }
}

/** Starts a development server on these ports; over the database of an earlier one it goes on where that one was. @throws Error with the end of its log */
export async function startTemporalServerAt(ports: TemporalPorts, { processes, temporal, folder, env, extraArgs = [] }: TemporalServerOptions): Promise<TemporalServer> {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(ports.port), '--ui-port', String(ports.uiPort), '--log-level', 'warn'];
  args.push('--db-filename', join(folder, 'temporal.db'), '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL');
  for (const [name, value] of Object.entries(dynamicConfig)) args.push('--dynamic-config-value', `${name}=${value}`);
  for (const [name, type] of Object.entries(searchAttributes)) args.push('--search-attribute', `${name}=${attributeTypes[type]}`);
  args.push(...extraArgs);
  const address = `127.0.0.1:${ports.port}`;
  const service = await startService(processes, { name: 'Temporal', command: temporal, args, env, log: join(folder, 'temporal.log') });
  await Promise.race([service.failure, healthy(processes, temporal, address, env)]);
  return { service, ports, address, webUi: `http://127.0.0.1:${ports.uiPort}` };
}

/**
 * Fairness is off by default. Queues in one piece instead of four, each with a quarter of the rate and turns of its own: a small batch
 * otherwise waits behind a large one, and a scarce rate is not used up. Only queues of thousands of tasks a second need more.
 */
const dynamicConfig = { 'matching.enableFairness': true, 'matching.numTaskqueueReadPartitions': 1, 'matching.numTaskqueueWritePartitions': 1 };

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
