import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { IncomingBody, OutgoingBody, readText } from './bodies';
import { publicText, readApiError, readStorageError } from './error-body';
import { ContractError, PlangrepError, TransportError, errorForStatus } from './errors';
import type { ErrorOrigin } from './errors';
import { parseRetryAfter } from './retry-after';
import { TimeLimit } from './time-limit';

/** Settings of {@link Transport}. */
export interface TransportOptions {
  /** Origin of the API, with an optional path before `/api/open/v1`. */
  baseUrl: string;
  /** Asked at every call, so that a key can be changed without a restart. */
  apiKey: () => string;
  /** This product's version, for `User-Agent`. */
  version: string;
  /**
   * How long the remote side may be silent, in ms: before it answers, between two pieces of an answer, or without taking a piece of ours.
   * In so long a download must also bring 16 KiB, while somebody reads it. Default 120,000; 0 waits for ever.
   */
  idleTimeoutMs?: number;
  /** How long a call may take in all, in ms, up to the end of a JSON answer or the beginning of a download, however it drips; a call with a streamed body has no such limit. Default 110,000. */
  callTimeoutMs?: number;
  /** How long the words of a refusal are waited for, in ms: its status says enough. Default 10,000. */
  refusalTimeoutMs?: number;
  /** Clock for `Retry-After` dates, in ms since 1970. Default `Date.now`. */
  now?: () => number;
}

/** One call to the API. */
export interface ApiCall {
  method: 'GET' | 'POST';
  /** Below `/api/open/v1`, segments already encoded. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Text is sent as JSON; a stream with the content type in `headers`. */
  body?: string | OutgoingBody;
  signal?: AbortSignal | undefined;
  /** Texts of this call that no error message may repeat. The API key is always one. */
  secrets?: string[];
}

/** An answer with a 2xx status whose body has not been read. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Must be read to its end or destroyed. */
  body: Readable;
  /** Method and path, for messages. */
  label: string;
}

interface Exchange {
  method: 'GET' | 'POST' | 'PUT';
  url: URL;
  headers: Record<string, string>;
  body: string | OutgoingBody | null;
  signal: AbortSignal | undefined;
  secrets: string[];
  origin: ErrorOrigin;
  label: string;
}

const defaultIdleTimeoutMs = 120_000;
/** Just below the time that an activity of one call gets, so that what is told is what happened. */
const defaultCallTimeoutMs = 110_000;
const defaultRefusalTimeoutMs = 10_000;
/** What a download must bring within the idle timeout, in bytes. */
const leastBytes = 16 * 1024;
const connectTimeoutMs = 10_000;
/** Largest JSON answer that is read into memory. */
const jsonLimitBytes = 16 * 1024 * 1024;
const errorLimitBytes = 64 * 1024;
// Mistakes of this side: to call them a broken connection would have them retried for days.
const ourMistakes = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'ERR_INVALID_URL', 'ERR_INVALID_ARG_TYPE']);

/** HTTP to the API and to its storage. One attempt a call: retry belongs to whoever can tell what a repeat means. */
export class Transport {
  private readonly agent: Agent;
  private readonly base: URL;

  /** @throws TypeError when the base URL is no plain http or https URL */
  constructor(private readonly options: TransportOptions) {
    this.base = parseBaseUrl(options.baseUrl);
    const idleMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
    // undici counts both timeouts from the last byte that moved, in either direction.
    this.agent = new Agent({ headersTimeout: idleMs, bodyTimeout: idleMs, connect: { timeout: connectTimeoutMs } });
  }

  /** A call to the API, with the key, whose answer is read by the caller. It must begin in time. @throws PlangrepError */
  async begin(call: ApiCall): Promise<Answer> {
    const limit = this.limitOf(call);
    try {
      return await this.api({ ...call, signal: limit.signal });
    } finally {
      limit.end();
    }
  }

  /** The time that a call has in all; `end` it in any case. */
  limitOf({ method, path, body, signal }: ApiCall): TimeLimit {
    const limitMs = body instanceof OutgoingBody ? Infinity : (this.options.callTimeoutMs ?? defaultCallTimeoutMs);
    return new TimeLimit(limitMs, `${method} /api/open/v1${path}`, signal);
  }

  /** A call to the API, with the key. @throws PlangrepError */
  api(call: ApiCall): Promise<Answer> {
    const url = new URL(`${this.base.pathname.replace(/\/+$/, '')}/api/open/v1${call.path}`, this.base);
    const key = this.options.apiKey();
    const label = `${call.method} ${url.pathname}`;
    // A space as %20 is understood by every server, as + only by those that take the query for a form.
    url.search = new URLSearchParams(call.query).toString().replaceAll('+', '%20');
    const headers: Record<string, string> = { accept: 'application/json', ...(typeof call.body === 'string' && { 'content-type': 'application/json' }), ...call.headers };
    const secrets = [key, ...(call.secrets ?? [])];
    headers['authorization'] = `Bearer ${key}`;
    return this.exchange({ method: call.method, url, headers, body: call.body ?? null, signal: call.signal, secrets, origin: 'api', label });
  }

  /** A PUT to a signed URL, without the key. @throws PlangrepError with origin `storage` */
  async put(signedUrl: string, headers: Record<string, string>, body: OutgoingBody, signal?: AbortSignal): Promise<Answer> {
    const url = URL.canParse(signedUrl) ? new URL(signedUrl) : null;
    // Documents must not leave by a plain connection that the API itself would not be reached by.
    if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && this.base.protocol === 'http:'))) {
      body.destroy();
      throw new ContractError('PUT to a signed URL', ['url: not usable'], { origin: 'storage' });
    }
    return this.exchange({ method: 'PUT', url, headers, body, signal, secrets: [], origin: 'storage', label: `PUT to ${url.host}` });
  }

  /** A call to the API whose answer is one JSON value of at most 16 MiB. @throws PlangrepError */
  async json<T extends z.ZodType>(call: ApiCall, schema: T): Promise<z.infer<T>> {
    const value = await this.jsonOrNothing(call, schema);
    if (value === null) throw new ContractError(`${call.method} /api/open/v1${call.path}`, ['body: empty'], { status: 200, unreadable: true });
    return value;
  }

  /** As {@link json}; null when the success has no body. */
  async jsonOrNothing<T extends z.ZodType>(call: ApiCall, schema: T): Promise<z.infer<T> | null> {
    const limit = this.limitOf(call);
    try {
      const answer = await this.api({ ...call, signal: limit.signal });
      const text = await this.text(answer, limit.signal);
      if (call.body instanceof OutgoingBody) this.assertSent(call.body, answer.label);
      return text === '' ? null : parseJson(text, schema, answer);
    } finally {
      limit.end();
      if (call.body instanceof OutgoingBody) call.body.destroy();
    }
  }

  /** All of an answer's body, at most 16 MiB. @throws TransportError, ContractError */
  async text(answer: Answer, signal?: AbortSignal): Promise<string> {
    const text = await readText(answer.body, jsonLimitBytes).catch((error: unknown) => {
      throw this.failure(error, answer.label, signal);
    });
    if (text === null) throw new ContractError(answer.label, ['body: larger than 16 MiB'], { status: answer.status });
    return text;
  }

  /** An answer's body as a stream whose failures are {@link TransportError}s, or the signal's reason. It fails as well when it only drips. */
  stream(answer: Answer, signal?: AbortSignal): Readable {
    const least = { bytes: leastBytes, inMs: this.options.idleTimeoutMs ?? defaultIdleTimeoutMs };
    const dripping = () => new TransportError(`${answer.label} brought less than ${least.bytes} bytes in ${least.inMs / 1000} s`, { code: 'TOO_SLOW' });
    return new IncomingBody(answer.body, (error) => this.failure(error, answer.label, signal), { ...least, dripping });
  }

  /** @throws TransportError when a success came before the whole body had been sent */
  assertSent(body: OutgoingBody, label: string, origin: ErrorOrigin = 'api'): void {
    if (!body.complete) throw new TransportError(`${label} was answered before all of it was sent`, { code: 'EARLY_ANSWER', origin });
  }

  /** What stopped a call, as this module's callers see it: cancellation untouched, everything else as a {@link PlangrepError}. */
  failure(error: unknown, label: string, signal?: AbortSignal, origin: ErrorOrigin = 'api'): Error {
    if (signal?.aborted) return signal.reason as Error;
    if (error instanceof PlangrepError) return error;
    const { code, name } = (error ?? {}) as { code?: string; name?: string };
    const reason = code ?? name ?? 'unknown';
    if (ourMistakes.has(reason)) return error as Error;
    // undici's parser errors carry what they had read; only the code goes on.
    return new TransportError(`${label} got no complete answer (${reason})`, { code: reason, origin });
  }

  /** Ends all connections. Calls still running fail with {@link TransportError}. Safe to repeat. */
  async close(): Promise<void> {
    if (!this.agent.destroyed) await this.agent.destroy();
  }

  private async exchange(exchange: Exchange): Promise<Answer> {
    const { body, label, signal, origin } = exchange;
    try {
      const answer = await this.request(exchange);
      // Without a listener an abandoned body would end the process when its connection breaks.
      answer.body.on('error', () => undefined);
      if (answer.statusCode >= 200 && answer.statusCode < 300) return { status: answer.statusCode, headers: answer.headers, body: answer.body, label };
      throw await this.refusal(answer, exchange);
    } catch (error) {
      const unread = body instanceof OutgoingBody ? body.failure : null;
      if (body instanceof OutgoingBody) body.destroy();
      const ours = unread !== null && !signal?.aborted && !(error instanceof PlangrepError);
      throw ours ? unread : this.failure(error, label, signal, origin);
    }
  }

  /** undici follows no redirect unless an interceptor is added, so that the key stays where it was meant for; a 3xx is a refusal. */
  private request({ method, url, headers, body, signal }: Exchange): Promise<Dispatcher.ResponseData> {
    const streamed = body instanceof OutgoingBody;
    const sized = streamed && { 'content-length': String(body.sizeBytes) };
    return this.agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      body: streamed ? body.open() : body,
      headers: { 'user-agent': `plangrep-batch/${this.options.version}`, 'accept-encoding': 'identity', ...headers, ...sized },
      ...(signal && { signal }),
    });
  }

  private async refusal(answer: { statusCode: number; headers: Answer['headers']; body: Readable }, exchange: Exchange): Promise<PlangrepError> {
    const { origin, label, secrets } = exchange;
    // The status alone decides enough; a body that breaks off, or drips, must not hide it.
    const late = setTimeout(() => answer.body.destroy(), this.options.refusalTimeoutMs ?? defaultRefusalTimeoutMs);
    const text = (await readText(answer.body, errorLimitBytes).catch(() => null)) ?? '';
    clearTimeout(late);
    const said = origin === 'api' ? readApiError(text) : readStorageError(text);
    const code = said.code !== null && !secrets.includes(said.code) ? said.code : null;
    const status = answer.statusCode;
    const what = status < 400 ? `${status} (a redirect, which is not followed)` : `${status}${code === null ? '' : ` (${code})`}`;
    const why = said.message === null ? '' : `: ${publicText(said.message, secrets)}`;
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], (this.options.now ?? Date.now)(), answer.headers['date']);
    return errorForStatus(`${label} answered ${what}${why}`, { status, code, retryAfterMs, origin });
  }
}

function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url && ['http:', 'https:'].includes(url.protocol) && url.username + url.password + url.search + url.hash === '';
  if (!plain) throw new TypeError('The base URL must be http or https, without user, query or fragment');
  return url;
}

/** @throws ContractError naming what is wrong where, never a value */
export function parseJson<T extends z.ZodType>(text: string, schema: T, answer: Pick<Answer, 'label' | 'status' | 'headers'>): z.infer<T> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const type = String(answer.headers['content-type'] ?? 'none').split(';')[0]!;
    throw new ContractError(answer.label, [`body: not JSON (content type ${publicText(type)})`], { status: answer.status, unreadable: true });
  }
  return parseShape(body, schema, answer.label, answer.status);
}

/** @throws ContractError naming what is wrong where, never a value */
export function parseShape<T extends z.ZodType>(body: unknown, schema: T, label: string, status: number): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new ContractError(label, parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.code}`), { status });
}
