import { join, resolve } from 'node:path';
import { startService } from '../service';
import type { FaultOptions } from '../../src/simulator/faults';
import { difference, total, type Counts } from './counts';
import type { Session } from './session';

const cli = resolve(__dirname, '../../src/cli.ts');

/** Where a simulator listens, and its key. */
export interface SimulatorAddress {
  api: string;
  storage: string;
  control: string;
  apiKey: string;
}

/** What a simulator counted. */
export interface SimulatorCounters {
  /** By operation and status. */
  requests: Record<string, Record<string, number>>;
  bytesReceived: number;
  /** PUTs whose bytes storage is taking: at this moment, and the most ever. */
  uploadsAtOnce: { now: number; most: number };
}

/** Runs `body` beside a simulator in a process of its own, with these flags beside the usual ones. */
export async function withSimulator<T>({ processes, folder }: Session, body: (simulator: SimulatorAddress) => Promise<T>, flags: string[] = []): Promise<T> {
  const args = ['--import', 'tsx', cli, 'simulator', '--port', '0', '--storage-port', '0', '--job-ms', '100', '--page-ms', '0', ...flags];
  const { child, line, failure } = await startService(processes, { name: 'Simulator', command: process.execPath, args, env: process.env, log: join(folder, 'simulator.log'), ready: /^\{"api"/ });
  try {
    return await Promise.race([body(JSON.parse(line) as SimulatorAddress), failure]);
  } finally {
    await processes.end(child);
  }
}

/** Sets faults over the control port. */
export async function setFaults(control: string, faults: FaultOptions[]): Promise<void> {
  const response = await fetch(`${control}/faults`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ faults }) });
  if (!response.ok) throw new Error(`The simulator refused the faults: ${response.status} ${await response.text()}`);
}

/** What the simulator counted. */
export async function readCounters(control: string): Promise<SimulatorCounters> {
  const response = await fetch(`${control}/counters`);
  return (await response.json()) as SimulatorCounters;
}

/** Requests by operation, whatever their status. */
export const requestCounts = ({ requests }: SimulatorCounters): Counts =>
  Object.fromEntries(Object.entries(requests).map(([operation, statuses]) => [operation, total(statuses)]));

/** Runs `work`; and the requests by operation, and bytes, that the simulator received meanwhile. */
export async function countDuring<T>(control: string, work: () => Promise<T>): Promise<{ value: T; requests: Counts; bytesReceived: number }> {
  const before = await readCounters(control);
  const value = await work();
  const after = await readCounters(control);
  return { value, requests: difference(requestCounts(after), requestCounts(before)), bytesReceived: after.bytesReceived - before.bytesReceived };
}
