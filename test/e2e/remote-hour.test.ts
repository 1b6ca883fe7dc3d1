import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { createActivities, type Activities } from '../../src/activities';
import type { BatchProgress } from '../../src/contract/batch';
import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { hasResult } from '../../src/domain/job-state';
import { closeHashing } from '../../src/hashing';
import { PlangrepClient } from '../../src/plangrep/client';
import type { FaultOptions } from '../../src/simulator/faults';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { FolderStore } from '../../src/store/folder';
import { Seal } from '../../src/store/seal';
import { verifyBatch } from '../../src/verify';
import { batchWorkflow } from '../../src/workflows';
import { manyDocuments, writeDocuments } from '../support/documents';
import { bundleWorkflows, quietRuntime, tearDown, timeSkipping, withWorkers } from '../support/workflow-runner';

const hour = 3_600_000;
/** Of one step that fails for an hour, with 1 s doubling to 60 s: about 65. */
const attemptsAnHour = 75;

describe('an hour in which Plangrep answers nothing useful, on a clock that is skipped', () => {
  let env: TestWorkflowEnvironment;
  let bundle: WorkflowBundleWithSourceMap;
  let simulator: Simulator;
  let plangrep: PlangrepClient;
  let folder: string;
  let store: FolderStore;
  let activities: Activities;

  beforeAll(async () => {
    quietRuntime();
    [env, bundle, folder] = await Promise.all([timeSkipping(), bundleWorkflows(), mkdtemp(join(tmpdir(), 'hour-'))]);
    simulator = await startSimulator({ scriptedClock: true, jobMs: 60_000, pageMs: 0 });
    plangrep = new PlangrepClient({ baseUrl: simulator.apiUrl, apiKey: () => simulator.apiKey, version: '0.0.0-test' });
    store = new FolderStore(join(folder, 'archive'));
    // Real activities over real sockets; only a wait within an attempt would take real time.
    const pace = { wait: () => Promise.resolve(), slowDown: () => undefined };
    const settings = { minPollMs: 15_000, projectPollMs: 10_000, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };
    activities = onItsClock(createActivities({ store, plangrep, seal: new Seal(randomBytes(32)), pace, temporal: env.client, settings }));
    await writeDocuments(join(folder, 'source'), manyDocuments(4));
  });
  afterAll(async () => {
    await tearDown(env);
    await Promise.all([simulator.close(), plangrep.close(), closeHashing()]);
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => simulator.state.faults.clear());

  /** What the simulator's clock is behind the server's, in ms, as it was at the beginning. */
  let behindMs: number | null = null;
  async function catchUp(): Promise<number> {
    const nowMs = await env.currentTimeMs();
    const { clock } = simulator.state;
    behindMs ??= nowMs - clock.now();
    clock.advance(Math.max(0, nowMs - behindMs - clock.now()));
    return nowMs;
  }

  /** The same activities; before each attempt the simulator's time catches up with the server's. */
  function onItsClock(all: Activities): Activities {
    const caughtUp = (run: (request: unknown) => unknown) => async (request: unknown) => {
      await catchUp();
      return run(request);
    };
    const groups = Object.entries(all).map(([group, named]) => [group, Object.fromEntries(Object.entries(named as object).map(([name, run]) => [name, caughtUp(run as (request: unknown) => unknown)]))]);
    return Object.fromEntries(groups) as Activities;
  }

  const jobsOf = (batchId: string) => [...simulator.state.jobs.values()].filter(({ externalId }) => externalId?.startsWith(`batch/${batchId}/`));

  async function runBatch(batchId: string): Promise<BatchProgress> {
    return withWorkers(env, bundle, activities, async () => {
      const input = { project: 'Quickstart', source: { folder: join(folder, 'source') }, limits: { maxFiles: 2 } };
      const handle = await env.client.workflow.start(batchWorkflow, { workflowId: batchWorkflowId(batchId), taskQueue: 'plangrep-batch', args: [input] });
      return handle.result();
    });
  }

  type Storm = Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind'>;
  /** A batch in such weather, after which it is looked at as a whole; how often each operation was called. */
  async function weather(batchId: string, storms: Storm[]): Promise<Record<string, number>> {
    const before = structuredClone(simulator.state.counters.requests);
    const startedMs = await catchUp();
    storms.forEach((storm, index) => simulator.state.faults.add({ kind: 'request', times: 0, forMs: (index + 1) * hour, ...storm }));
    expect(await runBatch(batchId)).toMatchObject({ status: 'completed', counts: { processed: 4 }, error: null });
    expect((await env.currentTimeMs()) - startedMs).toBeGreaterThan((storms.length - 0.1) * hour);
    // A registration that was replaced, since its URL expired meanwhile, is declared failed: to Plangrep that is an error.
    expect(jobsOf(batchId).map(({ status, documents }) => [hasResult(status), documents.filter(({ included }) => included).length])).toEqual([[true, 2], [true, 2]]);
    expect((await verifyBatch(store, batchId)).problems).toEqual([]);
    const { events } = await env.client.workflow.getHandle(jobWorkflowId(batchId, 1)).fetchHistory();
    expect(events!.length).toBeLessThan(60);
    const { requests } = simulator.state.counters;
    return Object.fromEntries(Object.keys(requests).map((operation) => [operation, Object.entries(requests[operation]!).reduce((sum, [status, count]) => sum + count - (before[operation]?.[status] ?? 0), 0)]));
  }

  test('503 to every call: the batch is complete afterwards, and it has cost few calls', async () => {
    const calls = await weather('all', [{ status: 503 }]);
    expect(calls['listProjects']).toBeLessThan(attemptsAnHour);
    expect(Object.values(calls).reduce((sum, count) => sum + count, 0)).toBeLessThan(attemptsAnHour + 60);
  });

  test('each step in its turn, an hour each, in as many ways: the batch is complete afterwards, nothing was made twice, and each hour has cost few calls', async () => {
    const storms: [operation: string, storm: Storm, callsAJob: number][] = [
      ['createJob', { drop: 'after' }, 1],
      // Each attempt to send documents asks whether the job still takes them, and the two next hours are full of such attempts.
      ['getJob', { status: 429 }, 3],
      ['registerUploads', { html: true }, 1],
      ['putObject', { status: 503, headers: { 'retry-after': '60' } }, 2],
      ['completeUploads', { html: true, status: 200, after: true }, 1],
      ['getJobResult', { html: true, status: 200 }, 1],
    ];
    const calls = await weather('steps', storms.map(([operation, storm]) => ({ operation, ...storm })));
    // Each job's own look at the end of a wait comes on top.
    for (const [operation, , callsAJob] of storms) expect([operation, calls[operation]! < 2 * attemptsAnHour * callsAJob + 20]).toEqual([operation, true]);
  });
});
