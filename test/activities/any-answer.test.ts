import fc from 'fast-check';
import { jobFileSchema, remoteJobSchema } from '../../src/contract/archive';
import { failureTypes } from '../../src/contract/failures';
import { jobKeys } from '../../src/contract/keys';
import { findJson } from '../../src/store/jsonl';
import { ActivityBench } from '../support/activity-bench';
import { manyDocuments, writeDocuments } from '../support/documents';

const keys = jobKeys('bench', 1);
let bench: ActivityBench;
beforeAll(async () => {
  bench = await ActivityBench.start();
  await writeDocuments(bench.source, manyDocuments(2));
  await bench.plan();
});
afterAll(() => bench.stop());

const odd = fc.oneof({ weight: 2, arbitrary: fc.constantFrom<unknown>(null, undefined, '', 'NaN', -1, 0, 0.5, 1e300, true, [], {}, 'x'.repeat(5_000), '9999-12-31T23:59:59Z', '+275760-09-13T00:00:00Z', '1970-01-01T00:00:00Z', '2030-02-30T00:00:00Z', ' 2040-01-01 ', new Date(Date.now() + 3_600_000).toISOString()) }, fc.jsonValue(), fc.date({ noInvalidDate: true }).map((date) => date.toISOString()));
const statuses = fc.constantFrom('provisioning', 'awaiting_uploads', 'processing', 'blocked_insufficient_credits', 'completed', 'completed_with_errors', 'failed', 'cancelled', 'expired', 'pondering');
const seldomOdd = fc.option(odd, { nil: undefined, freq: 2 });
const job = fc.record({
  status: fc.oneof({ weight: 5, arbitrary: statuses }, odd),
  createdAt: odd, expiresAt: odd, completedAt: seldomOdd, updatedAt: seldomOdd, limits: fc.oneof(odd, fc.record({ maxFiles: odd, maxDeclaredBytes: odd })), billing: fc.oneof(odd, fc.record({ creditsDebited: odd })),
  pageCount: odd, error: fc.oneof(odd, fc.record({ code: odd, message: odd })), files: seldomOdd, resultUrl: seldomOdd, externalId: fc.option(odd, { nil: 'batch/bench/job/00001', freq: 5 }),
});

interface Known {
  type?: string;
  message: string;
}
const documented: readonly (string | undefined)[] = Object.values(failureTypes).filter((type) => type !== failureTypes.internal && type !== failureTypes.archiveDamaged);

/** What an activity comes to within some attempts: its answer, or the failure it stays with. */
async function outcome<T>(run: (attempt: number) => Promise<T>): Promise<{ answer: T } | { failure: Known }> {
  let failure: Known = { message: '' };
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    try {
      return { answer: await run(attempt) };
    } catch (error) {
      failure = error as Known;
      expect(documented).toContain(failure.type);
      expect(failure.message.length).toBeLessThan(1_600);
    }
  }
  return { failure };
}

test('whatever a job says of itself, what goes into history and archive is small and sane, or the failure is a documented one', async () => {
  const { faults } = bench.simulator.state;
  await fc.assert(
    fc.asyncProperty(job, job, async (first, later) => {
      faults.clear();
      for (const key of [keys.remote, keys.intent, keys.job]) await bench.store.remove(key);
      faults.add({ kind: 'request', operation: 'createJob', times: 0, status: 202, body: { job: { id: 'job_any', ...first } } });
      faults.add({ kind: 'request', operation: 'getJob', times: 0, status: 200, body: { job: { id: 'job_any', ...later } } });
      const made = await outcome((attempt) => bench.run(bench.activities.api.createJob, bench.createRequest, attempt));
      if (!('answer' in made)) return;
      const { lowered, webhookSecret: _secret, ...remote } = made.answer!;
      expect(new Date(remote.createdAt).toISOString()).toBe(remote.createdAt);
      expect(new Date(remote.expiresAt).toISOString()).toBe(remote.expiresAt);
      expect(remote.expiresAt > remote.createdAt).toBe(true);
      expect(Object.values(lowered ?? {}).every((limit) => limit !== undefined && Number.isSafeInteger(limit) && limit >= 1)).toBe(true);
      expect((await findJson(bench.store, keys.remote, remoteJobSchema))!.jobId).toBe('job_any');

      const seen = await outcome((attempt) => bench.run(bench.activities.api.awaitJob, { ...bench.onRemote(remote), until: ['blocked', 'working'] as const }, attempt));
      expect(JSON.stringify(seen).length).toBeLessThan(4_000);
      expect((await findJson(bench.store, keys.job, jobFileSchema))!.jobId).toBe('job_any');
    }),
    { numRuns: Number(process.env['ANSWER_RUNS'] ?? 120) },
  );
});
