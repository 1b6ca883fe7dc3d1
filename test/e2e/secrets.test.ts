import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BatchClient } from '../../src/client';
import { FolderStore } from '../../src/store/folder';
import { startCli, type RunningCli } from '../support/cli';
import { startCliStack, type CliStack } from '../support/cli-stack';

/** A free port; taken again a moment later by the worker. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Every text in an object; bytes count as text, as payloads hold them. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsOf) : [];
}

describe('secrets', () => {
  const apiKey = 'pgk_sim_marked_secret_key_0123456789';
  let stack: CliStack;
  let worker: RunningCli;
  let metrics: string;

  beforeAll(async () => {
    stack = await startCliStack({ simulator: { apiKey, partThreshold: 30_000, partBytes: 12_000 } });
    const port = await freePort();
    metrics = `http://127.0.0.1:${port}/metrics`;
    worker = startCli(['worker', '--metrics-port', String(port)], stack.env);
    await worker.seen(/Worker ready/);
  });
  afterAll(async () => {
    worker.child.kill('SIGTERM');
    await worker.ended;
    await stack.stop();
  });

  /** What may stand nowhere outside: the key, the sealing key, upload tokens, signatures of signed URLs. */
  const forbidden = () => [apiKey, stack.env['PLANGREP_SECRET_KEY']!, /ut_[0-9a-f]{32}/, /X-Signature/, /mpu_[0-9a-f]{24}/];

  function expectClean(where: string, text: string): void {
    for (const secret of forbidden()) {
      const found = typeof secret === 'string' ? text.includes(secret) : secret.test(text);
      if (found) throw new Error(`${where} holds ${typeof secret === 'string' ? 'a key' : String(secret)}`);
    }
  }

  /** Every history of the server, with its payloads as text. */
  async function histories(): Promise<[string, string][]> {
    const { client } = stack.temporal;
    const texts: [string, string][] = [];
    for await (const { workflowId, runId } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const text = textsOf(history).join('\n');
      texts.push([`the history of ${workflowId}`, text]);
    }
    return texts;
  }

  const files = async (prefix: string): Promise<[string, string][]> => {
    const texts: [string, string][] = [];
    for await (const { key } of new FolderStore(stack.archive).list(prefix)) texts.push([key, await readFile(join(stack.archive, key), 'latin1')]);
    return texts;
  };

  test('stand in no history, log, metric, error, archive or process list, whatever goes wrong', async () => {
    const { faults } = stack.simulator.state;
    for (const operation of ['createJob', 'putObject', 'completeUploads', 'getJobResult']) {
      faults.add({ kind: 'request', operation, status: 500, body: { error: { code: 'internal', message: `echo of Bearer ${apiKey}` } } });
    }
    for (const operation of ['registerUploads', 'putPart', 'getJob', 'getJobArtifact']) faults.add({ kind: 'request', operation, drop: 'after' });
    faults.add({ kind: 'request', operation: 'putObject', nth: 4, times: 1, delayMs: 5_000 });
    const batches = new BatchClient({ client: stack.temporal.client });
    const source = await stack.documents('marked', [1, 2, 3, 40, 60]);
    await batches.start({ project: 'Quickstart', source: { folder: source } }, { id: 'marked' });

    // While the upload runs its registrations lie in work/, sealed.
    let working: [string, string][] = [];
    while (!working.some(([key]) => key.includes('/registrations/'))) {
      working = await files('work');
      await delay(50);
    }
    for (const [key, text] of working) expectClean(key, text);
    const commandLine = await readFile(`/proc/${worker.child.pid}/cmdline`, 'utf8');

    const summary = await batches.wait('marked');
    expect(summary.status).toBe('completed');
    faults.add({ kind: 'request', operation: 'createJob', times: 0, status: 401, body: { error: { code: 'unauthorized', message: `The key ${apiKey} was revoked.` } } });
    await batches.start({ project: 'Quickstart', source: { folder: await stack.documents('refused', [1]) } }, { id: 'refused' });
    expect((await batches.wait('refused')).status).toBe('failed');
    faults.clear();

    // result.json is Plangrep's own bytes and may hold its short-lived resultUrl, but nothing of ours.
    const archived = (await files('batches')).map(([key, text]): [string, string] => (key.endsWith('/result.json') ? [key, text.replaceAll(/"resultUrl":"[^"]*"/g, '')] : [key, text]));
    const told = await histories();
    // The texts are readable, so that a secret in them would be seen.
    expect(told.find(([where]) => where.endsWith('batch/marked'))![1]).toContain(source);
    expect(worker.output.stderr).toContain('Activity failed');
    const everything: [string, string][] = [
      ...told,
      ...archived,
      ['the metrics', await (await fetch(metrics)).text()],
      ["the worker's log", worker.output.stdout + worker.output.stderr],
      ['the process list', commandLine],
      ['the summary', JSON.stringify(summary)],
    ];
    expect(everything.length).toBeGreaterThan(20);
    for (const [where, text] of everything) {
      expect(text.length).toBeGreaterThan(0);
      expectClean(where, text);
    }
  });
});
