import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { BatchClient, type BatchSummary } from '../../src/client';
import { batchWorkflowId, jobWorkflowId, webhookSecretMemo } from '../../src/contract/messages';
import type { SimJob } from '../../src/simulator/job';
import { FolderStore } from '../../src/store/folder';
import { Seal } from '../../src/store/seal';
import { startCli, type CliResult, type RunningCli } from '../support/cli';
import { startCliStack, type CliStack } from '../support/cli-stack';
import { formsOf, textsIn } from '../support/text-forms';

const secretOf = (name: string): string => `pgk_sim_marked_${name}_${randomBytes(12).toString('hex')}`;
const [oldKey, newKey] = [secretOf('old'), secretOf('new')];
const [payloadKey, codecToken] = [randomBytes(32).toString('base64'), secretOf('codec')];
const scopes = ['jobs:read', 'jobs:write', 'artifacts:read'];
/** How often something is looked up at most, and the time between two looks, in ms. */
const [mostLooks, lookMs] = [900, 100];

/** A place where somebody could find a secret, and its text. */
type Place = [where: string, text: string];

/** A free port; taken again a moment later by a command. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Every text in an object, names of fields included; bytes count as text, as payloads hold them. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return value !== null && typeof value === 'object' ? Object.entries(value).flatMap(([name, one]) => [name, ...textsOf(one)]) : [];
}

/** A text, and what stands in it as Base64, in hexadecimal or with percent signs. */
const readings = (text: string): string[] => [
  text,
  ...[...text.matchAll(/[A-Za-z0-9+/_-]{24,}/g)].map(([run]) => Buffer.from(run, 'base64').toString('latin1')),
  ...[...text.matchAll(/(?:[0-9a-f]{2}){12,}/gi)].map(([run]) => Buffer.from(run, 'hex').toString('latin1')),
  ...[...text.matchAll(/[\w%+.~-]*%[\w%+.~-]+/g)].map(([run]) => run.replaceAll(/%([0-9a-f]{2})/gi, (_all, code: string) => String.fromCharCode(parseInt(code, 16)))),
];

describe('secrets', () => {
  let stack: CliStack;
  let batches: BatchClient;
  let worker: RunningCli;
  let receiver: RunningCli;
  let metrics: Record<'worker' | 'receiver', string>;
  /** All that was seen from outside so far. */
  const seen: Place[] = [];
  const commands: { args: string[]; running: RunningCli }[] = [];

  beforeAll(async () => {
    stack = await startCliStack({ onDisk: true, simulator: { apiKey: oldKey, partThreshold: 8_000, partBytes: 6_000 } });
    batches = new BatchClient({ client: stack.temporal.client });
    const { PLANGREP_API_KEY: _, ...env } = stack.env;
    const keyFile = join(stack.folder, 'api-key');
    await writeFile(keyFile, oldKey);
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    metrics = { worker: `http://127.0.0.1:${ports[0]}/metrics`, receiver: `http://127.0.0.1:${ports[1]}/metrics` };
    // Listed only, so that what Temporal stores can be read here; test/e2e/codec.test.ts encrypts.
    const codecKeys = { PLANGREP_PAYLOAD_KEYS_OLD: `marked:${payloadKey}`, PLANGREP_CODEC_TOKEN: codecToken };
    stack.env = { ...env, ...codecKeys, PLANGREP_API_KEY_FILE: keyFile, PLANGREP_WEBHOOK_URL: `http://127.0.0.1:${ports[2]}/hooks` };
    worker = startCli(['worker', '--metrics-port', String(ports[0])], stack.env);
    receiver = startCli(['webhook', '--port', String(ports[2]), '--metrics-port', String(ports[1])], stack.env);
    await Promise.all([worker.seen(/Worker ready/), receiver.seen(/Webhook receiver ready/)]);
  });
  afterAll(async () => {
    await stopAll();
    await stack.stop();
  });

  async function stopAll(): Promise<void> {
    const all = [worker, receiver, ...commands.map(({ running }) => running)];
    for (const { child } of all) child.kill('SIGTERM');
    await Promise.all(all.map(({ ended }) => ended));
  }

  const jobs = (id?: string): SimJob[] => [...stack.simulator.state.jobs.values()].filter(({ externalId }) => id === undefined || externalId?.startsWith(`batch/${id}/`));
  const tokenOf = ({ webhookUrl }: SimJob): string => webhookUrl!.split('/').at(-1)!;

  /** All that may stand nowhere: what we keep, what Plangrep gave us, and what only we can make. */
  function secrets(): [name: string, pattern: string | RegExp][] {
    return [
      ['the first API key', oldKey],
      ['the second API key', newKey],
      ['the secret key', stack.env['PLANGREP_SECRET_KEY']!],
      ['the bytes of the secret key', Buffer.from(stack.env['PLANGREP_SECRET_KEY']!, 'base64').toString('latin1')],
      ['the payload key', payloadKey],
      ['the bytes of the payload key', Buffer.from(payloadKey, 'base64').toString('latin1')],
      ['the token of the codec endpoint', codecToken],
      ['an upload token', /ut_[0-9a-f]{32}/],
      ['a multipart upload', /mpu_[0-9a-f]{24}/],
      ['a signed URL', /X-Signature=[0-9a-f]/],
      ...jobs().flatMap((job): [string, string][] => [['the token of a webhook address', tokenOf(job)], ['a webhook signing secret', job.webhookSecret!]]),
    ];
  }

  /** What of the secrets stands in these places. */
  function found(places: Place[]): string[] {
    const wanted = secrets();
    return places.flatMap(([where, text]) => {
      const texts = readings(text);
      return wanted.filter(([, secret]) => texts.some((one) => (typeof secret === 'string' ? one.includes(secret) : secret.test(one)))).map(([name]) => `${where} holds ${name}`);
    });
  }

  /** Starts a command whose output, and place in the list of processes, is looked at in the end. */
  function command(...args: string[]): Promise<CliResult> {
    const running = startCli(args, stack.env);
    running.child.stdin.end();
    commands.push({ args, running });
    return running.ended;
  }

  /** Histories, descriptions (memo, search attributes, what activities said at last) and details of all workflows. */
  async function temporal(when: string): Promise<Place[]> {
    const { client } = stack.temporal;
    const places: Place[] = [];
    for await (const { workflowId, runId, status } of client.workflow.list()) {
      const handle = client.workflow.getHandle(workflowId, runId);
      const at = (what: string): string => `${when}: the ${what} of ${workflowId}`;
      places.push([at('history'), textsOf(await handle.fetchHistory()).join('\n')], [at('description'), textsOf((await handle.describe()).raw).join('\n')]);
      if (status.name === 'RUNNING') places.push([at('details'), textsOf(await handle.query('__temporal_workflow_metadata')).join('\n')]);
    }
    return places;
  }

  /** The archive and its working files. result.json is Plangrep's own bytes: the one address in it is theirs. */
  async function files(when: string): Promise<Place[]> {
    const places: Place[] = [];
    for await (const { key } of new FolderStore(stack.archive).list('')) {
      const text = await readFile(join(stack.archive, key), 'latin1').catch(() => '');
      places.push([`${when}: ${key}`, key.endsWith('/result.json') ? text.replaceAll(/"resultUrl":"[^"]*"/g, '') : text]);
    }
    return places;
  }

  /** What `ps` shows to everybody on this machine. */
  async function processes(when: string): Promise<Place> {
    const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '')));
    return [`${when}: the list of processes`, lines.join('\n')];
  }

  async function look(when: string): Promise<void> {
    seen.push(...(await temporal(when)), ...(await files(when)), await processes(when));
  }

  /** What of the secrets stands in the server's own files: its database, with its journal, and its log. */
  async function foundOnDisk(): Promise<string[]> {
    const texts = secrets().flatMap(([, secret]) => (typeof secret === 'string' ? [secret] : []));
    const patterns = secrets().flatMap(([name, secret]): [string, RegExp][] => (typeof secret === 'string' ? [] : [[name, secret]]));
    const written = await stack.serverFiles();
    expect(written.map(([name]) => name)).toEqual(expect.arrayContaining(['temporal.db', 'temporal.log']));
    return written.flatMap(([name, bytes]) => {
      const text = bytes.toString('latin1');
      return [...texts.filter((secret) => text.includes(secret)).concat(textsIn(bytes, texts)).map((secret) => `${name} holds ${secret}`), ...patterns.filter(([, pattern]) => pattern.test(text)).map(([what]) => `${name} holds ${what}`)];
    });
  }

  async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (let looks = 0; looks < mostLooks; looks++) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await delay(lookMs);
    }
    throw new Error(`never seen: ${what}\n${worker.output.stderr.slice(-3000)}`);
  }
  const shows = (id: string, is: (summary: BatchSummary) => boolean) =>
    until(`${id}: ${is.toString()}`, async () => {
      const summary = await batches.status(id);
      return is(summary) ? summary : undefined;
    });
  const jobIs = (id: string, status: string): Promise<SimJob> => until(`${id}: ${status}`, () => jobs(id).find((job) => job.status === status));

  async function control(path: string, body: object): Promise<void> {
    const answer = await request(stack.simulator.controlUrl + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    expect(`${answer.statusCode} ${await answer.body.text()}`).toMatch(/^200 /);
  }

  /** A webhook that nobody should believe, with an honest one's contents; the answers. */
  async function badWebhooks(job: SimJob): Promise<number[]> {
    const url = job.webhookUrl!;
    const body = JSON.stringify({ job: { id: job.id, status: 'completed', updatedAt: '1', resultUrl: `https://example.com/r?X-Signature=0123&key=${oldKey}` } });
    const post = async (address: string, headers = {}): Promise<number> => {
      const answer = await request(address, { method: 'POST', body, headers: { 'content-type': 'application/json', authorization: `Bearer ${oldKey}`, ...headers } });
      await answer.body.dump();
      return answer.statusCode;
    };
    const signature = { 'x-plangrep-signature': job.webhookSecret! };
    return [await post(url), await post(url, signature), await post(`${url.slice(0, -1)}${url.endsWith('A') ? 'B' : 'A'}`), await post(`${url}/more`), await post(`${url}${job.webhookSecret}`)];
  }

  /** Every call fails once in a way that repeats the key, and uploads in one piece are refused for good. */
  function troubles(): void {
    const { faults } = stack.simulator.state;
    const body = { error: { code: 'internal', message: `echo of Bearer ${oldKey}` } };
    for (const operation of ['createJob', 'completeUploads', 'getJob']) faults.add({ kind: 'request', operation, status: 500, body });
    for (const operation of ['registerUploads', 'putPart', 'getJobResult', 'getJobArtifact']) faults.add({ kind: 'request', operation, drop: 'after' });
    faults.add({ kind: 'request', operation: 'putObject', times: 0, status: 400, body });
    faults.add({ kind: 'job', externalId: 'batch/marked/', hold: 'processing' });
  }

  test('stand in no history, memo, attribute, log, metric, error, archive or list of processes, whatever goes wrong', async () => {
    // What goes wrong with calls and uploads; while the upload runs its registrations lie in work/.
    troubles();
    const source = await stack.documents('marked', [1, 2, 3, 40]);
    await batches.start({ project: 'Quickstart', source: { folder: source }, retryFailedDocuments: 0 }, { id: 'marked' });
    await until('registrations', async () => ((await files('')).some(([key]) => key.includes('/registrations/')) ? true : undefined));
    await look('uploading');
    const held = await jobIs('marked', 'processing');
    expect(await badWebhooks(held)).toEqual([404, 404, 404, 404, 404]);

    // The key is refused, by answers that repeat what they were sent.
    stack.simulator.state.faults.clear();
    const message = `The key ${oldKey} was revoked; changes went to ${held.webhookUrl} so far.`;
    stack.simulator.state.faults.add({ kind: 'request', times: 0, status: 401, body: { error: { code: message, message } } });
    await control('/jobs', { job: held.id, action: 'release' });
    await shows('marked', ({ status }) => status === 'blocked_auth');
    const refused = [command('doctor', '--json'), command('start', source, '--id', 'never'), command('status', 'marked')];
    await Promise.all(commands.map(({ running }) => until('a process', () => (running.child.pid === undefined ? undefined : true))));
    await look('refused');
    expect((await Promise.all(refused)).map(({ code }) => code)).toEqual([1, 1, 0]);

    // It is rotated, by the file alone.
    stack.simulator.state.faults.clear();
    await control('/keys', { key: newKey, scopes });
    await control('/keys', { key: oldKey, scopes: [] });
    await writeFile(stack.env['PLANGREP_API_KEY_FILE']!, newKey);
    expect((await command('resume', 'marked')).code).toBe(0);
    const summary = await shows('marked', ({ closedAt }) => closedAt !== null);
    expect(summary).toMatchObject({ status: 'completed_with_errors', counts: { processed: 1, failed: 3 } });

    // Blocked, then cancelled.
    await control('/credits', { available: 0 });
    await batches.start({ project: 'Quickstart', source: { folder: await stack.documents('blocked', [1, 2]) } }, { id: 'blocked' });
    const watched = command('watch', 'blocked');
    const blocked = await jobIs('blocked', 'blocked_insufficient_credits');
    await shows('blocked', ({ status }) => status === 'blocked_credits');
    expect(await badWebhooks(blocked)).toEqual([404, 404, 404, 404, 404]);
    await look('blocked');
    expect((await command('cancel', 'blocked')).code).toBe(0);
    expect(await shows('blocked', ({ closedAt }) => closedAt !== null)).toMatchObject({ status: 'cancelled' });
    expect((await watched).code).toBe(2);
    await look('ended');

    const counted = await Promise.all(Object.entries(metrics).map(async ([whose, url]): Promise<Place> => [`the metrics of the ${whose}`, await (await request(url)).body.text()]));
    await stopAll();
    const said = [...commands, { args: ['worker'], running: worker }, { args: ['webhook'], running: receiver }].map(({ args, running }): Place => [`the output of ${args.join(' ')}`, running.output.stdout + running.output.stderr]);
    seen.push(...counted, ...said, ['the summary', JSON.stringify(summary)]);

    await expectPower(source);
    await expectSealedMemos();
    expect(found(seen)).toEqual([]);
    expect(await foundOnDisk()).toEqual([]);
  });

  /** The signing secret of every job is in its memo, and only the secret key opens it. */
  async function expectSealedMemos(): Promise<void> {
    const seal = new Seal(Buffer.from(stack.env['PLANGREP_SECRET_KEY']!, 'base64'));
    for (const { externalId, webhookSecret } of jobs()) {
      const { memo } = await stack.temporal.client.workflow.getHandle(externalId!).describe();
      expect(seal.open(memo![webhookSecretMemo] as string, externalId!)).toBe(webhookSecret);
    }
    expect(jobs().map(({ externalId }) => externalId)).toEqual([jobWorkflowId('marked', 1), jobWorkflowId('blocked', 1)]);
  }

  /** What was looked at holds what it should: readable texts, of the moments that matter, in which every secret would be seen. */
  async function expectPower(source: string): Promise<void> {
    const textOf = (where: string): string => seen.filter(([name]) => name.endsWith(where)).map(([, text]) => text).join('\n');
    expect(seen.filter(([where, text]) => text === '' && !/(output of|work\/)/.test(where))).toEqual([]);
    expect(textOf(`the history of ${batchWorkflowId('marked')}`)).toContain(source);
    expect(textOf(`the details of ${batchWorkflowId('marked')}`)).toContain('resume');
    for (const part of ['/registrations/', '/remote.json', '/intent.json', '/manifest.jsonl', '/result.json']) expect(seen.map(([where]) => where).find((where) => where.includes(part)) ?? part).not.toBe(part);
    expect((await stack.serverFiles()).filter(([, bytes]) => textsIn(bytes, [source]).length > 0)).not.toEqual([]);
    expect(textOf('the list of processes')).toContain('doctor\0--json');
    expect(textOf('the output of worker')).toContain('Activity failed');
    expect(textOf('the output of start ')).toBe('');
    expect(textOf('the metrics of the receiver')).toMatch(/outcome="bad_signature"} [1-9]/);
    expect(textOf('the metrics of the worker')).toContain('temporal_');

    const { signer, storageUrl } = stack.simulator.state;
    const [job] = jobs();
    const planted = [oldKey, newKey, payloadKey, codecToken, stack.env['PLANGREP_SECRET_KEY']!, signer.uploadToken('doc_1', false), signer.multipartUploadId('doc_1'), signer.signedUrl(storageUrl, 'GET', '/results/job_1', 1), tokenOf(job!), job!.webhookSecret!];
    for (const secret of planted) {
      for (const text of [`{"a":"${secret}"}`, ...formsOf(`{"a":"${secret}"}`).slice(0, 3).map(String), Buffer.from(`{"a":"${secret}"}`).toString('base64url')]) expect([secret, found([['here', text]]).length > 0]).toEqual([secret, true]);
    }
  }
});
