import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { BatchClient, createDataConverter, PayloadCodecError, ScheduleNotFoundError, type BatchSummary } from '../../src/client';
import { codec } from '../../src/cli/codec';
import { doctor } from '../../src/cli/doctor';
import { cancel, resume } from '../../src/cli/operate';
import type { Output } from '../../src/cli/output';
import { retry } from '../../src/cli/retry';
import { pause, remove, unpause } from '../../src/cli/schedule';
import { watch } from '../../src/cli/status';
import { encryptionKeyId } from '../../src/codec/payload-codec';
import { batchWorkflowId, jobWorkflowId, webhookSecretMemo, workflowTypes } from '../../src/contract/messages';
import { Seal } from '../../src/store/seal';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { answerOf, errorOf, runCli, startCli, type CliResult, type RunningCli } from '../support/cli';
import { answerHere, listening, withEnvironment } from '../support/cli-output';
import { startCliStack, type CliStack } from '../support/cli-stack';
import { textsIn } from '../support/text-forms';

const keyText = (name: string): string => `${name}:${randomBytes(32).toString('base64')}`;
const [first, second] = [keyText('first'), keyText('second')];
const mark = (name: string): string => `mk-${name}-${randomBytes(6).toString('hex')}`;
const marks = { folder: mark('folder'), document: mark('document'), label: mark('label'), error: mark('error'), gone: mark('gone'), project: mark('project'), plain: mark('plain') };
/** How often something is looked up at most, and the time between two looks, in ms. */
const [mostLooks, lookMs] = [900, 100];
/** What the server says of an activity that was cancelled before anybody took it. */
const writtenByTemporal = '"ACTIVITY_ID_NOT_STARTED"';

describe('encryption of what Temporal stores', () => {
  const processes = new Processes();
  let stack: CliStack;
  let receiver: RunningCli;
  let worker: RunningCli | null = null;
  let worksWith = '';
  const workers: RunningCli[] = [];

  beforeAll(async () => {
    stack = await startCliStack({ onDisk: true });
    receiver = startCli(['webhook', '--port', '0', '--json'], { ...stack.env, PLANGREP_PAYLOAD_KEY: first, PLANGREP_PAYLOAD_KEYS_OLD: second });
    await receiver.seen(/^\{"webhook"/);
    stack.env['PLANGREP_WEBHOOK_URL'] = (JSON.parse(receiver.output.stdout.split('\n')[0]!) as { webhook: string }).webhook;
  });
  afterAll(async () => {
    receiver?.child.kill('SIGTERM');
    await Promise.all([receiver?.ended, processes.stop()]);
    await stack?.stop();
  });

  const on = (current: string | null, ...old: string[]): Record<string, string> => ({ ...(current && { PLANGREP_PAYLOAD_KEY: current }), PLANGREP_PAYLOAD_KEYS_OLD: old.join(',') });

  /** The batches as somebody with these keys sees them. */
  function batchesWith(current: string | null, ...old: string[]): BatchClient {
    return new BatchClient({ client: clientWith(current, ...old) });
  }
  const clientWith = (current: string | null, ...old: string[]): Client => new Client({ connection: stack.temporal.connection, dataConverter: createDataConverter({ key: current, oldKeys: old }) });

  /** The one worker process, anew unless it has these keys. */
  async function work(keys: Record<string, string>): Promise<RunningCli> {
    if (worker && JSON.stringify(keys) === worksWith) return worker;
    worker?.child.kill('SIGTERM');
    await worker?.ended;
    worksWith = JSON.stringify(keys);
    worker = await stack.startWorker(keys);
    workers.push(worker);
    return worker;
  }

  async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (let looks = 0; looks < mostLooks; looks++) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await delay(lookMs);
    }
    throw new Error(`never seen: ${what}\n${worker?.output.stderr.slice(-3000)}`);
  }
  const shows = (batches: BatchClient, id: string, is: (summary: BatchSummary) => boolean): Promise<BatchSummary> =>
    until(`${id}: ${is.toString()}`, async () => {
      const summary = await batches.status(id);
      return is(summary) ? summary : undefined;
    });
  const command = (keys: Record<string, string>, run: (output: Output) => Promise<number>): Promise<CliResult> => answerHere({ ...stack.env, ...keys }, run);
  const credits = (available: number): void => stack.simulator.state.credits.setAvailable(available);

  /** Names of the keys, or `plain`, of the payloads in a workflow's history, but for those that Temporal must read or wrote itself. */
  async function payloadKeys(workflowId: string): Promise<Set<string>> {
    const found = new Set<string>();
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
      const { metadata, data } = value as Payload;
      if (metadata?.['encoding'] && Buffer.from(data!).toString() !== writtenByTemporal) found.add(encryptionKeyId({ metadata }) ?? 'plain');
      for (const [name, inner] of Object.entries(value)) if (name !== 'searchAttributes') walk(inner);
    };
    walk(await stack.temporal.client.workflow.getHandle(workflowId).fetchHistory());
    return found;
  }

  /** What of the marks stands in the server's files, in any form. */
  async function seenByServer(...wanted: string[]): Promise<string[]> {
    const files = await stack.serverFiles();
    return files.flatMap(([name, bytes]) => textsIn(bytes, wanted).map((text) => `${name}: ${text}`));
  }

  test('of a batch with all that can happen to it neither names nor labels nor error texts reach the server in plain text', async () => {
    const keys = on(first);
    const batches = batchesWith(first);
    await work(keys);
    const source = await stack.documents(marks.folder, [1, 2, 1]);
    await rename(join(source, 'part 0/sheet 0.pdf'), join(source, `part 0/${marks.document}.pdf`));

    // An answer that repeats itself in an error of an activity, which is retried, and a job that fails for good.
    const body = { error: { code: 'internal', message: `no room for ${marks.error}` } };
    stack.simulator.state.faults.add({ kind: 'request', operation: 'completeUploads', times: 2, status: 500, body });
    stack.simulator.state.faults.add({ kind: 'job', externalId: jobWorkflowId('full', 2), failJob: { code: 'strange', message: marks.error } });
    const input = { project: 'Quickstart', source: { folder: source, include: ['**/*.pdf'] }, labels: { customer: marks.label }, tenant: 'tenant-7', limits: { maxFiles: 2 }, retryFailedDocuments: 0, splitFailedJobs: false };
    await batches.start(input, { id: 'full' });
    const watched = await command(keys, (output) => watch('full', output));
    expect(answerOf(watched)).toMatchObject({ batchId: 'full', status: 'completed_with_errors', counts: { processed: 2, failed: 1 } });
    stack.simulator.state.faults.clear();

    // Blocked, paused and resumed by command, retried, cancelled.
    credits(0);
    await batches.start({ ...input, limits: {}, skipProcessed: false }, { id: 'held' });
    await shows(batches, 'held', ({ status }) => status === 'blocked_credits');
    expect(answerOf(await command(keys, (output) => resume('held', output)))).toMatchObject({ batchId: 'held', status: 'running' });
    await shows(batches, 'held', ({ status }) => status === 'blocked_credits');
    expect((await command(keys, (output) => cancel('held', {}, output))).code).toBe(0);
    expect(await shows(batches, 'held', ({ closedAt }) => closedAt !== null)).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 } });
    credits(1_000_000);
    const retried = await command(keys, (output) => retry('full', { id: 'again' }, output));
    expect(answerOf(retried)).toMatchObject({ batchId: 'again', status: 'completed', retryOf: 'full' });

    // One that fails by itself: its workflow makes the failure.
    await batches.start({ project: marks.project, source: { folder: source } }, { id: 'failing' });
    expect(await batches.wait('failing')).toMatchObject({ status: 'failed', error: { message: expect.stringContaining(marks.project) as string } });

    // By the clock.
    await batches.schedules.create('nightly', { project: 'Quickstart', source: { folder: source }, labels: { customer: marks.label } }, { cron: '0 4 * * *' });
    expect(await batches.schedules.describe('nightly')).toMatchObject({ input: { source: { folder: source }, labels: { customer: marks.label } } });
    const { batchId } = await batches.schedules.trigger('nightly');
    expect(await batches.wait(batchId!)).toMatchObject({ status: 'completed' });

    const workflows = ['full', 'held', 'again', 'failing', batchId!].map(batchWorkflowId).concat(jobWorkflowId('full', 1), jobWorkflowId('full', 2), jobWorkflowId('held', 1), jobWorkflowId('again', 1));
    for (const workflowId of workflows) expect([workflowId, ...(await payloadKeys(workflowId))]).toEqual([workflowId, 'first']);
    expect(await seenByServer(...Object.values(marks))).toEqual([]);
    expect(await seenByServer('tenant-7', 'full')).not.toEqual([]);

    // The receiver read each secret out of an encrypted memo.
    expect(stack.simulator.state.counters.webhooks).toMatchObject({ failed: 0 });
    expect(receiver.output.stderr).not.toContain('"level":40');
    const { memo } = await clientWith(first).workflow.getHandle(jobWorkflowId('full', 1)).describe();
    const job = [...stack.simulator.state.jobs.values()].find(({ externalId }) => externalId === jobWorkflowId('full', 1));
    expect(new Seal(Buffer.from(stack.env['PLANGREP_SECRET_KEY']!, 'base64')).open(memo![webhookSecretMemo] as string, jobWorkflowId('full', 1))).toBe(job!.webhookSecret);
  });

  test('whoever lacks the key is told its name, and nothing breaks', async () => {
    await batchesWith(first).start({ project: 'Quickstart', source: { folder: `/${marks.gone}` } }, { id: 'refused' });
    await batchesWith(first).schedules.create('weekly', { project: 'Quickstart', source: { folder: `/${marks.gone}` } }, { cron: '0 4 * * 1' });
    await expect(batchesWith(null).status('refused')).rejects.toBeInstanceOf(PayloadCodecError);
    const refused = await runCli(['status', 'refused', '--json'], { ...stack.env, ...on(second) });
    expect([refused.code, errorOf(refused)]).toMatchObject([1, { code: 'payload_key_unknown', message: expect.stringMatching(/payload key first, .* PLANGREP_PAYLOAD_KEYS_OLD/) as string }]);
    // A list reads nothing that is encrypted, but of a batch whose attributes say nothing: that one names the key, and hides no other.
    await clientWith(first).workflow.start(workflowTypes.batch, { workflowId: batchWorkflowId('bare'), taskQueue: 'nobody', memo: { about: marks.gone } });
    const listed = await runCli(['list', '--json'], { ...stack.env, ...on(second) });
    expect([listed.code, answerOf<{ batches: { batchId: string; status: string }[] }>(listed).batches]).toMatchObject([0, expect.arrayContaining([
      expect.objectContaining({ batchId: 'full', status: 'completed_with_errors' }),
      expect.objectContaining({ batchId: 'bare', status: 'running', error: expect.objectContaining({ code: 'payload_key_unknown', message: expect.stringContaining('payload key first') as string }) as object }),
    ])]);
    // Ending a batch needs no key, whether it runs or not.
    const cancelled = async (id: string) => answerOf(await command(on(second), (output) => cancel(id, {}, output)));
    expect(await cancelled('bare')).toMatchObject({ cancelled: 'batch', status: 'running' });
    await clientWith(first).workflow.getHandle(batchWorkflowId('bare')).terminate();
    expect(await cancelled('bare')).toMatchObject({ cancelled: 'nothing', status: 'failed' });
    // A schedule whose key is gone, and one whose last batch has its key only, are shown, and hide no other.
    const unreadable = { code: 'payload_key_unknown', message: expect.stringContaining('payload key first') as string };
    const shown = { scheduleId: 'weekly', cron: ['0 4 * * MON'], input: null, lastBatch: null, paused: false, error: unreadable };
    expect(await batchesWith(second).schedules.describe('weekly')).toMatchObject(shown);
    const schedules = await until('both are listed', async () => {
      const listed = await batchesWith(second).schedules.list();
      return listed.length === 2 ? listed : undefined;
    });
    expect(schedules).toMatchObject([{ scheduleId: 'nightly', lastBatch: { status: 'completed' }, error: unreadable }, shown]);
    expect(await batchesWith(null).schedules.describe('weekly')).toMatchObject(shown);
    expect(await batchesWith(first).schedules.describe('weekly')).toMatchObject({ input: { project: 'Quickstart' }, error: null });
    // It can be stopped and removed.
    const stopped = await command(on(second), (output) => pause('weekly', undefined, output));
    expect([stopped.code, answerOf(stopped)]).toMatchObject([0, { ...shown, paused: true }]);
    expect(await batchesWith(first).schedules.describe('weekly')).toMatchObject({ paused: true });
    expect((await command(on(second), (output) => unpause('weekly', undefined, output))).code).toBe(0);
    const checked = await answerHere({ ...stack.env, ...on(second) }, (output) => doctor({}, output));
    const checks = answerOf<{ checks: { name: string; message: string }[] }>(checked).checks;
    expect(checks).toContainEqual(expect.objectContaining({ name: 'encryption', message: 'on, with payload key second' }));
    expect(checks).toContainEqual(expect.objectContaining({ name: 'schedules', message: expect.stringContaining('payload key first is needed by ') as string }));
    const removed = await command(on(second), (output) => remove('weekly', output));
    expect([removed.code, answerOf(removed)]).toEqual([0, { scheduleId: 'weekly', deleted: true, running: [] }]);
    await expect(batchesWith(first).schedules.describe('weekly')).rejects.toBeInstanceOf(ScheduleNotFoundError);
  });

  test('the endpoint shows it to Temporal’s command line, and to no other page than the web UI’s', async () => {
    const { path: temporal } = await findTemporalCli({ processes, print: () => {} });
    await batchesWith(first).start({ project: marks.project, source: { folder: `/${marks.folder}` } }, { id: 'shown' });
    const show = async (...more: string[]): Promise<string> => {
      const { stdout, stderr } = await processes.capture(temporal, ['workflow', 'show', '--address', stack.temporal.address, '--workflow-id', batchWorkflowId('shown'), '--detailed', ...more], { timeoutMs: 30_000 });
      return stdout + stderr;
    };
    expect(await show()).not.toContain(marks.project);
    const heard = listening(true);
    await withEnvironment({ ...stack.env, ...on(second, first), PLANGREP_CODEC_TOKEN: 'a-token-of-24-characters' }, async () => {
      const serving = codec({ port: 0 }, heard.output);
      await heard.seen(/\n/);
      const endpoint = heard.lines()[0]!['codec'] as string;
      const shown = await show('--codec-endpoint', endpoint, '--codec-auth', 'Bearer a-token-of-24-characters');
      expect(shown).toContain(marks.project);
      expect(shown).toContain(marks.folder);
      expect(await show('--codec-endpoint', endpoint)).not.toContain(marks.project);
      process.emit('SIGTERM');
      expect(await serving).toBe(0);
    });
  });

  test('a key is rotated in the middle of a batch, in two steps, and one step alone costs a delay', async () => {
    const source = await stack.documents('rotating', [1, 2]);
    credits(0);
    const lacking = await work(on(first));
    await batchesWith(first).start({ project: 'Quickstart', source: { folder: source } }, { id: 'rotating' });
    await shows(batchesWith(first), 'rotating', ({ status }) => status === 'blocked_credits');

    // Somebody begins with the second step: the worker says which key it lacks, and keeps the batch.
    await batchesWith(second).start({ project: 'Quickstart', source: { folder: source } }, { id: 'early' });
    await lacking.seen(/payload key second, which this process does not have/);

    await work(on(first, second));
    await shows(batchesWith(second, first), 'early', ({ status }) => status === 'blocked_credits');
    await work(on(second, first));
    credits(1_000_000);
    for (const id of ['rotating', 'early']) {
      expect(answerOf(await command(on(second, first), (output) => resume(id, output)))).toMatchObject({ status: 'running' });
      expect(await batchesWith(second, first).wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    }
    expect(await payloadKeys(batchWorkflowId('rotating'))).toEqual(new Set(['first', 'second']));
    // Its last step back: who has only the new key reads what was begun with it.
    await expect(batchesWith(second).status('rotating')).rejects.toMatchObject({ code: 'unknown_key', keyId: 'first' });
  });

  test('it is switched off, and on again, in the middle of batches', async () => {
    const source = await stack.documents(marks.plain, [1, 2]);
    const start = async (batches: BatchClient, id: string): Promise<void> => {
      await batches.start({ project: 'Quickstart', source: { folder: source } }, { id });
      await shows(batches, id, ({ status }) => status === 'blocked_credits');
    };
    const goOn = async (batches: BatchClient, id: string): Promise<void> => {
      await batches.resume(id);
      expect(await batches.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 2 } });
    };
    credits(0);
    // The receiver keeps its key, and workers from here on lack it: nobody tells it of jobs any more.
    delete stack.env['PLANGREP_WEBHOOK_URL'];
    worksWith = '';
    await work(on(second, first));
    await start(batchesWith(second), 'sealed');
    expect(await payloadKeys(batchWorkflowId('sealed'))).toEqual(new Set(['second']));
    expect(await seenByServer(marks.plain)).toEqual([]);

    await work(on(null, second));
    await start(batchesWith(null), 'open');
    expect(await payloadKeys(batchWorkflowId('open'))).toEqual(new Set(['plain']));
    expect(await seenByServer(marks.plain)).not.toEqual([]);
    credits(1_000_000);
    await goOn(batchesWith(null, second), 'sealed');

    await work(on(second));
    await goOn(batchesWith(second), 'open');
    for (const id of ['sealed', 'open']) expect([id, await payloadKeys(batchWorkflowId(id))]).toEqual([id, new Set(['plain', 'second'])]);

    // The keys themselves are nowhere, whatever happened.
    const secrets = [first, second].map((key) => key.split(':')[1]!);
    const said = Buffer.from([receiver, ...workers].map(({ output }) => output.stdout + output.stderr).join('\n'));
    const raw = secrets.map((key) => Buffer.from(key, 'base64'));
    expect([...(await seenByServer(...secrets)), ...textsIn(said, secrets)]).toEqual([]);
    for (const [, bytes] of await stack.serverFiles()) expect(raw.some((key) => bytes.includes(key))).toBe(false);
  });
});
