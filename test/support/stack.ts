import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { createActivities } from '../../src/activities';
import { createPace } from '../../src/activities/pace';
import { BatchClient, type BatchInputOptions, type BatchSummary } from '../../src/client';
import { manifestLineSchema, manifestSchema, type Manifest, type ManifestLine } from '../../src/contract/archive';
import { batchKeys } from '../../src/contract/keys';
import { closePageCounter } from '../../src/pdf/page-count';
import { PlangrepClient } from '../../src/plangrep/client';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import type { SimulatorOptions } from '../../src/simulator/options';
import { FolderStore } from '../../src/store/folder';
import { Seal } from '../../src/store/seal';
import { writeDocuments, type TestFile } from './documents';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { bundleWorkflows, quietRuntime, withWorkers } from './workflow-runner';

/** The whole product in one process, over a real server, real sockets and real files. */
export class Stack {
  readonly store: FolderStore;
  readonly batches: BatchClient;
  readonly plangrep: PlangrepClient;
  /** What the activities seal and sign with; a webhook receiver needs the same. */
  readonly seal = new Seal(randomBytes(32));
  /** Where Plangrep posts webhooks to; set it before the activities are made. Null: jobs are polled only. */
  webhookUrl: string | null = null;

  private constructor(
    readonly env: TestWorkflowEnvironment,
    readonly bundle: WorkflowBundleWithSourceMap,
    readonly simulator: Simulator,
    /** A temporary folder: `archive` and `source` lie in it. */
    readonly folder: string,
  ) {
    this.store = new FolderStore(join(folder, 'archive'));
    this.batches = new BatchClient({ client: env.client });
    this.plangrep = new PlangrepClient({ baseUrl: simulator.apiUrl, apiKey: () => simulator.apiKey, version: '0.0.0-test' });
  }

  static async start(options: SimulatorOptions = {}): Promise<Stack> {
    quietRuntime();
    // The server first: a simulator that was started before something failed would keep the test process alive.
    const [env, bundle, folder] = await Promise.all([startLocalTemporal(), bundleWorkflows(), mkdtemp(join(tmpdir(), 'stack-'))]);
    const simulator = await startSimulator({ jobMs: 200, pageMs: 0, ...options });
    await mkdir(join(folder, 'source'));
    return new Stack(env, bundle, simulator, folder);
  }

  async stop(): Promise<void> {
    await this.env.teardown();
    await Promise.all([this.simulator.close(), this.plangrep.close(), closePageCounter()]);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Where a batch's documents go. */
  source(name: string): string {
    return join(this.folder, 'source', name);
  }

  /** Writes files below a source; paths may be bytes. */
  async write(name: string, files: TestFile[]): Promise<string> {
    const root = this.source(name);
    await writeDocuments(root, files);
    return root;
  }

  /** The activities as the worker builds them. */
  activities() {
    return createActivities({
      store: this.store,
      plangrep: this.plangrep,
      seal: this.seal,
      pace: createPace(1000),
      temporal: this.env.client,
      settings: {
        minPollMs: 1000,
        projectPollMs: 1000,
        ...(this.webhookUrl !== null && { webhookUrl: this.webhookUrl }),
        transferRequestsPerSecond: 1000,
        creditsPerDrawingPage: 10,
        creditsPerDocumentPage: 1,
      },
    });
  }

  /** Runs a batch to its end with workers in this process. */
  async run(input: BatchInputOptions, id: string, activities = this.activities()): Promise<BatchSummary> {
    return withWorkers(this.env, this.bundle, activities, async () => {
      await this.batches.start(input, { id });
      return this.batches.wait(id);
    });
  }

  /** A finished batch's manifest. */
  async manifest(id: string): Promise<{ manifest: Manifest; lines: ManifestLine[] }> {
    const keys = batchKeys(id);
    const text = (key: string) => readFile(join(this.store.location, key), 'utf8');
    const lines = (await text(keys.manifestLines)).split('\n').filter(Boolean).map((line) => manifestLineSchema.parse(JSON.parse(line)));
    return { manifest: manifestSchema.parse(JSON.parse(await text(keys.manifest))), lines };
  }
}
