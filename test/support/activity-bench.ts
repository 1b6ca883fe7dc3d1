import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { ActivityFunction } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities, type Activities } from '../../src/activities';
import { createPace } from '../../src/activities/pace';
import type { ActivitySettings } from '../../src/activities/dependencies';
import type { OnRemoteJob, RemoteJob } from '../../src/contract/activities';
import { uploadRecordSchema, type UploadRecord } from '../../src/contract/archive';
import { batchInputSchema, type BatchInputOptions } from '../../src/contract/batch';
import { batchKeys, jobKeys } from '../../src/contract/keys';
import { PlangrepClient, type PlangrepClientOptions } from '../../src/plangrep/client';
import type { SimulatorOptions } from '../../src/simulator/options';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { FolderStore } from '../../src/store/folder';
import { jsonText, readJsonLines } from '../../src/store/jsonl';
import { Seal } from '../../src/store/seal';

const quiet = new DefaultLogger('ERROR');

/** Activities over the simulator and a real folder, without Temporal: one call at a time, each as a first or a later attempt. */
export class ActivityBench {
  readonly activities: Activities;
  readonly batchId = 'bench';
  /** For calls below the activities. */
  readonly completionDeps: { store: FolderStore; seal: Seal };
  /** What the activities are set to; a change counts from the next call on. */
  readonly settings: ActivitySettings = { minPollMs: 1000, projectPollMs: 1000, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };

  /** Stands for Temporal, which most activities never ask: a test gives it what it needs. */
  readonly temporal: object = {};

  private constructor(
    readonly simulator: Simulator,
    readonly plangrep: PlangrepClient,
    readonly store: FolderStore,
    readonly folder: string,
  ) {
    const seal = new Seal(randomBytes(32));
    this.completionDeps = { store, seal };
    this.activities = createActivities({
      store,
      plangrep,
      seal,
      pace: createPace(1000),
      temporal: this.temporal as Client,
      settings: this.settings,
    });
  }

  /** @param client settings of the client that the activities have, such as an address in front of the simulator's */
  static async start(options: SimulatorOptions = {}, client: (simulator: Simulator) => Promise<Partial<PlangrepClientOptions>> = async () => ({})): Promise<ActivityBench> {
    const [simulator, folder] = await Promise.all([startSimulator({ jobMs: 0, pageMs: 0, ...options }), mkdtemp(join(tmpdir(), 'bench-'))]);
    await mkdir(join(folder, 'source'));
    const plangrep = new PlangrepClient({ baseUrl: simulator.apiUrl, apiKey: () => simulator.apiKey, version: '0.0.0-test', ...(await client(simulator)) });
    return new ActivityBench(simulator, plangrep, new FolderStore(join(folder, 'archive')), folder);
  }

  async stop(): Promise<void> {
    await Promise.all([this.simulator.close(), this.plangrep.close()]);
    await rm(this.folder, { recursive: true, force: true });
  }

  get source(): string {
    return join(this.folder, 'source');
  }

  /** Runs an activity; `attempt` counts from 1. */
  run<P extends unknown[], R>(activity: (...args: P) => Promise<R>, request: P[0], attempt = 1): Promise<R> {
    const env = new MockActivityEnvironment({ attempt }, { logger: quiet });
    return env.run(activity as unknown as ActivityFunction<[P[0]], R>, request);
  }

  /** Accepts and plans a batch over the bench's source, or the given one. */
  async plan(input: Partial<BatchInputOptions> = {}): Promise<void> {
    const parsed = batchInputSchema.parse({ project: 'Quickstart', source: { folder: this.source }, ...input });
    await this.store.write(batchKeys(this.batchId).input, jsonText({ batchId: this.batchId, input: parsed, acceptedAt: new Date().toISOString() }));
    await this.run(this.activities.transfer.planBatch, { batchId: this.batchId, projectId: null });
  }

  /** Job 1, created. */
  async create(attempt = 1): Promise<RemoteJob> {
    const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await this.run(this.activities.api.createJob, this.createRequest, attempt))!;
    return remote;
  }

  /** What activities on job 1's remote job are asked with. */
  onRemote(remote: RemoteJob, warnAt: string | null = null): OnRemoteJob {
    return { batchId: this.batchId, job: 1, remote, warnAt };
  }

  /** Sends job 1's documents. */
  async upload(remote: RemoteJob): Promise<void> {
    const { projectId } = this.createRequest;
    await this.run(this.activities.transfer.uploadDocuments, { ...this.onRemote(remote), projectId, upload: 'signed' as const, skipProcessed: false });
  }

  readonly createRequest = { batchId: this.batchId, job: 1, projectId: 'proj_quickstart' };

  /** What upload wrote down of job 1. */
  async records(): Promise<UploadRecord[]> {
    const records: UploadRecord[] = [];
    for await (const record of readJsonLines(this.store, jobKeys(this.batchId, 1).uploads, uploadRecordSchema)) records.push(record);
    return records;
  }

  /** How often the simulator answered an operation, by status. */
  requests(operation: string): Record<string, number> {
    return this.simulator.state.counters.requests[operation] ?? {};
  }
}
