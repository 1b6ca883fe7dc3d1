import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { FolderStore } from '../../src/store/folder';
import { BatchClient } from '../../src/client';
import { verifyBatch } from '../../src/verify';
import { cliEnvironment } from '../support/cli';
import { manyDocuments, writeDocuments } from '../support/documents';
import { startLocalTemporal } from '../../scripts/local-temporal';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { TestWorkflowEnvironment } from '@temporalio/testing';

const cli = resolve(__dirname, '../../lib/cli.js');
const documents = 24;

/** A worker is noticed to be dead when its heartbeat times out, which takes a minute each time. */
jest.setTimeout(400_000);

describe('a worker killed with -9', () => {
  let env: TestWorkflowEnvironment;
  let simulator: Simulator;
  let folder: string;
  const workers: ChildProcess[] = [];

  beforeAll(async () => {
    [env, simulator, folder] = await Promise.all([startLocalTemporal(), startSimulator({ jobMs: 100, pageMs: 0 }), mkdtemp(join(tmpdir(), 'crash-'))]);
    await writeDocuments(join(folder, 'source'), manyDocuments(documents));
  });
  afterAll(async () => {
    for (const worker of workers.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) worker.kill('SIGKILL');
    await simulator.close();
    await env.teardown();
    await rm(folder, { recursive: true, force: true });
  });

  const secretKey = randomBytes(32).toString('base64');
  function startWorker(): ChildProcess {
    const worker = spawn(process.execPath, [cli, 'worker'], {
      stdio: 'ignore',
      env: cliEnvironment({
        PLANGREP_BASE_URL: simulator.apiUrl,
        PLANGREP_API_KEY: simulator.apiKey,
        PLANGREP_ARCHIVE: join(folder, 'archive'),
        PLANGREP_SECRET_KEY: secretKey,
        PLANGREP_MIN_POLL_SECONDS: '1',
        PLANGREP_REQUESTS_PER_SECOND: '200',
        PLANGREP_TRANSFER_REQUESTS_PER_SECOND: '200',
        TEMPORAL_ADDRESS: env.address,
      }),
    });
    workers.push(worker);
    return worker;
  }

  /** Kills the worker once `operation` was answered so often, while more of it is under way. */
  async function killAfter(worker: ChildProcess, operation: string, answers: number): Promise<void> {
    while (answered(operation) < answers) await delay(20);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
  }
  const answered = (operation: string): number => simulator.state.counters.requests[operation]?.['200'] ?? 0;

  test('in mid-upload and again in mid-archive: one remote job per planned job, nothing paid twice, a clean verify', async () => {
    const batches = new BatchClient({ client: env.client });
    // The sixth document and the sixth artifact hang, so that the kill comes while work is under way.
    for (const operation of ['putObject', 'getJobArtifact']) simulator.state.faults.add({ kind: 'request', operation, nth: 6, times: 4, delayMs: 60_000 });
    const first = startWorker();
    await batches.start({ project: 'Quickstart', source: { folder: join(folder, 'source') }, limits: { maxFiles: 12 }, maxConcurrentJobs: 2 }, { id: 'crash' });
    await killAfter(first, 'putObject', 5);
    await killAfter(startWorker(), 'getJobArtifact', 5);
    startWorker();
    const summary = await batches.wait('crash');

    expect(summary).toMatchObject({ status: 'completed', documents, counts: { processed: documents }, jobs: { planned: 2, done: 2 } });
    const jobs = [...simulator.state.jobs.values()];
    expect(jobs).toHaveLength(2);
    const paid = jobs.flatMap((job) => job.documents.filter(({ included }) => included).map(({ sha256 }) => sha256));
    expect(new Set(paid).size).toBe(documents);
    expect(paid).toHaveLength(documents);
    expect((await verifyBatch(new FolderStore(join(folder, 'archive')), 'crash')).problems).toEqual([]);
  });
});
