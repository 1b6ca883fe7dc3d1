import { connect, type Socket } from 'node:net';
import { readConfig } from '../../src/config';
import { jobWorkflowId } from '../../src/contract/messages';
import { webhookPath } from '../../src/contract/webhook-path';
import { createLogger } from '../../src/log';
import { signWebhook } from '../../src/plangrep/signature';
import { Seal } from '../../src/store/seal';
import { startWebhook, type Webhook, type WebhookOptions } from '../../src/webhook';
import { ScriptedTemporal } from './scripted-temporal';

const key = Buffer.alloc(32, 7);

/** A receiver on a port of its own, and all that an attacker, and somebody honest, can do to it over sockets. */
export class AttackedReceiver {
  readonly seal = new Seal(key);
  readonly secret = 'wss_the-secret';
  log = '';
  private constructor(
    readonly temporal: ScriptedTemporal,
    private readonly started: { webhook?: Webhook },
  ) {}

  static async start(more: Partial<WebhookOptions> = {}, env: Record<string, string> = {}): Promise<AttackedReceiver> {
    const receiver = new AttackedReceiver(new ScriptedTemporal(), {});
    const log = createLogger({ to: { write: (line) => (receiver.log += line) } });
    const config = readConfig({ PLANGREP_SECRET_KEY: key.toString('base64'), ...env }, ['secretKey']);
    receiver.started.webhook = await startWebhook({ config, temporal: receiver.temporal.client, port: 0, log, ...more });
    return receiver;
  }

  get webhook(): Webhook {
    return this.started.webhook!;
  }
  get port(): number {
    return Number(new URL(this.webhook.url).port);
  }

  job(number: number): string {
    return jobWorkflowId('tower', number);
  }
  path(number: number): string {
    return webhookPath(this.job(number), this.seal.sign(this.job(number)));
  }
  /** From now on the job has a secret. */
  protect(number: number): void {
    this.temporal.memos.set(this.job(number), this.seal.seal(this.secret, this.job(number)));
  }
  /** The header that Plangrep would send. */
  signed(body: string | Buffer): string {
    return `x-plangrep-signature: ${signWebhook(this.secret, body)}\r\n`;
  }
  /** What the job's workflow was told. */
  told(number: number): { status: string | null; updatedAt: string | null }[] {
    return this.temporal.signals.filter(({ workflowId }) => workflowId === this.job(number)).map(({ status, updatedAt }) => ({ status, updatedAt }));
  }

  async connect(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise<void>((done) => void socket.once('connect', () => done()));
    return socket;
  }

  /** All that comes back until the receiver closes the connection, after these bytes and, unless told otherwise, our end of it. */
  async raw(bytes: string | Buffer, { end = true } = {}): Promise<string> {
    const socket = await this.connect();
    const answer = everything(socket);
    socket.write(bytes);
    if (end) socket.end();
    return answer;
  }

  /** The answer to one request. */
  send(path: string, body: string | Buffer = '{}', { method = 'POST', headers = '' } = {}): Promise<string> {
    const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n`;
    return this.raw(Buffer.concat([Buffer.from(head), Buffer.from(body)]), { end: false });
  }

  async stop(): Promise<void> {
    await this.webhook.close();
  }
}

/** All that a connection gives until it ends, however it does. */
export async function everything(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  await new Promise<void>((done) => void socket.once('close', () => done()));
  return text;
}

/** The status of an answer; 0 when there was none. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
/** An answer without its date. */
export const timeless = (answer: string): string => answer.replace(/^date: .*\r\n/im, '');
