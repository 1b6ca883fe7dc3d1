import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import type { SimulatorOptions } from '../../src/simulator/options';
import { startCli, type RunningCli } from './cli';
import { makePdf } from './documents';
import { startLocalTemporal, type LocalTemporalOptions } from '../../scripts/local-temporal';

/** A server, a simulator and a folder of its own, for command lines that run as processes. */
export interface CliStack {
  temporal: TestWorkflowEnvironment;
  simulator: Simulator;
  /** A temporary folder; `archive` is the archive in it. */
  folder: string;
  archive: string;
  /** What the command lines see. */
  env: Record<string, string>;
  /** Writes one-page documents, or ones of the given page counts, and gives their folder. */
  documents(name: string, pages: number[]): Promise<string>;
  /** Starts a worker process and waits until it serves. */
  startWorker(): Promise<RunningCli>;
  stop(): Promise<void>;
}

/** Starts a {@link CliStack}; no worker runs until it is asked for. `env`: more variables, such as `PLANGREP_WEBHOOK_URL`. */
export async function startCliStack(options: { simulator?: SimulatorOptions; temporal?: LocalTemporalOptions; env?: Record<string, string> } = {}): Promise<CliStack> {
  // The server first: when there is none to be had, nothing else may be left running.
  const temporal = await startLocalTemporal(options.temporal);
  const simulator = await startSimulator({ jobMs: 200, pageMs: 0, ...options.simulator });
  const folder = await mkdtemp(join(tmpdir(), 'plangrep-cli-stack-'));
  const archive = join(folder, 'archive');
  const env = {
    TEMPORAL_ADDRESS: temporal.address,
    PLANGREP_BASE_URL: simulator.apiUrl,
    PLANGREP_API_KEY: simulator.apiKey,
    PLANGREP_PROJECT: 'Quickstart',
    PLANGREP_ARCHIVE: archive,
    PLANGREP_SECRET_KEY: randomBytes(32).toString('base64'),
    PLANGREP_MIN_POLL_SECONDS: '1',
    PLANGREP_REQUESTS_PER_SECOND: '200',
    ...options.env,
  };
  const workers: RunningCli[] = [];
  return {
    temporal,
    simulator,
    folder,
    archive,
    env,
    documents: (name, pages) => writeDocuments(join(folder, name), pages),
    startWorker: async () => {
      const worker = startCli(['worker'], env, { limitMs: 600_000 });
      workers.push(worker);
      await worker.seen(/Worker ready/);
      return worker;
    },
    stop: async () => {
      for (const { child } of workers) child.kill('SIGTERM');
      await Promise.all(workers.map(({ ended }) => ended));
      await Promise.all([temporal.teardown(), simulator.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeDocuments(folder: string, pages: number[]): Promise<string> {
  for (const [index, count] of pages.entries()) {
    const path = join(folder, `part ${index % 3}`, `sheet ${index}.pdf`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, makePdf({ pages: count, marker: `${folder} ${index}` }));
  }
  return folder;
}
