import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { brokenAccounts, type EndedBatch } from '../../scripts/soak/account';
import type { WrittenDocument } from '../../scripts/soak/documents';
import { steadyFaults } from '../../scripts/soak/faults';
import { courseOf, theilSen, warmUpMinutes, type Allowance, type Point } from '../../scripts/soak/flat';
import { longHistories } from '../../scripts/soak/histories';
import { creditOutage, familyPlan } from '../../scripts/soak/plan';
import { coursesOf, cpuOf, faultsOf, growth } from '../../scripts/soak/report';
import { LogTail, sampleProcess, type Sample } from '../../scripts/soak/samples';
import { faultSchema } from '../../src/simulator/faults';

const root = resolve(__dirname, '../..');
const mebibyte = 2 ** 20;
const allowance: Allowance = { ratio: 1.15, growth: 32 * mebibyte };

/** Four samples a minute for an hour: `base` grows by so much an hour, and work comes and goes on top of it. */
const hour = (base: number, growthAnHour: number): Point[] =>
  Array.from({ length: 240 }, (_, index) => ({ minutes: index / 4, value: (base + (growthAnHour * index) / 240 + ((index * 37) % 5) * 20) * mebibyte }));

describe('the judgement of a series', () => {
  it('takes what comes and goes with the work for flat', () => {
    const course = courseOf(hour(200, 0), 10, allowance);
    expect(course).toMatchObject({ first: 200 * mebibyte, last: 200 * mebibyte, slope: 0, flat: true });
    expect(course!.peak).toBe(280 * mebibyte);
  });

  it('sees a leak below the waves', () => {
    const course = courseOf(hour(200, 120), 10, allowance)!;
    expect(course.flat).toBe(false);
    expect(course.slope / mebibyte).toBeCloseTo(120, -1);
  });

  it('forgives a small growth, and one at the start', () => {
    expect(courseOf(hour(200, 30), 10, allowance)!.flat).toBe(true);
    const starting = hour(200, 0).map(({ minutes, value }) => ({ minutes, value: minutes < 9 ? value / 2 : value }));
    expect(courseOf(starting, 10, allowance)).toMatchObject({ first: 200 * mebibyte, flat: true });
  });

  it('does not judge a run that is too short, and is not moved by a wild minute', () => {
    expect(courseOf(hour(200, 600).slice(0, 24), 1, allowance)!.flat).toBeNull();
    expect(courseOf([], 0, allowance)).toBeNull();
    expect(theilSen([0, 1, 2, 3, 4, 5, 6, 7, 8].map((minutes) => ({ minutes, value: minutes === 4 ? 900 : 5 })))).toBe(0);
    expect([8, 60, 600].map(warmUpMinutes)).toEqual([2, 10, 10]);
  });

  it('is made of the last life of each process, and found for those of ours that live as long as the run', () => {
    const sample = (minutes: number, bytes: number, pid: number): Sample => {
      const process = { pid, rss: bytes, anonymous: bytes, heap: null, descriptors: 40, threads: 10, cpuSeconds: minutes * 6 };
      return { minutes, processes: { worker: { ...process, pid: 1 }, 'worker-2': process, temporal: { ...process, pid: 3 } }, databaseBytes: 0, openBatches: 0, endedBatches: 0 };
    };
    const samples = hour(100, 200).map(({ minutes, value }) => sample(minutes, value, minutes < 30 ? 10 : 11));
    const courses = coursesOf(samples);
    expect(growth(courses)).toEqual([expect.stringMatching(/^worker: rss grew/), expect.stringMatching(/^worker: anonymous grew/)]);
    expect(courses['worker-2']!.rss!.first).toBeGreaterThan(courses['worker']!.rss!.first);
    expect(courses['worker']!.heap).toBeUndefined();
    expect(cpuOf(samples)['worker']).toBeCloseTo(0.1);
  });
});

const document = (path: string, more: Partial<WrittenDocument> = {}): WrittenDocument => ({ path, kind: 'good', pages: 2, sizeBytes: 100, marker: path, file: `/source/${path}`, sha256: `digest of ${path}`, ...more });
const line = (source: string, more: Partial<EndedBatch['lines'][number]> = {}): EndedBatch['lines'][number] => ({ source, outcome: 'processed', reason: null, credits: 2, sha256: `digest of ${source}`, ...more });
const job = (paths: string[], more: Partial<EndedBatch['records']['jobs'][number]> = {}): EndedBatch['records']['jobs'][number] => ({
  id: 'job_1', externalId: 'batch/b/job/00001', status: 'completed', creditsDebited: 2 * paths.length, creditsReserved: 0, callsAfterEnd: { getJob: 1 },
  documents: paths.map((path) => ({ sha256: `digest of ${path}`, included: true })), ...more,
});
const none = { processed: 0, partial: 0, failed: 0, rejected: 0, duplicate: 0, skipped: 0, cancelled: 0, expired: 0 };

/** Three files: two processed, and one with the bytes of the first. */
function sound(): EndedBatch {
  return {
    batchId: 'b', cancelled: false, failsHalfway: false, skips: false, before: { sent: new Set(), paid: new Set() }, root: '/source',
    documents: [document('papers/a.pdf'), document('papers/b.pdf'), document('twin.pdf', { kind: 'twin', sha256: 'digest of papers/a.pdf' })],
    lines: [line('papers/a.pdf'), line('papers/b.pdf'), line('twin.pdf', { outcome: 'duplicate', credits: null, sha256: 'digest of papers/a.pdf' })],
    manifest: { status: 'completed', credits: 4, counts: { documents: 3, ...none, processed: 2, duplicate: 1 } },
    summary: { status: 'completed', credits: 4, documents: 3, counts: { processed: 2, duplicate: 1 } },
    records: { jobs: [job(['papers/a.pdf', 'papers/b.pdf'])], debits: { 'digest of papers/a.pdf': [1, 1], 'digest of papers/b.pdf': [1, 1] } },
  };
}

describe('the account of a batch', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(brokenAccounts(sound())).toEqual([]);
  });

  const mutations: [string, (batch: EndedBatch) => Partial<EndedBatch>, RegExp][] = [
    ['a lost document', ({ lines }) => ({ lines: lines.slice(1) }), /papers\/a\.pdf \(good\) is in the manifest 0 times/],
    ['one that is there twice', ({ lines }) => ({ lines: [...lines, lines[0]!] }), /papers\/a\.pdf \(good\) is in the manifest 2 times/],
    ['one that nobody gave', ({ lines }) => ({ lines: [...lines, line('papers/c.pdf')] }), /\/source\/papers\/c\.pdf is in the manifest and was never given/],
    ['an outcome that it should not have', ({ lines }) => ({ lines: [line('papers/a.pdf', { outcome: 'failed', credits: null }), ...lines.slice(1)] }), /papers\/a\.pdf \(good\) is failed/],
    ['counts that do not add up', ({ manifest }) => ({ manifest: { ...manifest, counts: { ...manifest.counts, processed: 3 } } }), /processed documents in manifest\.json: 3 instead of 2/],
    ['a status that says too much', ({ documents, lines }) => ({ documents: [document('empty.pdf', { kind: 'empty', sha256: null }), ...documents], lines: [line('empty.pdf', { outcome: 'rejected', sha256: null, credits: null }), ...lines] }), /ended as completed instead of completed_with_errors/],
    ['credits that nobody debited', ({ summary, manifest }) => ({ summary: { ...summary, credits: 6 }, manifest: { ...manifest, credits: 6 } }), /credits in manifest\.json: 6 instead of 4/],
    ['content in two jobs', ({ records }) => ({ records: { ...records, jobs: [...records.jobs, job(['papers/a.pdf'], { id: 'job_2', creditsDebited: 0 })] } }), /papers\/a\.pdf is processed, and 2 jobs with a result hold its content/],
    ['content in no job', ({ records }) => ({ records: { ...records, jobs: [job(['papers/b.pdf'], { creditsDebited: 4 })] } }), /papers\/a\.pdf is processed, and 0 jobs/],
    ['content that nobody gave', ({ records }) => ({ records: { ...records, jobs: [job(['papers/a.pdf', 'papers/b.pdf', 'x'], { creditsDebited: 4 })] } }), /content digest of x is in a job and was never given/],
    ['a page that was paid twice', ({ records }) => ({ records: { ...records, debits: { ...records.debits, 'digest of papers/a.pdf': [2, 1] } } }), /pages of papers\/a\.pdf were paid \[2,1\] times/],
    ['a page that an earlier batch paid for', () => ({ before: { sent: new Set(), paid: new Set(['digest of papers/b.pdf']) } }), /papers\/b\.pdf were paid in an earlier batch already/],
    ['a job that was left open', ({ records }) => ({ records: { ...records, jobs: [...records.jobs, job([], { id: 'job_2', status: 'uploading' })] } }), /remote job job_2 .* was left as uploading/],
    ['an upload after the end', ({ records }) => ({ records: { ...records, jobs: [{ ...records.jobs[0]!, callsAfterEnd: { putObject: 1 } }] } }), /1 calls of putObject after remote job job_1 had ended/],
    ['a skipped document that nobody sent before', (batch) => ({ ...skipped(batch), before: { sent: new Set<string>(), paid: new Set<string>() } }), /papers\/b\.pdf is skipped, 0 jobs with a result hold it, and it was not sent before/],
    ['a digest that is missing', ({ lines }) => ({ lines: [line('papers/a.pdf', { sha256: null }), ...lines.slice(1)] }), /digest of papers\/a\.pdf: null/],
  ];
  it.each(mutations)('notices %s', (_what, mutate, problem) => {
    const batch = sound();
    expect(brokenAccounts({ ...batch, ...mutate(batch) })).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
  });

  it('knows no documents of a batch that was told to end before it had planned, as long as nothing was made for it', () => {
    const ended: EndedBatch = { ...sound(), cancelled: true, lines: [], manifest: { status: 'cancelled', credits: 0, counts: { documents: 0, ...none } }, summary: { status: 'cancelled', credits: 0, documents: 0, counts: {} }, records: { jobs: [], debits: {} } };
    expect(brokenAccounts(ended)).toEqual([]);
    expect(brokenAccounts({ ...ended, cancelled: false })).not.toEqual([]);
    expect(brokenAccounts({ ...ended, records: { jobs: [job([], { status: 'cancelled' })], debits: {} } })).not.toEqual([]);
  });

  it('lets a sweep leave out what an earlier batch sent', () => {
    expect(brokenAccounts({ ...sound(), ...skipped(sound()) })).toEqual([]);
  });
});

/** The second file was processed before. */
function skipped({ lines, records, manifest, summary }: EndedBatch): Partial<EndedBatch> {
  return {
    skips: true,
    before: { sent: new Set(['digest of papers/b.pdf']), paid: new Set(['digest of papers/b.pdf']) },
    lines: lines.map((one) => (one.source === 'papers/b.pdf' ? { ...one, outcome: 'skipped', credits: null } : one)),
    manifest: { ...manifest, credits: 2, counts: { ...manifest.counts, processed: 1, skipped: 1 } },
    summary: { ...summary, credits: 2, counts: { processed: 1, duplicate: 1, skipped: 1 } },
    records: { jobs: [job(['papers/a.pdf'])], debits: { 'digest of papers/a.pdf': records.debits['digest of papers/a.pdf']! } },
  };
}

describe('the plan of a soak', () => {
  const numbers = Array.from({ length: 400 }, (_, index) => index + 1);

  it('follows from seed and number alone', () => {
    expect(familyPlan(7, 3)).toEqual(familyPlan(7, 3));
    expect(creditOutage(7, 3)).toEqual(creditOutage(7, 3));
    expect(new Set(numbers.map((number) => JSON.stringify({ ...familyPlan(7, number), number: 0 }))).size).toBe(numbers.length);
  });

  it('comes to every source, kind, and operation, and no document has the path of another', () => {
    const plans = numbers.map((number) => familyPlan(1, number));
    const seen = (of: (plan: (typeof plans)[number]) => unknown): Set<unknown> => new Set(plans.flatMap(of));
    expect(seen(({ source }) => source)).toEqual(new Set(['folder', 'jsonl', 'csv', 'documents', 'schedule']));
    expect(seen(({ documents }) => documents.map(({ kind }) => kind))).toEqual(new Set(['good', 'twin', 'empty', 'text', 'sick', 'dead', 'poison', 'gone']));
    expect(seen(({ operation }) => operation.what)).toEqual(new Set(['none', 'cancel', 'pause']));
    expect(plans.some(({ failsHalfway }) => failsHalfway) && plans.some(({ documents }) => documents.some(({ sizeBytes }) => sizeBytes > 5_000_000))).toBe(true);
    for (const { documents } of plans) expect(new Set(documents.map(({ path }) => path)).size).toBe(documents.length);
  });

  it('has faults that the simulator takes, at low rates', () => {
    for (const fault of steadyFaults.map((one) => faultSchema.parse(one))) expect('rate' in fault ? fault.rate : 0).toBeLessThanOrEqual(0.2);
  });
});

describe('what is measured', () => {
  it('is taken from the process itself', async () => {
    const taken = await sampleProcess({ name: 'this', pid: process.pid }, null);
    expect(taken!.rss).toBeGreaterThan(10 * mebibyte);
    expect(taken!.descriptors).toBeGreaterThan(2);
    expect(await sampleProcess({ name: 'nobody', pid: 2 ** 22 + 1 }, null)).toBeNull();
  });

  it('of a log is the live heap of the largest thread of the newest process, and errors', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soak-'));
    const file = join(folder, 'worker.log');
    const tail = new LogTail(file);
    await tail.look();
    expect(tail.heap).toBeNull();
    await writeFile(file, '[10:0x3f7f]   142 ms: Mark-Compact 49.0 (85.8) -> 44.0 (86.1) MB, 24.65\n[10:0x7fab]   1 ms: Mark-Compact (reduce) 5.2 (8.5) -> 3.5 (5.5) MB\n{"level":50,"msg":"no"}\n{"level":30}\n[11:0x1] 1 ms: Mark-');
    await tail.look();
    expect([tail.heap, tail.errors, tail.lastError]).toEqual([44 * mebibyte, 1, '{"level":50,"msg":"no"}']);
    tail.take('Compact 9.0 (8.5) -> 7.0 (5.5) MB\n');
    expect(tail.heap).toBe(7 * mebibyte);
    await rm(folder, { recursive: true });
  });

  it('of the simulator is what was no success, by operation', () => {
    expect(faultsOf({ requests: { getJob: { 200: 5, 503: 2, dropped: 1 }, createJob: { 202: 1, 402: 1 } } })).toEqual({ 'createJob 402': 1, 'getJob 503': 2, 'getJob dropped': 1 });
  });

  it('of histories is whether they are bounded', () => {
    const survey = { runs: 3, longest: 60, longestId: 'batch/b/job/00001', median: 52, largestPayload: 400 };
    expect(longHistories({ jobWorkflow: survey })).toEqual([]);
    expect(longHistories({ jobWorkflow: { ...survey, longest: 4_000, largestPayload: 10 ** 6 }, otherWorkflow: survey })).toHaveLength(3);
  });
});

describe('npm run soak', () => {
  const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'scripts/soak.ts'), ...args]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );

  it('says what it takes, and refuses what makes no sense', async () => {
    const [help, minutes, second] = await Promise.all([run('--help'), run('--minutes', 'many'), run('--second', 'all')]);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--minutes[\s\S]*Exit codes: 0/) });
    expect(minutes).toMatchObject({ code: 1, stderr: 'error: --minutes takes a number from 0.05 on, not "many"\n' });
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('--second takes api, transfer or archive') });
  });
});
