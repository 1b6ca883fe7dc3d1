import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { packageVersion } from '../../src/version';
import type { Processes } from '../processes';

/** Where figures come from. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  node: string;
  platform: string;
}

/** What was measured. */
export interface Versions {
  package: string;
  temporalSdk: string;
  /** Null when no benchmark used it. */
  temporalCli: string | null;
}

/** This machine. */
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  node: process.version,
  platform: `${platform()} ${release()} ${arch()}`,
});

/** Load average of the last minute: above the number of cores, times say little. */
export const load = (): number => Number(loadavg()[0]!.toFixed(2));

/** @param temporal the Temporal CLI, when it is used */
export async function versions(processes: Processes, temporal: string | null): Promise<Versions> {
  const sdk = JSON.parse(readFileSync(require.resolve('@temporalio/worker/package.json'), 'utf8')) as { version: string };
  const cli = temporal && (await processes.capture(temporal, ['--version'], { timeoutMs: 20_000 })).stdout.trim();
  return { package: packageVersion, temporalSdk: sdk.version, temporalCli: cli };
}
