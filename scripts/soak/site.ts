import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { BatchClient } from '../../src/client';
import type { FaultOptions } from '../../src/simulator/faults';
import { FolderStore } from '../../src/store/folder';
import { startStack, startWorker, type Stack } from '../local-stack';
import type { Processes } from '../processes';
import type { Service } from '../service';
import { recordsSchema, type Records } from '../simulator-records';
import { gcReport, type Watched } from './samples';

/** Where a soak runs. */
export interface SoakSiteOptions {
  processes: Processes;
  /** The Temporal CLI. */
  temporal: string;
  /** For all data; must exist. */
  folder: string;
  print: (line: string) => void;
  /** Arguments of the second worker, which is the one that is restarted. */
  secondArgs: string[];
}

/** How long a worker may drain after SIGTERM, in ms; it ends itself before that. */
const drainMs = 45_000;

/** The built product, running: Temporal, the simulator, a webhook receiver, a worker that lives as long as the run, and a second one. */
export class SoakSite {
  readonly store: FolderStore;
  readonly batches: BatchClient;
  readonly client: Client;
  /** Restarts of the second worker, by how it ended. */
  readonly restarts = { drained: 0, killed: 0 };
  /** Rejects when a process ends that nobody ended; never resolves. */
  readonly failure: Promise<never>;
  #second: Service;
  #fail!: (error: Error) => void;
  readonly #connection: Connection;

  private constructor(
    readonly options: SoakSiteOptions,
    readonly stack: Stack,
    second: Service,
  ) {
    this.store = new FolderStore(this.archive);
    this.#connection = Connection.lazy({ address: stack.temporalAddress });
    this.client = new Client({ connection: this.#connection });
    this.batches = new BatchClient({ client: this.client });
    this.#second = second;
    const secondFailure = new Promise<never>((_, reject) => (this.#fail = reject));
    this.failure = Promise.race([stack.failure, secondFailure]);
    this.failure.catch(() => undefined);
    this.#watchSecond(second);
  }

  /** Starts everything. */
  static async open(options: SoakSiteOptions): Promise<SoakSite> {
    const { processes, temporal, folder, print } = options;
    const stack = await startStack({
      processes, temporal, folder, print,
      secretKeyFile: join(folder, 'secret-key'),
      archive: join(folder, 'archive'),
      simulatorArgs: ['--credits', String(plentyOfCredits), '--job-ms', '800', '--part-threshold', '4000000'],
      workers: [{ nodeArgs: gcReport }],
    });
    return new SoakSite(options, stack, await startWorker(options, { worker: { args: options.secondArgs, nodeArgs: gcReport }, index: 1, env: stack.env }));
  }

  /** The archive's folder. */
  get archive(): string {
    return join(this.options.folder, 'archive');
  }

  /** Temporal's database. */
  get database(): string {
    return join(this.options.folder, 'temporal.db');
  }

  /** The processes, under the names of the report. */
  watched(): Watched[] {
    const { temporal, simulator, webhook, workers } = this.stack.services;
    const all: [string, Service | undefined][] = [['worker', workers[0]], ['worker-2', this.#second], ['receiver', webhook], ['temporal', temporal], ['simulator', simulator]];
    return all.flatMap(([name, service]) => {
      const pid = service?.child.process.pid;
      return pid === undefined ? [] : [{ name, pid, ...(name.startsWith('worker') && { gcLog: service!.log }) }];
    });
  }

  /** Ends the second worker and starts it again: drained after SIGTERM, or killed. @throws when it does not drain in time */
  async restartSecond(how: 'drained' | 'killed'): Promise<void> {
    const old = this.#second;
    this.#expected.add(old);
    old.child.process.kill(how === 'drained' ? 'SIGTERM' : 'SIGKILL');
    const late = pause(drainMs, 'late' as const, { ref: false });
    if ((await Promise.race([old.child.ended.catch(() => null), late])) === 'late') throw new Error(`the second worker did not end within ${drainMs / 1000} s of SIGTERM`);
    this.restarts[how] += 1;
    this.#second = await startWorker(this.options, { worker: { args: this.options.secondArgs, nodeArgs: gcReport }, index: 1, env: this.stack.env });
    this.#watchSecond(this.#second);
  }

  readonly #expected = new Set<Service>();

  #watchSecond(service: Service): void {
    service.failure.catch((error: Error) => {
      if (!this.#expected.has(service)) this.#fail(error);
    });
  }

  /** Sets faults, beside those in force. */
  async addFaults(faults: FaultOptions[]): Promise<void> {
    await this.#control('faults', { faults });
  }

  /** Sets what no job has reserved. */
  async setCredits(available: number): Promise<void> {
    await this.#control('credits', { available });
  }

  /** What the simulator has recorded of a batch. */
  async records(batchId: string): Promise<Records> {
    return recordsSchema.parse(await this.#control(`records?externalId=${encodeURIComponent(`batch/${batchId}/`)}`));
  }

  /** What the simulator has counted. */
  async counters(): Promise<SimulatorCounters> {
    return (await this.#control('counters')) as SimulatorCounters;
  }

  /** Files of the archive below a folder, temporary ones included. */
  async filesBelow(folder: string): Promise<string[]> {
    const entries = await readdir(join(this.archive, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(this.archive.length + 1));
  }

  /** Lets Temporal go; the processes are the caller's. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #control(path: string, body?: object): Promise<unknown> {
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`${this.stack.control}/${path}`, body ? post : {});
    if (!answer.ok) throw new Error(`the simulator's control interface refused ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

/** What `GET /counters` says. */
export interface SimulatorCounters {
  requests: Record<string, Record<string, number>>;
  bytesReceived: number;
  refusedDigests: number;
  refusedSizes: number;
  webhooks: { delivered: number; failed: number; dropped: number };
}

/** Credits that never run out by themselves. */
export const plentyOfCredits = 1_000_000_000;
