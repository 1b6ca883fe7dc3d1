import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BatchClient } from '../../src/client';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { FolderStore } from '../../src/store/folder';
import { makePdf } from '../../test/support/documents';
import { cli, withoutOurs } from '../local-stack';
import type { Child, Processes } from '../processes';
import { startTemporalServer, startTemporalServerAt, type TemporalServer } from '../temporal-server';
import type { Scene } from './moment';
import type { CrashPlan, Kill } from './plan';

/** Where a run works. */
export interface SiteOptions {
  processes: Processes;
  /** The Temporal CLI. */
  temporal: string;
  /** For everything the run leaves; must exist. */
  folder: string;
}

/** What a run runs on: a Temporal server and a worker as processes that can be killed, and the simulator, which lives on. */
export class Site implements Scene {
  readonly store: FolderStore;
  readonly batches: BatchClient;
  readonly #connection: Connection;
  #worker: Child | null = null;
  #fail: (error: Error) => void = () => undefined;
  /** Rejects when a process ends that nobody killed; never resolves. */
  readonly failure = new Promise<never>((_, reject) => (this.#fail = reject));

  private constructor(
    readonly options: SiteOptions,
    readonly simulator: Simulator,
    private readonly env: NodeJS.ProcessEnv,
    private temporal: TemporalServer,
  ) {
    this.store = new FolderStore(this.archive);
    this.#connection = Connection.lazy({ address: temporal.address });
    this.batches = new BatchClient({ client: new Client({ connection: this.#connection }) });
    this.failure.catch(() => undefined);
  }

  /** Starts all but the worker, and writes the documents. */
  static async open(plan: CrashPlan, options: SiteOptions): Promise<Site> {
    await writeDocuments(join(options.folder, 'source'), plan);
    const emptyConfig = join(options.folder, 'temporal-config.toml');
    await writeFile(emptyConfig, '');
    const env = { ...withoutOurs(process.env), TEMPORAL_CONFIG_FILE: emptyConfig };
    const temporal = await startTemporalServer({ ...options, env });
    const { jobMs, partThreshold, partBytes } = plan;
    const simulator = await startSimulator({ jobMs, pageMs: 0, partThreshold, partBytes });
    return new Site(options, simulator, env, temporal);
  }

  get archive(): string {
    return join(this.options.folder, 'archive');
  }

  get source(): string {
    return join(this.options.folder, 'source');
  }

  /** Starts a worker; whether it serves shows in what it does. */
  async startWorker(): Promise<void> {
    const log = await open(join(this.options.folder, 'worker.log'), 'a');
    try {
      const worker = this.options.processes.start('worker', process.execPath, [cli, 'worker'], { env: this.#workerEnv(), stdio: ['ignore', log.fd, log.fd] });
      this.#worker = worker;
      const report = (how: string): void => {
        if (this.#worker === worker) this.#fail(new Error(`The worker ended by itself (${how}); see ${this.options.folder}/worker.log`));
      };
      worker.ended.then(({ code, signal }) => report(signal ?? `exit code ${code}`), (error: Error) => report(error.message));
    } finally {
      await log.close();
    }
  }

  /** Kills at once: the signal is sent before this call returns. */
  kill(target: Kill['target']): void {
    const child = target === 'worker' ? this.#worker : this.temporal.service.child;
    if (target === 'worker') this.#worker = null;
    child?.process.kill('SIGKILL');
  }

  /** Starts again what was killed; the Temporal server over its database, on its port. */
  async revive(target: Kill['target']): Promise<void> {
    if (target === 'worker') return this.startWorker();
    await this.temporal.service.child.ended;
    this.temporal = await startTemporalServerAt(this.temporal.ports, { ...this.options, env: this.env });
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    if (worker) worker.process.kill('SIGKILL');
    await Promise.all([worker?.ended, this.#connection.close(), this.simulator.close()]);
    this.temporal.service.child.process.kill('SIGKILL');
    await this.temporal.service.child.ended;
  }

  readonly #secretKey = randomBytes(32).toString('base64');

  #workerEnv(): NodeJS.ProcessEnv {
    return {
      ...this.env,
      TEMPORAL_ADDRESS: this.temporal.address,
      PLANGREP_BASE_URL: this.simulator.apiUrl,
      PLANGREP_API_KEY: this.simulator.apiKey,
      PLANGREP_ARCHIVE: this.archive,
      PLANGREP_SECRET_KEY: this.#secretKey,
      PLANGREP_MIN_POLL_SECONDS: '1',
      PLANGREP_REQUESTS_PER_SECOND: '200',
      PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '200',
    };
  }
}

async function writeDocuments(source: string, { seed, documents }: CrashPlan): Promise<void> {
  for (const { path, pages, sizeBytes, marker } of documents) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), makePdf({ pages, sizeBytes, marker: `${seed} ${marker}` }));
  }
}
