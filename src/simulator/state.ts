import { createHash, randomBytes } from 'node:crypto';
import { Clock } from './clock';
import { Counters } from './counters';
import { Credits } from './credits';
import { ApiError, notFound } from './errors';
import { Faults } from './armed-faults';
import { isThere, type SimJob, type SimProject } from './job';
import { scopes, type Scope, type Settings } from './options';
import { Scratch } from './scratch';
import { Signer } from './signing';
import { Throttle } from './traffic';

// How long a key is remembered; the documentation names no length.
const idempotencyMs = 24 * 3_600_000;
const maxKeyLength = 256;

interface Remembered {
  body: string;
  atMs: number;
  answer: unknown;
}

/** Everything a simulator knows. Memory is bounded by jobs and documents, never by their bytes. */
export class SimulatorState {
  readonly clock: Clock;
  readonly credits: Credits;
  readonly counters = new Counters();
  readonly faults = new Faults(() => this.clock.now());
  readonly scratch = new Scratch();
  /** Bounds what storage takes. */
  readonly throttle = new Throttle();
  readonly signer: Signer;
  readonly projects = new Map<string, SimProject>();
  /** In order of creation. */
  readonly jobs = new Map<string, SimJob>();
  readonly keys = new Map<string, Set<Scope>>();
  /** Known once the ports are. */
  apiUrl = '';
  storageUrl = '';
  readonly #remembered = new Map<string, Remembered>();

  constructor(readonly settings: Settings) {
    this.clock = new Clock(settings.scriptedClock);
    this.credits = new Credits(settings.credits);
    this.signer = new Signer(() => this.clock.now());
    this.keys.set(settings.apiKey, new Set(scopes));
    for (const name of settings.projects) this.#addReadyProject(name);
  }

  /** An id that nobody can guess. */
  newId(prefix: string): string {
    return `${prefix}_${randomBytes(10).toString('hex')}`;
  }

  /** @throws ApiError 404 */
  project(id: string): SimProject {
    const project = this.projects.get(id);
    if (!project) throw notFound('project');
    return project;
  }

  /** @throws ApiError 404, also when the job's time is over, or it is hidden */
  job(id: string): SimJob {
    const job = this.jobs.get(id);
    if (!job || !isThere(job)) throw notFound('job');
    return job;
  }

  /**
   * What was answered under this key before, on this route and resource; undefined when nothing was.
   *
   * @throws ApiError 400 for a key that is too long, 409 when the body was another one
   */
  recall(scope: string, key: string | undefined, body: unknown): unknown {
    if (key === undefined) return undefined;
    if (key.length > maxKeyLength) throw new ApiError(400, 'invalid_idempotency_key', `Idempotency-Key has at most ${maxKeyLength} characters.`);
    this.#forgetOldKeys();
    const earlier = this.#remembered.get(`${scope} ${key}`);
    if (earlier && earlier.body !== fingerprint(body)) {
      throw new ApiError(409, 'idempotency_conflict', 'This Idempotency-Key was used with another body.');
    }
    return earlier?.answer;
  }

  /** Remembers an answer under a key, for a day. */
  remember(scope: string, key: string | undefined, body: unknown, answer: unknown): void {
    if (key === undefined) return;
    this.#remembered.set(`${scope} ${key}`, { body: fingerprint(body), atMs: this.clock.now(), answer });
  }

  #forgetOldKeys(): void {
    for (const [key, { atMs }] of this.#remembered) {
      if (atMs + idempotencyMs > this.clock.now()) return;
      this.#remembered.delete(key);
    }
  }

  #addReadyProject(name: string): void {
    const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_').replaceAll(/^_|_$/g, '');
    const id = slug !== '' && !this.projects.has(`proj_${slug}`) ? `proj_${slug}` : this.newId('proj');
    const now = this.clock.now();
    this.projects.set(id, { id, name, status: 'ready', upgradeStatus: null, createdAtMs: now, updatedAtMs: now });
  }
}

const fingerprint = (body: unknown): string => createHash('sha256').update(JSON.stringify(body ?? {})).digest('base64');
