import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import type { SimulatorOptions } from '../../src/simulator/options';
import { cliEnvironment, startCli, type RunningCli } from './cli';
import { makePdf } from './documents';
import { startLocalTemporal, type LocalTemporalOptions } from '../../scripts/local-temporal';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { startTemporalServer } from '../../scripts/temporal-server';

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
  /** Starts a worker process, with more variables if given, and waits until it serves. */
  startWorker(more?: Record<string, string>): Promise<RunningCli>;
  /** The files of a server that keeps its data on disk, its log among them: name and bytes. */
  serverFiles(): Promise<[name: string, bytes: Buffer][]>;
  stop(): Promise<void>;
}

/** Meaning of the fields: see each. */
export interface CliStackOptions {
  simulator?: SimulatorOptions;
  temporal?: LocalTemporalOptions;
  /** More variables, such as `PLANGREP_WEBHOOK_URL`. */
  env?: Record<string, string>;
  /** The server keeps its data in files, which {@link CliStack.serverFiles} reads. Default false: in memory. */
  onDisk?: boolean;
}

/** Starts a {@link CliStack}; no worker runs until it is asked for. */
export async function startCliStack(options: CliStackOptions = {}): Promise<CliStack> {
  const folder = await mkdtemp(join(tmpdir(), 'plangrep-cli-stack-'));
  const processes = new Processes();
  // The server first: when there is none to be had, nothing else may be left running.
  const temporal = options.onDisk ? await startOnDisk(processes, folder) : await startLocalTemporal(options.temporal);
  const simulator = await startSimulator({ jobMs: 200, pageMs: 0, ...options.simulator });
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
    startWorker: async (more = {}) => {
      const worker = startCli(['worker'], { ...env, ...more }, { limitMs: 600_000 });
      workers.push(worker);
      await worker.seen(/Worker ready/);
      return worker;
    },
    serverFiles: async () => Promise.all((await readdir(join(folder, 'temporal'))).map(async (name): Promise<[string, Buffer]> => [name, await readFile(join(folder, 'temporal', name))])),
    stop: async () => {
      for (const { child } of workers) child.kill('SIGTERM');
      await Promise.all(workers.map(({ ended }) => ended));
      await Promise.all([temporal.teardown(), simulator.close()]);
      await processes.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server with a database and a log in `temporal`. */
async function startOnDisk(processes: Processes, root: string): Promise<TestWorkflowEnvironment> {
  const folder = join(root, 'temporal');
  await mkdir(folder);
  const { path: temporal } = await findTemporalCli({ processes, print: () => {} });
  const { address } = await startTemporalServer({ processes, temporal, folder, env: cliEnvironment({}) });
  return TestWorkflowEnvironment.createFromExistingServer({ address });
}

async function writeDocuments(folder: string, pages: number[]): Promise<string> {
  for (const [index, count] of pages.entries()) {
    const path = join(folder, `part ${index % 3}`, `sheet ${index}.pdf`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, makePdf({ pages: count, marker: `${folder} ${index}` }));
  }
  return folder;
}
