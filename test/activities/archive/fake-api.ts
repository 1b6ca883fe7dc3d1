import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { archiveFiles } from '../../../src/activities/archive/archive-files';
import { createPace } from '../../../src/activities/pace';
import type { Pace } from '../../../src/activities/pace';
import { PlangrepClient } from '../../../src/plangrep/client';
import type { Store } from '../../../src/store';
import { FolderStore } from '../../../src/store/folder';

/** The key that must reach the API and nobody else. */
export const apiKey = 'pgk_test_5a1ad0';
export const remote = { jobId: 'job_1', externalId: 'batch/b/job/00001', createdAt: '2026-01-01T00:00:00Z', expiresAt: '2099-01-01T00:00:00Z' };

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const jobThatIsDone: Answer = (request, response) => json({ job: { id: 'job_1', status: 'completed' } })(request, response);

/** A server with the three routes that archiving uses, each as the test wants it. */
export class FakeApi {
  /** Answers of `GET /result`, in turn; the last one stays. */
  results: Answer[] = [];
  readonly artifacts = new Map<string, Answer>();
  job: Answer = jobThatIsDone;
  /** `result`, `job`, or an artifact's path, in the order asked. */
  readonly asked: string[] = [];
  readonly keys = new Set<string | undefined>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => this.serve(request, response));
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Answers as a new one does, and has been asked for nothing. */
  forget(): void {
    this.results = [];
    this.artifacts.clear();
    this.job = jobThatIsDone;
    this.asked.length = 0;
    this.keys.clear();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** The artifacts asked for, in name order. */
  get askedArtifacts(): string[] {
    return this.asked.filter((what) => what !== 'result' && what !== 'job').sort();
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    this.keys.add(request.headers.authorization);
    const route = /^\/api\/open\/v1\/jobs\/job_1(\/result|\/artifact)?$/.exec(pathname);
    const path = searchParams.get('path') ?? '';
    const what = route?.[1] === '/result' ? 'result' : route?.[1] === '/artifact' ? path : 'job';
    this.asked.push(what);
    const answer = !route ? undefined : what === 'result' ? (this.results.length > 1 ? this.results.shift() : this.results[0]) : what === 'job' ? this.job : this.artifacts.get(path);
    (answer ?? status(404))(request, response);
  }
}

/** A whole body with its length. */
export const body = (content: string | Buffer, type = 'application/octet-stream'): Answer => (_, response) => {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(content) }).end(content);
};
export const json = (value: unknown): Answer => body(JSON.stringify(value), 'application/json');
/** An error without much to say. */
export const status = (code: number, headers: Record<string, string> = {}): Answer => (_, response) => {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ error: { code: `code_${code}`, message: 'No.' } }));
};
/** Some bytes, then the connection breaks. */
export const broken = (content: string, headers: Record<string, string | number> = {}): Answer => (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers });
  response.write(content, () => response.destroy());
};
/** Never more than its first bytes. */
export const stalled = (content: string): Answer => (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).write(content);
};

/** A result that passes, with what the test wants in it. */
export const resultOf = (documents: unknown[], more: object = {}): object => ({
  ...{ schemaVersion: 'v1', job: { id: 'job_1', status: 'completed' }, documents, evidence: [], warnings: [], errors: [] },
  ...{ usage: { drawingCreditsPerPage: 10, documentCreditsPerPage: 1, successfulDrawingPageCount: 3, successfulDocumentPageCount: 0 } },
  ...more,
});
/** An artifact entry as the API's examples show it. */
export const link = (path: string, type = 'image', origin = 'https://plangrep.com'): object => ({ type, url: `${origin}/api/open/v1/jobs/job_1/artifact?path=${encodeURIComponent(path)}` });

/** An activity's surroundings that keep quiet about failures, which most tests want. */
export const quietly = (attempt = 1): MockActivityEnvironment => new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });

/** A fake API, an archive in a temporary folder, and the activities between them. */
export class Bench {
  readonly api = new FakeApi();
  folder = '';
  store!: Store;
  client!: PlangrepClient;

  async start(): Promise<void> {
    await this.api.start();
    this.folder = await mkdtemp(join(tmpdir(), 'archive-'));
    this.store = new FolderStore(this.folder);
    this.client = new PlangrepClient({ baseUrl: this.api.url, apiKey: () => apiKey, version: '0', idleTimeoutMs: 20_000 });
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.api.stop();
    this.api.forget();
    await rm(this.folder, { recursive: true, force: true });
  }

  archive(options: { attempt?: number; store?: Store; pace?: Pace; expiresAt?: string; env?: ReturnType<typeof quietly> } = {}): Promise<{ files: number; bytes: number }> {
    const { attempt = 1, store = this.store, pace = createPace(100_000), expiresAt = remote.expiresAt } = options;
    const request = { batchId: 'b', job: 1, remote: { ...remote, expiresAt } };
    return (options.env ?? quietly(attempt)).run(() => archiveFiles({ store, plangrep: this.client, pace }, request));
  }

  /** Every object below `prefix` with its content. */
  async snapshot(prefix: string, store = this.store): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for await (const { key } of store.list(prefix)) {
      const chunks: Buffer[] = [];
      for await (const chunk of await store.openRead(key)) chunks.push(chunk as Buffer);
      found[key.slice(prefix.length + 1)] = Buffer.concat(chunks).toString('latin1');
    }
    return found;
  }

  /** The objects of a JSON Lines file. */
  async lines(key: string): Promise<Record<string, unknown>[]> {
    const text = await this.text(key);
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async text(key: string): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.store.openRead(key)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }
}

/** A store whose process dies at its `step`-th change: before it on even steps, right after it on odd ones. */
export function dyingStore(store: Store, step: number): Store {
  let changes = 0;
  let dead = false;
  const dying = async <T>(change: () => Promise<T>): Promise<T> => {
    if (dead) throw new Error('killed');
    const last = (changes += 1) > step / 2;
    dead ||= last;
    if (last && step % 2 === 0) throw new Error('killed');
    const done = await change();
    if (last) throw new Error('killed');
    return done;
  };
  return {
    location: store.location,
    list: (prefix) => store.list(prefix),
    openRead: (key, range) => store.openRead(key, range),
    stat: (key) => store.stat(key),
    write: (key, content, options) => dying(() => store.write(key, content, options)),
    createIfAbsent: (key, content, options) => dying(() => store.createIfAbsent(key, content, options)),
    replaceIf: (key, content, version) => dying(() => store.replaceIf(key, content, version)),
    remove: (key) => dying(() => store.remove(key)),
    removeAll: (prefix) => dying(() => store.removeAll(prefix)),
  };
}
