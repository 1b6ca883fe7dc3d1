import { randomBytes } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { request } from 'undici';
import { jobStatusChangedSignal, jobWorkflowId, webhookSecretMemo } from '../../src/contract/messages';
import { webhookPath } from '../../src/contract/webhook-path';
import { signWebhook } from '../../src/plangrep/signature';
import { Seal } from '../../src/store/seal';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { errorOf, runCli, startCli, type RunningCli } from '../support/cli';

const key = randomBytes(32);
const seal = new Seal(key);
const secret = 'wss_the-secret';
const pathOf = (job: string) => webhookPath(job, seal.sign(job));
const ended = (status: string, updatedAt = '1') => JSON.stringify({ job: { id: 'job_1', status, updatedAt } });

let temporal: TestWorkflowEnvironment;
let receiver: RunningCli;
let env: Record<string, string>;
let url: string;

beforeAll(async () => {
  temporal = await startLocalTemporal();
  env = { TEMPORAL_ADDRESS: temporal.address, PLANGREP_SECRET_KEY: key.toString('base64'), PLANGREP_WEBHOOK_URL: 'https://example.com/hooks' };
  receiver = startCli(['webhook', '--port', '0', '--json'], env);
  await receiver.seen(/^\{"webhook"/);
  url = (JSON.parse(receiver.output.stdout.split('\n')[0]!) as { webhook: string }).webhook;
});
afterAll(async () => {
  receiver.child.kill('SIGKILL');
  await temporal.teardown();
});

async function post(job: string, body: string, by: string | null = secret): Promise<number> {
  const headers = by === null ? {} : { 'x-plangrep-signature': signWebhook(by, body) };
  const response = await request(`${url}/hooks${pathOf(job)}`, { method: 'POST', body, headers });
  await response.body.dump();
  return response.statusCode;
}

/** A workflow that no worker serves: what it was told is in its history. */
async function startJob(number: number, memo: Record<string, string> = {}): Promise<string> {
  const workflowId = jobWorkflowId('tower', number);
  await temporal.client.workflow.start('jobWorkflow', { workflowId, taskQueue: 'nobody', args: [], memo });
  return workflowId;
}

async function toldTo(workflowId: string): Promise<unknown[]> {
  const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
  const signals = (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => (signal ? [signal] : []));
  return signals.map(({ signalName, input }) => [signalName, JSON.parse(Buffer.from(input!.payloads![0]!.data!).toString()) as unknown]);
}

test('the command serves at once a job without a secret and one whose memo holds it, and tells their workflows', async () => {
  const [plain, sealed] = [await startJob(1), await startJob(2, { [webhookSecretMemo]: seal.seal(secret, jobWorkflowId('tower', 2)) })];
  const answers = [
    await post(plain, ended('processing'), null),
    await post(plain, ended('completed'), null),
    await post(plain, ended('completed'), null),
    await post(sealed, ended('completed'), null),
    await post(sealed, ended('completed'), 'wss_other'),
    await post(sealed, ended('failed')),
    await post(sealed, 'no JSON'),
  ];
  expect(answers).toEqual([204, 204, 204, 404, 404, 204, 204]);
  expect(await toldTo(plain)).toEqual([[jobStatusChangedSignal.name, { status: 'completed', updatedAt: '1' }]]);
  expect(await toldTo(sealed)).toEqual([
    [jobStatusChangedSignal.name, { status: 'failed', updatedAt: '1' }],
    [jobStatusChangedSignal.name, { status: null, updatedAt: null }],
  ]);
});

test('a workflow that is closed, and one that never was, are no error', async () => {
  const closed = await startJob(3);
  await temporal.client.workflow.getHandle(closed).terminate();
  expect([await post(closed, ended('completed')), await post(jobWorkflowId('tower', 99), ended('completed'))]).toEqual([204, 204]);
  expect((await request(`${url}/readyz`)).statusCode).toBe(200);
});

test('a receiver tells on SIGTERM what had to wait, and ends well, without a secret in its output', async () => {
  const job = await startJob(4);
  expect([await post(job, ended('completed', '1')), await post(job, ended('completed', '2'))]).toEqual([204, 204]);
  receiver.child.kill('SIGTERM');
  const { code, stdout, stderr } = await receiver.ended;
  expect(code).toBe(0);
  expect((await toldTo(job)).map((told) => (told as [string, { updatedAt: string }])[1].updatedAt)).toEqual(['1', '2']);
  expect(stdout.trim().split('\n')).toEqual([JSON.stringify({ webhook: url, public: 'https://example.com/hooks' })]);
  for (const hidden of [seal.sign(job), 'wss_', key.toString('base64')]) expect(stdout + stderr).not.toContain(hidden);
});

test('it does not start without a key, without Temporal, or where it may not listen', async () => {
  const { PLANGREP_SECRET_KEY: _key, ...keyless } = env;
  const [withoutKey, withoutTemporal, taken, elsewhere] = await Promise.all([
    runCli(['webhook', '--json'], keyless),
    runCli(['webhook', '--json', '--port', '0'], { ...env, TEMPORAL_NAMESPACE: 'no-such-namespace' }),
    runCli(['webhook', '--json', '--port', temporal.address.split(':')[1]!], env),
    runCli(['webhook', '--json', '--port', '0', '--host', '192.0.2.1'], env),
  ]);
  expect([withoutKey, withoutTemporal, taken, elsewhere].map((result) => [result.code, errorOf(result).code])).toEqual([
    [1, 'configuration'],
    [1, 'temporal_refused'],
    [1, 'port_in_use'],
    [1, 'address_unusable'],
  ]);
});
