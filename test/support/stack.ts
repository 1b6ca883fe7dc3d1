import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { BatchClient } from '../../src/client';
import { manifestLineSchema, manifestSchema, type Manifest, type ManifestLine } from '../../src/contract/archive';
import { batchKeys } from '../../src/contract/keys';
import { closeHashing } from '../../src/hashing';
import { closePageCounter } from '../../src/pdf/page-count';
import { PlangrepClient } from '../../src/plangrep/client';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import type { SimulatorOptions } from '../../src/simulator/options';
import { FolderStore } from '../../src/store/folder';
import { writeDocuments, type TestFile } from './documents';
import { startLocalTemporal, type LocalTemporalOptions } from '../../scripts/local-temporal';
import { bundleWorkflows, quietRuntime } from './workflow-runner';

/** What a whole batch needs around its workers, in one process: a real server, real sockets and real files. */
export class Stack {
  readonly store: FolderStore;
  readonly batches: BatchClient;
  readonly plangrep: PlangrepClient;

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

  static async start(options: SimulatorOptions = {}, temporal: LocalTemporalOptions = {}): Promise<Stack> {
    quietRuntime();
    // The server first: a simulator that was started before something failed would keep the test process alive.
    const [env, bundle, folder] = await Promise.all([startLocalTemporal(temporal), bundleWorkflows(), mkdtemp(join(tmpdir(), 'stack-'))]);
    const simulator = await startSimulator({ jobMs: 200, pageMs: 0, ...options });
    await mkdir(join(folder, 'source'));
    return new Stack(env, bundle, simulator, folder);
  }

  async stop(): Promise<void> {
    await this.env.teardown();
    await Promise.all([this.simulator.close(), this.plangrep.close(), closePageCounter(), closeHashing()]);
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

  /** A finished batch's manifest. */
  async manifest(id: string): Promise<{ manifest: Manifest; lines: ManifestLine[] }> {
    const keys = batchKeys(id);
    const text = (key: string) => readFile(join(this.store.location, key), 'utf8');
    const lines = (await text(keys.manifestLines)).split('\n').filter(Boolean).map((line) => manifestLineSchema.parse(JSON.parse(line)));
    return { manifest: manifestSchema.parse(JSON.parse(await text(keys.manifest))), lines };
  }
}
