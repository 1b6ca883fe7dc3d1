import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { request } from 'undici';
import { jobStatusChangedSignal, jobWorkflowId, webhookSecretMemo } from '../../src/contract/messages';
import { webhookPath } from '../../src/contract/webhook-path';
import { signWebhook } from '../../src/plangrep/signature';
import { Seal } from '../../src/store/seal';
import { cli, withoutOurs } from '../local-stack';
import { startLocalTemporal } from '../local-temporal';

const root = join(__dirname, '../..');
/** How often somebody honest sends a webhook whose connection was closed, as every sender of webhooks does. */
const attempts = 5;

/** A receiver process. */
export interface ReceiverProcess {
  child: ChildProcess;
  port: number;
  /** Its standard error so far. */
  errors(): string;
  /** Resident memory now, and the most since {@link forgetPeak}, in bytes. */
  memory(): { now: number; peak: number };
  forgetPeak(): void;
  /** SIGTERM, unless told otherwise; resolves with the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** How a webhook of somebody honest went. */
export interface Honest {
  status: number;
  /** Of the attempt that was answered, in ms. */
  ms: number;
  /** Attempts that ended without an answer. */
  lost: number;
}

/** A real Temporal server, receiver processes, and jobs that no worker serves, so that their histories hold what they were told and nothing else. */
export class StormSite {
  readonly #key = randomBytes(32);
  readonly #seal = new Seal(this.#key);
  readonly #receivers: ReceiverProcess[] = [];
  readonly secret = 'wss_of-all-jobs';

  private constructor(readonly temporal: TestWorkflowEnvironment) {}

  static async start(): Promise<StormSite> {
    return new StormSite(await startLocalTemporal());
  }

  /** @param command Node's arguments for the command line. Default: the built one. @param openFiles the limit of the process. Default: this one's. */
  async startReceiver({ command = [cli], openFiles }: { command?: string[]; openFiles?: number } = {}): Promise<ReceiverProcess> {
    const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `;
    const env = { ...withoutOurs(process.env), TEMPORAL_ADDRESS: this.temporal.address, TEMPORAL_CONFIG_FILE: '/no-such-file', PLANGREP_SECRET_KEY: this.#key.toString('base64') };
    const child = spawn('bash', ['-c', `${limit}exec "$0" "$@"`, process.execPath, ...command, 'webhook', '--json', '--port', '0'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const ended = once(child, 'close').then(([code]) => code as number | null);
    const line = once(createInterface({ input: child.stdout }), 'line').then(([text]) => text as string);
    const first = await Promise.race([line, ended.then((code) => Promise.reject(new Error(`the receiver ended with ${code}: ${errors}`)))]);
    const receiver = { child, port: Number(new URL((JSON.parse(first) as { webhook: string }).webhook).port), errors: () => errors, ...memoryOf(child.pid!), end: (signal: NodeJS.Signals = 'SIGTERM') => (child.kill(signal), ended) };
    this.#receivers.push(receiver);
    return receiver;
  }

  job(number: number): string {
    return jobWorkflowId('storm', number);
  }
  path(number: number): string {
    return webhookPath(this.job(number), this.#seal.sign(this.job(number)));
  }
  /** Of the same length as a right one. */
  wrongPath(number: number): string {
    return webhookPath(this.job(number), randomBytes(32).toString('base64url'));
  }
  body(status: string, updatedAt = '1'): string {
    return JSON.stringify({ event: 'job.status_changed', job: { id: 'job_1', status, updatedAt } });
  }
  /** The text of a whole request, signed. */
  request(path: string, body: string): string {
    return `POST ${path} HTTP/1.1\r\nhost: x\r\nx-plangrep-signature: ${signWebhook(this.secret, body)}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  async startJob(number: number): Promise<void> {
    const workflowId = this.job(number);
    await this.temporal.client.workflow.start('jobWorkflow', { workflowId, taskQueue: 'nobody', args: [], memo: { [webhookSecretMemo]: this.#seal.seal(this.secret, workflowId) } });
  }
  /** How often the job's workflow was told, by its history. */
  async told(number: number): Promise<number> {
    const { events } = await this.temporal.client.workflow.getHandle(this.job(number)).fetchHistory();
    return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === jobStatusChangedSignal.name).length;
  }

  /** Sends an honest webhook as Plangrep would: again when its connection is closed or the answer is 503. */
  async honest({ port }: Pick<ReceiverProcess, 'port'>, number: number, body = this.body('completed')): Promise<Honest> {
    for (let lost = 0; ; lost++) {
      const start = performance.now();
      const status = await this.#post(`http://127.0.0.1:${port}${this.path(number)}`, body).catch(() => 0);
      if ((status !== 0 && status !== 503) || lost === attempts) return { status, ms: performance.now() - start, lost };
    }
  }

  /** @throws when the connection is closed */
  async #post(url: string, body: string): Promise<number> {
    const answer = await request(url, { method: 'POST', body, reset: true, headers: { 'x-plangrep-signature': signWebhook(this.secret, body) } });
    await answer.body.dump();
    return answer.statusCode;
  }

  async stop(): Promise<void> {
    for (const { child } of this.#receivers) if (child.exitCode === null) child.kill('SIGKILL');
    await this.temporal.teardown();
  }
}

/** By proc(5). */
function memoryOf(pid: number): Pick<ReceiverProcess, 'memory' | 'forgetPeak'> {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  return { memory: () => ({ now: field('VmRSS'), peak: field('VmHWM') }), forgetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, '5') };
}
