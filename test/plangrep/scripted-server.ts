import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PlangrepClient } from '../../src/plangrep/client';
import type { PlangrepClientOptions } from '../../src/plangrep/client';

/** A request as it arrived. */
export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** A recorded answer. */
export interface Golden {
  status: number;
  body: unknown;
}

export const key = 'pgk_test_0123456789';

/** A recorded answer from test/fixtures/plangrep. */
export const golden = (name: string): Golden => JSON.parse(readFileSync(join(__dirname, '../fixtures/plangrep', `${name}.json`), 'utf8')) as Golden;

/** A server on a free port that answers with the given script, and a client for it. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  private readonly server = createServer((request, response) => void this.handle(request, response));
  private readonly clients: PlangrepClient[] = [];
  private script: (request: IncomingMessage, response: ServerResponse, seen: Seen) => unknown = (_request, response) => response.end();

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  /** Reads the whole request, then answers so. */
  answer(script: (response: ServerResponse, seen: Seen) => unknown): void {
    this.script = async (request, response, seen) => {
      seen.body = await buffer(request);
      await script(response, seen);
    };
  }

  /** Answers with JSON. */
  json(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.answer((response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body)));
  }

  golden(name: string): void {
    const { status, body } = golden(name);
    this.json(status, body);
  }

  /** Answers without reading the request first. */
  raw(script: (request: IncomingMessage, response: ServerResponse) => unknown): void {
    this.script = script;
  }

  client(options: Partial<PlangrepClientOptions> = {}): PlangrepClient {
    const client = new PlangrepClient({ baseUrl: this.url, apiKey: () => key, version: '1.2.3', ...options });
    this.clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: Seen = { method: request.method!, url: request.url!, headers: request.headers, body: Buffer.alloc(0) };
    this.seen.push(seen);
    // A client that hangs up is part of many tests.
    request.on('error', () => undefined);
    await Promise.resolve(this.script(request, response, seen)).catch(() => response.destroy());
  }
}

/** What the call fails with; fails itself when it does not. */
export async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  const answer = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in answer)) throw new Error('The call was expected to fail');
  return answer.error;
}

/** Everything an error would show to whoever prints it. */
export const shown = (error: Error): string => JSON.stringify([Object.entries(error), error.message, error.stack, error.cause]);
