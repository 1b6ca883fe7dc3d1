import type { RemoteJob } from '../../src/contract/activities';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import { ActivityBench } from '../support/activity-bench';
import { manyDocuments, writeDocuments } from '../support/documents';
import { FaultProxy, type ConnectionFault, type Decide } from '../support/fault-proxy';

const keys = jobKeys('bench', 1);
/** Holds end when the client has had enough; how long that takes decides nothing else. */
const patienceMs = { usual: 20_000, held: 300 };
const faults: [string, ConnectionFault][] = [
  ['reset within the request', { kind: 'reset', of: 'request', afterBytes: 40 }],
  ['closed within the request', { kind: 'fin', of: 'request', afterBytes: 150 }],
  ['reset after its effect', { kind: 'dropAnswer' }],
  ['reset within the answer', { kind: 'reset', of: 'answer', afterBytes: 30 }],
  ['closed within the answer', { kind: 'fin', of: 'answer', afterBytes: 260 }],
  ['cut into bytes', { kind: 'split', mostBytes: 2 }],
  ['held within the request', { kind: 'hold', of: 'request', afterBytes: 20 }],
  ['held within the answer', { kind: 'hold', of: 'answer', afterBytes: 100 }],
];

/** A job's whole life over connections of which one has a fault, each activity run again as Temporal would. */
class Life {
  readonly #proxies: FaultProxy[] = [];
  readonly failures: string[] = [];
  bench!: ActivityBench;

  async start(decide: Decide, timeoutMs: number): Promise<void> {
    this.bench = await ActivityBench.start({}, async (simulator) => {
      const [api, storage] = await Promise.all([FaultProxy.start(simulator.apiUrl, decide), FaultProxy.start(simulator.storageUrl, decide)]);
      this.#proxies.push(api, storage);
      simulator.state.storageUrl = storage.url;
      return { baseUrl: api.url, callTimeoutMs: timeoutMs, idleTimeoutMs: timeoutMs };
    });
    await writeDocuments(this.bench.source, manyDocuments(2));
    await this.bench.plan();
  }

  async stop(): Promise<void> {
    await this.bench.stop();
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
  }

  get exchanges(): number {
    return this.#proxies.reduce((sum, { exchanges }) => sum + exchanges, 0);
  }

  /** @throws a failure that Temporal would not retry, and the fiftieth of those that it would */
  async again<T>(run: (attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run(attempt);
      } catch (error) {
        const { type = String(error), nonRetryable } = error as { type?: string; nonRetryable: boolean };
        if (type !== failureTypes.notYet) this.failures.push(type);
        if (nonRetryable || attempt === 50) throw error;
      }
    }
  }

  async live(): Promise<void> {
    const { activities, createRequest } = this.bench;
    const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await this.again((attempt) => this.bench.run(activities.api.createJob, createRequest, attempt)))!;
    const on = this.bench.onRemote(remote satisfies RemoteJob);
    await this.again((attempt) => this.bench.run(activities.transfer.uploadDocuments, { ...on, projectId: 'proj_quickstart', upload: 'signed' as const, skipProcessed: false }, attempt));
    await this.again((attempt) => this.bench.run(activities.api.completeUploads, on, attempt));
    await this.again((attempt) => this.bench.run(activities.api.resumeJob, on, attempt));
    await this.again((attempt) => this.bench.run(activities.api.awaitJob, { ...on, until: [] }, attempt));
    await this.again((attempt) => this.bench.run(activities.archive.archiveJob, { ...on, projectId: 'proj_quickstart' }, attempt));
    await this.again((attempt) => this.bench.run(activities.api.cancelJob, on, attempt));
  }

  /** What came of it: the remote jobs, their documents, pages paid for, outcomes. */
  async account(): Promise<unknown> {
    const jobs = [...this.bench.simulator.state.jobs.values()].map(({ status, documents }) => [status, documents.filter(({ included, content }) => included && content).map(({ fileName }) => fileName).sort()]);
    const records = await fetch(`${this.bench.simulator.controlUrl}/records`);
    const { debits } = (await records.json()) as { debits: Record<string, number[]> };
    const chunks: Buffer[] = [];
    for await (const chunk of await this.bench.store.openRead(keys.documents)) chunks.push(chunk as Buffer);
    const outcomes = Buffer.concat(chunks).toString().split('\n').filter(Boolean).map((line) => JSON.parse(line) as { outcome: string; artifacts: unknown[] });
    return { jobs, debits: Object.values(debits).flat(), outcomes: outcomes.map(({ outcome, artifacts }) => [outcome, artifacts.length]) };
  }
}

async function live(decide: Decide, timeoutMs = patienceMs.usual) {
  const life = new Life();
  await life.start(decide, timeoutMs);
  try {
    await life.live();
    return { account: await life.account(), exchanges: life.exchanges, failures: life.failures };
  } finally {
    await life.stop();
  }
}

describe('a connection that breaks, at whichever exchange of a job’s life', () => {
  let plain: Awaited<ReturnType<typeof live>>;
  beforeAll(async () => {
    plain = await live(() => null);
    expect(plain.failures).toEqual([]);
    expect(plain.account).toMatchObject({ jobs: [['completed', ['drawing-0001.pdf', 'drawing-0002.pdf']]], debits: [1, 1, 1] });
  });

  test.each(faults)('%s: it is made up for, and the job comes to the same', async (what, fault) => {
    expect(plain.exchanges).toBeGreaterThan(10);
    const timeoutMs = fault.kind === 'hold' ? patienceMs.held : patienceMs.usual;
    // Each fault takes every second exchange, and the next fault the others; `REMOTE_ROUNDS` above 1 takes all.
    const [first, step] = Number(process.env['REMOTE_ROUNDS'] ?? 1) > 1 ? [0, 1] : [faults.findIndex(([name]) => name === what) % 2, 2];
    for (let hit = first; hit < plain.exchanges; hit += step) {
      let exchange = 0;
      const { account, failures } = await live(() => (exchange++ === hit ? fault : null), timeoutMs);
      expect({ hit, account }).toEqual({ hit, account: plain.account });
      expect(failures.every((type) => type === failureTypes.unreachable)).toBe(true);
    }
  });
});
