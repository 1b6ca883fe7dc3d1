import { join, resolve } from 'node:path';
import { startService } from '../service';
import type { FaultOptions } from '../../src/simulator/faults';
import type { Session } from './session';

const cli = resolve(__dirname, '../../src/cli.ts');

/** Where a simulator listens, and its key. */
export interface SimulatorAddress {
  api: string;
  storage: string;
  control: string;
  apiKey: string;
}

/** Runs `body` beside a simulator in a process of its own. */
export async function withSimulator<T>({ processes, folder }: Session, body: (simulator: SimulatorAddress) => Promise<T>): Promise<T> {
  const args = ['--import', 'tsx', cli, 'simulator', '--port', '0', '--storage-port', '0', '--job-ms', '100', '--page-ms', '0'];
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
export async function readCounters(control: string): Promise<{ requests: Record<string, Record<string, number>>; bytesReceived: number }> {
  const response = await fetch(`${control}/counters`);
  return (await response.json()) as { requests: Record<string, Record<string, number>>; bytesReceived: number };
}
