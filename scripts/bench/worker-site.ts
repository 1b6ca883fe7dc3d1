import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { BatchClient } from '../../src/client';
import { taskQueues } from '../../src/contract/messages';
import type { SimulatorOptions } from '../../src/simulator/options';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { FolderStore } from '../../src/store/folder';
import { makePdf } from '../../test/support/documents';
import { cli, withoutOurs } from '../local-stack';
import { startLocalTemporal } from '../local-temporal';
import type { Processes } from '../processes';
import { startService, type Service } from '../service';
import { RequestLog } from './request-log';

/** Meaning of the fields: see each. */
export interface WorkerSiteOptions {
  processes: Processes;
  /** For sources, archive and logs; must exist. */
  folder: string;
  simulator?: SimulatorOptions;
  /** Dynamic configuration of the Temporal server. Default: fairness on, as in the quick start. */
  dynamicConfig?: Record<string, string | number | boolean>;
  /** Variables of every worker, over ours. */
  settings?: NodeJS.ProcessEnv;
}

/**
 * Task queues in one piece. The server spreads a queue over four by default, each with a quarter of the rate and turns of its own,
 * which only queues of thousands of tasks a second need.
 */
export const onePartition = { 'matching.numTaskqueueReadPartitions': 1, 'matching.numTaskqueueWritePartitions': 1 };

/** Temporal's number for a queue's activities. */
const activityTasks = 2;

/** One worker process. */
export interface SiteWorker {
  args?: string[];
  /** Its working folder. Default: this process's. */
  cwd?: string;
}

/** A Temporal server, a simulator in this process whose requests are logged, and as many worker processes of the built product as are asked for. */
export class WorkerSite {
  readonly batches: BatchClient;
  readonly store: FolderStore;
  readonly log: RequestLog;
  readonly #secretKey = randomBytes(32).toString('base64');
  #workers = 0;

  private constructor(
    readonly options: WorkerSiteOptions,
    readonly temporal: TestWorkflowEnvironment,
    readonly simulator: Simulator,
  ) {
    this.batches = new BatchClient({ client: temporal.client });
    this.store = new FolderStore(join(options.folder, 'archive'));
    this.log = new RequestLog(simulator);
  }

  static async open(options: WorkerSiteOptions): Promise<WorkerSite> {
    const config = Object.entries({ 'matching.enableFairness': true, ...options.dynamicConfig });
    // The server first: when there is none to be had, nothing else may be left running.
    const temporal = await startLocalTemporal({ extraArgs: config.flatMap(([name, value]) => ['--dynamic-config-value', `${name}=${value}`]) });
    return new WorkerSite(options, temporal, await startSimulator({ jobMs: 50, pageMs: 0, ...options.simulator }));
  }

  /** What commands of ours see. */
  get env(): NodeJS.ProcessEnv {
    return {
      ...withoutOurs(process.env),
      TEMPORAL_CONFIG_FILE: join(this.options.folder, 'no-such-file.toml'),
      TEMPORAL_ADDRESS: this.temporal.address,
      PLANGREP_BASE_URL: this.simulator.apiUrl,
      PLANGREP_API_KEY: this.simulator.apiKey,
      PLANGREP_PROJECT: 'Quickstart',
      PLANGREP_ARCHIVE: this.store.location,
      PLANGREP_SECRET_KEY: this.#secretKey,
      PLANGREP_REQUESTS_PER_SECOND: '200',
      PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '200',
      PLANGREP_MIN_POLL_SECONDS: '1',
      ...this.options.settings,
    };
  }

  /** Starts a worker and waits until it serves. */
  async startWorker({ args = [], cwd = process.cwd() }: SiteWorker = {}): Promise<Service> {
    this.#workers += 1;
    const log = join(this.options.folder, `worker-${this.#workers}.log`);
    // The shell only changes the folder: the worker takes its place, and its process id.
    const command = ['-c', 'cd "$0" && exec "$@"', cwd, process.execPath, cli, 'worker', ...args];
    return startService(this.options.processes, { name: 'Worker', command: '/bin/sh', args: command, env: this.env, log, ready: /^Worker ready/ });
  }

  /** Writes `count` different one-page PDFs, and gives their folder. */
  async documents(name: string, count: number, sizeBytes = 0): Promise<string> {
    const folder = join(this.options.folder, name);
    await mkdir(folder, { recursive: true });
    for (let number = 1; number <= count; number += 1) await writeFile(join(folder, `sheet-${number}.pdf`), makePdf({ marker: `${name} ${number}`, sizeBytes }));
    return folder;
  }

  /** Sets the API queue's rate at the server, over what workers ask for; 0 stops it, null leaves it to the workers again. */
  async limitApi(requestsPerSecond: number | null): Promise<void> {
    const rateLimit = requestsPerSecond === null ? null : { requestsPerSecond };
    await this.temporal.client.workflowService.updateTaskQueueConfig({
      namespace: this.temporal.client.options.namespace,
      taskQueue: taskQueues.api,
      taskQueueType: activityTasks,
      updateQueueRateLimit: { rateLimit, reason: 'a benchmark' },
    });
  }

  /** Ends server and simulator; the workers are the processes' to end. */
  async close(): Promise<void> {
    await this.temporal.teardown();
    await this.simulator.close();
  }
}

/** What a worker process calls itself in Temporal's histories. */
export const processIdOf = (identity: string): number => Number.parseInt(identity, 10);
