import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalTemporalOptions } from '../../scripts/local-temporal';
import { createActivities, type Activities } from '../../src/activities';
import type { ActivitySettings } from '../../src/activities/dependencies';
import { createPace } from '../../src/activities/pace';
import type { BatchInputOptions, BatchSummary, StartedBatch } from '../../src/client';
import { keyFromFile } from '../../src/config/key-file';
import { Secret } from '../../src/config/secret';
import { webhookOf } from '../../src/config/webhook';
import type { Manifest, ManifestLine } from '../../src/contract/archive';
import { workFolder } from '../../src/contract/keys';
import { batchWorkflowId } from '../../src/contract/messages';
import { PlangrepClient, type PlangrepClientOptions } from '../../src/plangrep/client';
import type { FaultOptions } from '../../src/simulator/faults';
import type { SimJob } from '../../src/simulator/job';
import type { SimulatorOptions } from '../../src/simulator/options';
import type { Simulator } from '../../src/simulator/server';
import { Seal } from '../../src/store/seal';
import { verifyBatch } from '../../src/verify';
import { startWebhook, type Webhook } from '../../src/webhook';
import { makePdf } from './documents';
import { Stack } from './stack';
import { stopWorkers, withWorkers } from './workflow-runner';

/** How often something is looked up, and how long at most, in ms; of the ends of batches, how long at most. */
const lookMs = 100;
const longestMs = 90_000;
const longestWaitMs = 250_000;

/** What a story looks up: it changes from one look to the next. */
type Look = (summary: BatchSummary) => boolean;

/** A manifest's line without what differs from one batch to the next. */
export type LineShape = Omit<ManifestLine, 'jobId' | 'documentId' | 'result' | 'artifacts'> & { result: boolean; artifacts: [string, string][] };

/** Meaning of the fields: see each. */
export interface StoryOptions {
  simulator?: SimulatorOptions;
  /** Whether a receiver runs and jobs are created with its address. Default false. */
  webhooks?: boolean;
  /** The Temporal server's. */
  temporal?: LocalTemporalOptions;
  /** Settings of the client that the activities have, such as an address in front of the simulator's. Default: none but the usual. */
  client?: (simulator: Simulator) => Promise<Partial<PlangrepClientOptions>>;
  /** Whether it has workers from its beginning to its end. Default true; else the test runs its own, with the story's activities. */
  workers?: boolean;
}

/** The whole product in this process with workers that run from beginning to end, and hands on everything that stands around it. */
export class Story {
  /** What the activities are set to; a change counts from the next call on. Looks are closer together than a configuration may ask for, so that tests wait less. */
  readonly settings: ActivitySettings = { minPollMs: 200, projectPollMs: 200, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };
  receiver: Webhook | null = null;
  /** What the receiver logged, a line each. */
  readonly log: string[] = [];
  readonly #secretKey = randomBytes(32);
  #plangrep: PlangrepClient | null = null;
  #release = (): void => undefined;
  #workers: Promise<void> = Promise.resolve();

  private constructor(readonly stack: Stack) {}

  static async start({ simulator = {}, webhooks = false, temporal = {}, client = async () => ({}), workers = true }: StoryOptions = {}): Promise<Story> {
    const stack = await Stack.start({ jobMs: 100, ...simulator }, temporal);
    const story = new Story(stack);
    try {
      if (webhooks) await story.#receive();
      story.writeKey(stack.simulator.apiKey);
      story.#plangrep = new PlangrepClient({ baseUrl: stack.simulator.apiUrl, apiKey: keyFromFile(story.keyFile), version: '0.0.0-test', ...(await client(stack.simulator)) });
      if (workers) story.#work();
      return story;
    } catch (error) {
      await story.stop();
      throw error;
    }
  }

  get #seal(): Seal {
    return new Seal(this.#secretKey);
  }

  async #receive(): Promise<void> {
    const webhook = webhookOf(null, { PLANGREP_WEBHOOK_SIGNATURE_HEADER: 'x-plangrep-signature', PLANGREP_WEBHOOK_SIGNATURE_ALGORITHM: 'sha256', PLANGREP_WEBHOOK_SIGNATURE_ENCODING: 'hex', PLANGREP_WEBHOOK_TIMESTAMP_SEPARATOR: '.', PLANGREP_WEBHOOK_TIMESTAMP_TOLERANCE_SECONDS: 300 });
    const config = { secretKey: new Secret(this.#secretKey), oldSecretKeys: [], webhook };
    const log = { warn: (...parts: unknown[]) => void this.log.push(JSON.stringify(parts)) };
    this.receiver = await startWebhook({ config, temporal: this.stack.env.client, port: 0, log });
    this.settings.webhookUrl = this.receiver.url;
  }

  /** All activities, as the product has them. */
  get activities(): Activities {
    const { store, env } = this.stack;
    return createActivities({ store, plangrep: this.#plangrep!, seal: this.#seal, pace: createPace(1000), temporal: env.client, settings: this.settings });
  }

  #work(): void {
    const released = new Promise<void>((resolve) => (this.#release = resolve));
    this.#workers = withWorkers(this.stack.env, this.stack.bundle, this.activities, () => released);
    this.#workers.catch(() => undefined); // reported when the story stops
  }

  async stop(): Promise<void> {
    this.#release();
    try {
      await this.#workers;
      await stopWorkers(this.stack.env);
    } finally {
      await this.receiver?.close();
      await this.#plangrep?.close();
      await this.stack.stop();
    }
  }

  get keyFile(): string {
    return join(this.stack.folder, 'api-key');
  }

  /** Puts a key where the workers read it. */
  writeKey(key: string): void {
    writeFileSync(this.keyFile, key);
  }

  fault(...faults: FaultOptions[]): void {
    for (const fault of faults) this.stack.simulator.state.faults.add(fault);
  }

  /** Calls the simulator's control interface. @throws when it refuses */
  async control(path: string, body: object): Promise<void> {
    const answer = await fetch(this.stack.simulator.controlUrl + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  }

  /** Starts a batch over documents of these names; the content of each follows from its name and `marker`. */
  async begin(id: string, names: string[], more: Partial<BatchInputOptions> = {}, { pages = 1, marker = id, sizeBytes = 0 } = {}): Promise<StartedBatch> {
    const source = await this.stack.write(id, names.map((name) => ({ path: Buffer.from(name), content: makePdf({ pages, marker: `${marker} ${name}`, sizeBytes }) })));
    return this.stack.batches.start({ project: 'Quickstart', source: { folder: source }, ...more }, { id });
  }

  /** Waits until a running batch shows something. @throws when it ends before, or nothing of the kind is seen */
  async until(id: string, look: Look): Promise<BatchSummary> {
    let summary = await this.stack.batches.status(id);
    for (let looks = 0; !look(summary); looks++) {
      if (summary.closedAt !== null || looks > longestMs / lookMs) throw new Error(`never seen: ${look.toString()}\n${JSON.stringify(summary)}\n${this.#statuses(id)}`);
      await delay(lookMs);
      summary = await this.stack.batches.status(id);
    }
    return summary;
  }

  /** Waits until jobs at Plangrep are as they should be. @throws when they never are */
  async untilJobs(id: string, look: (jobs: SimJob[]) => boolean): Promise<void> {
    for (let looks = 0; !look(this.jobs(id)); looks++) {
      if (looks > longestMs / lookMs) throw new Error(`never seen: ${look.toString()}\n${this.#statuses(id)}`);
      await delay(lookMs);
    }
  }

  /** Waits until a batch has so many jobs, none of them goes on for want of credits, and it says so. */
  untilBlocked(id: string, count: number): Promise<BatchSummary> {
    return this.until(id, ({ status }) => {
      const jobs = this.jobs(id);
      return status === 'blocked_credits' && jobs.length === count && jobs.every((job) => job.status === 'blocked_insufficient_credits');
    });
  }

  #statuses(id: string): string {
    return this.jobs(id).map(({ externalId, history }) => `${externalId}: ${history.map(({ status }) => status).join(', ')}`).join('\n');
  }

  /** Waits for the end of a batch. @throws when it does not come */
  async wait(id: string): Promise<BatchSummary> {
    const signal = AbortSignal.timeout(longestWaitMs);
    try {
      return await this.stack.batches.wait(id, { signal });
    } catch (error) {
      throw signal.aborted ? new Error(`no end: ${JSON.stringify(await this.stack.batches.status(id))}\n${this.#statuses(id)}\n${this.log.join('\n')}`) : error;
    }
  }

  /** A batch's jobs at Plangrep, by number: which of several is created first is chance. */
  jobs(id: string): SimJob[] {
    const jobs = [...this.stack.simulator.state.jobs.values()].filter(({ externalId }) => externalId?.startsWith(`batch/${id}/`));
    return jobs.sort((a, b) => a.externalId!.localeCompare(b.externalId!));
  }

  /** How often each page of each content was paid for in these batches, by the simulator's own record. */
  async debits(...ids: string[]): Promise<number[][]> {
    const sums = new Map<string, number[]>();
    for (const id of ids) {
      const answer = await fetch(`${this.stack.simulator.controlUrl}/records?externalId=${encodeURIComponent(`batch/${id}/`)}`);
      const { debits } = (await answer.json()) as { debits: Record<string, number[]> };
      for (const [sha256, pages] of Object.entries(debits)) {
        const before = sums.get(sha256) ?? [];
        sums.set(sha256, pages.map((times, index) => times + (before[index] ?? 0)));
      }
    }
    return [...sums.values()];
  }

  /** Requests of one operation so far that were answered with a status from `from` to `to`. */
  requests(operation: string, from = 200, to = 299): number {
    const counted = Object.entries(this.stack.simulator.state.counters.requests[operation] ?? {});
    return counted.reduce((sum, [status, count]) => sum + (Number(status) >= from && Number(status) <= to ? count : 0), 0);
  }

  /** A finished batch's manifest, after everything about it that must always hold was looked at. */
  async manifest(id: string): Promise<{ manifest: Manifest; lines: ManifestLine[] }> {
    expect((await verifyBatch(this.stack.store, id)).problems).toEqual([]);
    for await (const { key } of this.stack.store.list(workFolder(id))) throw new Error(`${key} stayed behind`);
    const { manifest, lines } = await this.stack.manifest(id);
    const { documents, ...outcomes } = manifest.counts;
    expect([lines.length, Object.values(outcomes).reduce((sum, count) => sum + count, 0)]).toEqual([documents, documents]);
    for (const { outcome, reason } of lines) expect([outcome, reason === null]).toEqual([outcome, outcome === 'processed']);
    for (const job of this.jobs(id)) expect([job.id, job.completedAtMs === null]).toEqual([job.id, false]);
    return { manifest, lines };
  }

  /** What a batch came to, in a form that can be compared with another batch over the same documents. */
  async shape(id: string): Promise<LineShape[]> {
    const { lines } = await this.manifest(id);
    return lines.map(({ jobId: _job, documentId: _document, result, artifacts, ...line }) => ({
      ...line,
      result: result !== null,
      artifacts: artifacts.map(({ type, sha256 }) => [type, sha256]),
    }));
  }

  /** Outcome and reason's code by document. */
  async outcomes(id: string): Promise<Record<string, string>> {
    const { lines } = await this.manifest(id);
    return Object.fromEntries(lines.map(({ source, outcome, reason }) => [source, reason ? `${outcome}: ${reason.code}` : outcome]));
  }

  /** Every file of the archive, those at work included: name and bytes as text. */
  async files(): Promise<[string, string][]> {
    const files: [string, string][] = [];
    await mkdir(this.stack.store.location, { recursive: true });
    for await (const { key } of this.stack.store.list('')) files.push([key, await readFile(join(this.stack.store.location, key), 'latin1').catch(() => '')]);
    return files;
  }

  handle(workflowId: string) {
    return this.stack.env.client.workflow.getHandle(workflowId);
  }

  batchHandle(id: string) {
    return this.handle(batchWorkflowId(id));
  }

  /** What an operator sees on the workflow's page in the web UI. */
  async details(workflowId: string): Promise<string> {
    return (await this.handle(workflowId).query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
  }
}
