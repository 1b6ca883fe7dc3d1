import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { BatchClient } from '../../src/client';
import { FolderStore } from '../../src/store/folder';
import { makePdf } from '../../test/support/documents';
import { cli, withoutOurs } from '../local-stack';
import type { Child, Processes } from '../processes';
import { startService } from '../service';
import { startTemporalServer, startTemporalServerAt, type TemporalServer } from '../temporal-server';
import { giveBack } from './give-back';
import { crashFiles, kill, readPid, strikeOnce, writePid, type ArmedKill, type Strike, type Target } from './passages';
import { partBytes, type CrashPlan, type Kill } from './plan';

/** Where a run works. */
export interface SiteOptions {
  processes: Processes;
  /** The Temporal CLI. */
  temporal: string;
  /** For everything the run leaves; must exist. */
  folder: string;
  /** What {@link transpilePreload} has written. */
  preload: string;
}

/** By then Temporal knows by itself that a worker is dead, and its process id may be another's, in ms. */
const forgottenMs = 150_000;

/**
 * Another process than the one that died goes on with its work no sooner than this, in ms: what a process knows of a folder holds for 20 s, since Temporal
 * by itself takes at least a minute.
 */
const otherWorkerMs = 21_000;

/** How soon a call to Temporal is made again, in ms. */
const retryMs = 300;

/** Where the simulator listens. */
interface SimulatorPlace {
  api: string;
  control: string;
  apiKey: string;
  child: Child;
}

/** A process that is started again whenever it was struck. */
interface Place {
  role: string;
  child: Child;
  start: () => Promise<Child>;
}

/** What a run runs on: Temporal, simulator, receiver and workers, each a process; all but the simulator may be killed, and start again at once. */
export class Site {
  readonly store: FolderStore;
  readonly batches: BatchClient;
  readonly client: Client;
  #closing = false;
  readonly #files: ReturnType<typeof crashFiles>;
  readonly #connection: Connection;
  readonly #places: Place[] = [];
  /** Workers that were killed, by process id, and when. */
  readonly #dead = new Map<number, number>();
  #fail: (error: Error) => void = () => undefined;
  /** Rejects when a process ends that nobody killed, or does not start again; never resolves. */
  readonly failure = new Promise<never>((_, reject) => (this.#fail = reject));

  private constructor(
    readonly options: SiteOptions,
    private readonly plan: CrashPlan,
    readonly simulator: SimulatorPlace,
    private readonly env: NodeJS.ProcessEnv,
    private temporal: TemporalServer,
  ) {
    this.#files = crashFiles(options.folder);
    this.store = new FolderStore(this.archive);
    const { retryableDecider } = defaultGrpcRetryOptions();
    const retry = { retryableDecider: (...tried: Parameters<typeof retryableDecider>) => !this.#closing && retryableDecider(...tried), delayFunction: () => retryMs };
    this.#connection = Connection.lazy({ address: temporal.address, interceptors: [makeGrpcRetryInterceptor(retry)] });
    this.client = new Client({ connection: this.#connection });
    this.batches = new BatchClient({ client: this.client });
    this.failure.catch(() => undefined);
    this.#keep({ role: 'server', child: temporal.service.child, start: () => this.#restartServer() });
  }

  /** Starts all but the workers, and writes the documents. */
  static async open(plan: CrashPlan, options: SiteOptions): Promise<Site> {
    const { folder, processes } = options;
    for (const batch of plan.batches) await writeDocuments(join(folder, 'source', batch.id), plan.seed, batch.documents);
    const emptyConfig = join(folder, 'temporal-config.toml');
    await Promise.all([writeFile(emptyConfig, ''), writeFile(crashFiles(folder).kills, JSON.stringify(armed(plan.kills)))]);
    const env = { ...withoutOurs(process.env), TEMPORAL_CONFIG_FILE: emptyConfig };
    const args = [cli, 'simulator', '--job-ms', String(plan.jobMs), '--page-ms', '0', '--part-threshold', String(partBytes)];
    const simulating = startService(processes, { name: 'Simulator', command: process.execPath, args, env, log: join(folder, 'simulator.log'), ready: /^\{"api"/ });
    const [temporal, simulator] = await Promise.all([startTemporalServer({ ...options, env }), simulating]);
    const site = new Site(options, plan, { ...(JSON.parse(simulator.line) as Omit<SimulatorPlace, 'child'>), child: simulator.child }, env, temporal);
    simulator.failure.catch((error: Error) => !site.#closing && site.#fail(error));
    if (plan.webhooks) await site.#openReceiver();
    return site;
  }

  get archive(): string {
    return join(this.options.folder, 'archive');
  }

  /** The folder of a batch's documents. */
  source(batchId: string): string {
    return join(this.options.folder, 'source', batchId);
  }

  /** Starts the workers, and what looks after them. */
  async startWorkers(): Promise<void> {
    const roles = { one: [[]], two: [[], []], roles: [['--only', 'api'], ['--only', 'transfer'], ['--only', 'archive']] }[this.plan.workers];
    for (const [index, args] of roles.entries()) {
      const role = `worker-${index + 1}`;
      const start = (): Promise<Child> => this.#start(role, ['worker', ...args]);
      this.#keep({ role, child: await start(), start });
    }
    if (!this.plan.patient) void this.#giveBackLoop();
  }

  /** Kills from outside, unless that has been done; answers whether it was. */
  strike(id: number, targets: Target[]): boolean {
    const pids = targets.flatMap((target) => readPid(this.#files.pid(target === 'worker' ? 'worker-1' : target)));
    if (pids.length === 0 || !strikeOnce(this.#files.struck(id), { by: 'harness', pids })) return false;
    for (const pid of pids) kill(pid);
    return true;
  }

  /** The kills that came to pass. */
  async struck(): Promise<boolean[]> {
    return this.plan.kills.map((_, id) => existsSync(this.#files.struck(id)));
  }

  /** How often each point was passed, over all processes. */
  async passed(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { role } of this.#places.filter((place) => place.role !== 'server')) {
      const text = await readFile(this.#files.passed(role), 'utf8').catch(() => '');
      for (const point of text.split('\n')) if (point) counts.set(point, (counts.get(point) ?? 0) + 1);
    }
    return counts;
  }

  /** A look at the simulator, or with a body something done to it. */
  async control(path: string, body?: object): Promise<unknown> {
    const posted = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`${this.simulator.control}/${path}`, posted);
    if (!answer.ok) throw new Error(`The simulator answered ${answer.status} to ${path}: ${await answer.text()}`);
    return answer.json();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#closing = true;
    const children = [...this.#places.map(({ child }) => child), this.simulator.child];
    for (const child of children) child.process.kill('SIGKILL');
    await Promise.all(children.map(({ ended }) => ended.catch(() => undefined)));
    // A call that the SDK is about to repeat would throw out of a timer, and end this process with all other runs.
    await pause(2 * retryMs);
    await this.#connection.close().catch(() => undefined);
  }

  async #openReceiver(): Promise<void> {
    const { options } = this;
    const args = (port: string): string[] => [...this.#node(), cli, 'webhook', '--port', port, '--json'];
    const service = { name: 'Webhook receiver', command: process.execPath, env: this.#env('receiver'), log: join(options.folder, 'webhook.log'), ready: /^\{"webhook"/ };
    const first = await startService(options.processes, { ...service, args: args('0') });
    const { webhook } = JSON.parse(first.line) as { webhook: string };
    this.env['PLANGREP_WEBHOOK_URL'] = webhook;
    const start = (): Promise<Child> => this.#start('receiver', ['webhook', '--port', new URL(webhook).port]);
    this.#keep({ role: 'receiver', child: first.child, start });
  }

  /** Starts a program of ours; whether it serves shows in what it does. */
  async #start(role: string, args: string[]): Promise<Child> {
    const { folder, processes } = this.options;
    const log = await open(join(folder, `${role}.log`), 'a');
    try {
      return processes.start(role, process.execPath, [...this.#node(), cli, ...args], { env: this.#env(role), stdio: ['ignore', log.fd, log.fd] });
    } finally {
      await log.close();
    }
  }

  #node(): string[] {
    return ['--require', this.options.preload];
  }

  async #restartServer(): Promise<Child> {
    this.temporal = await startTemporalServerAt(this.temporal.ports, { ...this.options, env: this.env });
    return this.temporal.service.child;
  }

  /** Looks after a process: one that was struck is started again, one that ends by itself ends the run. */
  #keep(place: Place): void {
    this.#places.push(place);
    this.#watch(place).catch((error: Error) => this.#fail(error));
  }

  async #watch(place: Place): Promise<void> {
    for (let child: Child | null = place.child; child; ) {
      place.child = child;
      const pid = child.process.pid!;
      writePid(this.#files.pid(place.role), pid);
      await child.ended;
      child = await this.#revive(place, pid);
    }
  }

  async #revive({ role, start }: Place, pid: number): Promise<Child | null> {
    await rm(this.#files.pid(role), { force: true });
    if (this.#closing || this.options.processes.stopping) return null;
    if (!(await this.#wasStruck(pid))) throw new Error(`${role} ended by itself; see its log in ${this.options.folder}`);
    if (role.startsWith('worker')) this.#dead.set(pid, performance.now());
    return start();
  }

  async #wasStruck(pid: number): Promise<boolean> {
    for (const id of this.plan.kills.keys()) {
      const text = await readFile(this.#files.struck(id), 'utf8').catch(() => null);
      if (text !== null && (JSON.parse(text) as Strike).pids.includes(pid)) return true;
    }
    return false;
  }

  /** Tells Temporal again and again which workers are gone; the connection of one may take a task even after it died. */
  async #giveBackLoop(): Promise<void> {
    while (!this.#closing) {
      await pause(1_000);
      for (const [pid, at] of this.#dead) if (performance.now() - at > forgottenMs) this.#dead.delete(pid);
      const least = this.plan.workers === 'two' ? otherWorkerMs : 0;
      const dead = [...this.#dead].flatMap(([pid, at]) => (performance.now() - at > least ? [pid] : []));
      // A server that is starting is asked again.
      if (dead.length > 0) await giveBack(this.client, new Set(dead)).catch(() => undefined);
    }
  }

  readonly #secretKey = randomBytes(32).toString('base64');

  #env(role: string): NodeJS.ProcessEnv {
    return {
      ...this.env,
      TEMPORAL_ADDRESS: this.temporal.address,
      PLANGREP_BASE_URL: this.simulator.api,
      PLANGREP_API_KEY: this.simulator.apiKey,
      PLANGREP_ARCHIVE: this.archive,
      PLANGREP_SECRET_KEY: this.#secretKey,
      PLANGREP_MIN_POLL_SECONDS: '1',
      PLANGREP_REQUESTS_PER_SECOND: '200',
      PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '200',
      CRASH_FOLDER: this.options.folder,
      CRASH_ROLE: role,
      CRASH_LIB: dirname(cli),
      ...(!this.plan.patient && { CRASH_QUICK: '1' }),
    };
  }
}

const armed = (kills: Kill[]): ArmedKill[] => kills.flatMap(({ at, targets }, id) => ('point' in at ? [{ id, ...at, targets }] : []));

async function writeDocuments(source: string, seed: number, documents: CrashPlan['batches'][number]['documents']): Promise<void> {
  for (const { path, pages, sizeBytes, marker } of documents) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), makePdf({ pages, sizeBytes, marker: `${seed} ${marker}` }));
  }
}
