import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { broken } from '../../scripts/crash/invariants';
import type { Evidence } from '../../scripts/crash/evidence';
import { keyClass, operationOf } from '../../scripts/crash/names';
import { crashFiles, readPid, writePid, type ArmedKill } from '../../scripts/crash/passages';
import { crashPlan, creditsPerPage, killText, type CrashPlan } from '../../scripts/crash/plan';
import { dealtPoints, isOfReceiver, passagesOf, points, scenarioOf, scenarios } from '../../scripts/crash/points';
import { transpilePreload } from '../../scripts/crash/run';
import { sumUp } from '../../scripts/crash/sum';
import { batchKeys, jobKeys, ledgerKey, workFolder } from '../../src/contract/keys';

const root = resolve(__dirname, '../..');
const seeds = Array.from({ length: 200 }, (_, index) => index);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crash-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the plan of a run', () => {
  it('follows from the seed alone, and every seed has its own', () => {
    const texts = (): string[] => seeds.map((seed) => JSON.stringify({ ...crashPlan(seed), seed: 0 }));
    expect(texts()).toEqual(texts());
    expect(new Set(texts()).size).toBe(seeds.length);
  });

  it('takes every scenario in its turn, and a fifth of the seeds waits for Temporal', () => {
    expect(seeds.slice(0, 8).map((seed) => crashPlan(seed).batches[0]!.scenario)).toEqual([...scenarios]);
    expect(seeds.filter((seed) => crashPlan(seed).patient)).toHaveLength(seeds.length / 5);
  });

  it('has four kills at points that its scenario passes, and at most three more', () => {
    for (const { seed, kills, webhooks } of seeds.map((one) => crashPlan(one))) {
      expect(kills.slice(0, 4).map(({ at }) => 'point' in at && at.point)).toEqual(dealtPoints(seed));
      for (const point of dealtPoints(seed)) expect(passagesOf(point)).toHaveProperty(scenarioOf(seed));
      expect(kills.length).toBeLessThanOrEqual(7);
      expect(webhooks || !kills.some(({ at }) => 'point' in at && isOfReceiver(at.point))).toBe(true);
    }
  });

  it('comes to every point within a hundred runs, and kills each kind of process', () => {
    const kills = seeds.slice(0, 100).flatMap((seed) => crashPlan(seed).kills);
    expect(points.filter((point) => !kills.some(({ at }) => 'point' in at && at.point === point))).toEqual([]);
    for (const targets of ['worker', 'receiver', 'server', 'worker,server', 'worker,receiver']) expect(kills.filter((kill) => String(kill.targets) === targets).length).toBeGreaterThan(5);
  });

  it('can be told the point', () => {
    const { kills, batches, webhooks } = crashPlan(1, 'signal before');
    expect(kills.map(killText)).toEqual(['receiver at signal before 1']);
    expect([webhooks, passagesOf('signal before')[batches[0]!.scenario]]).toEqual([true, expect.any(Number)]);
    expect(() => crashPlan(1, 'nowhere')).toThrow('There is no point "nowhere"; --points lists them');
  });
});

describe('the catalogue', () => {
  const passes = (name: string): boolean => points.some((point) => point.startsWith(`${name} `));

  /** Searching for a job whose creation is in doubt comes an hour after it; the others have no place in a batch. */
  it('has every operation that the client of Plangrep knows', () => {
    const client = readFileSync(join(root, 'src/plangrep/client.ts'), 'utf8');
    const methods = [...client.matchAll(/^ {2}(?:async )?\*?(\w+)\(.*(?:Promise|AsyncGenerator)</gm)].map(([, name]) => name!);
    const named: Record<string, string> = { putSigned: 'putObject', getResult: 'getJobResult', getArtifact: 'getJobArtifact' };
    expect(methods.filter((method) => method !== 'close' && !passes(named[method] ?? method))).toEqual(['listJobs']);
  });

  it('has every object that the store keeps', () => {
    const keys = { ...batchKeys('b'), ...jobKeys('b', 1), followUp: batchKeys('b').followUp(1), ledger: ledgerKey('p', 'a'.repeat(64)) };
    const below = ['artifacts', 'registrations', 'sent', 'archived'];
    const classes = Object.entries(keys).flatMap(([name, key]) => (['jobs', 'followUps', 'folder', 'relative', 'work'].includes(name) ? [] : [keyClass(below.includes(name) ? `${String(key)}/1` : String(key))]));
    expect(classes.filter((name) => !passes(`write ${name}`))).toEqual([]);
    expect([workFolder('b'), jobKeys('b', 1).work].map(keyClass).filter((name) => !passes(`remove ${name}`))).toEqual([]);
  });

  it.each([
    ['GET', '/api/open/v1/jobs/job_1/artifact', 'getJobArtifact'],
    ['PUT', '/uploads/job_1/doc_1', 'putObject'],
    ['PUT', '/uploads/job_1/doc_1/parts/2', 'putPart'],
    ['DELETE', '/api/open/v2/jobs/job_1', 'DELETE /api/open/*/jobs/*'],
  ])('names %s %s %s', (method, path, name) => {
    expect(operationOf(method, path)).toBe(name);
  });
});

describe('a process that passes points', () => {
  const passing = `
    const { Passages } = require(process.argv[1]);
    const passages = new Passages(process.argv[2], process.argv[3]);
    for (const point of process.argv.slice(4)) passages.pass(point);
  `;
  let passagesFile: string;
  let count = 0;
  beforeAll(async () => {
    passagesFile = join(await transpilePreload(join(folder, 'preload')), '../passages.js');
  });

  const newRun = async (kills: ArmedKill[]): Promise<string> => {
    const run = await mkdtemp(join(folder, `run-${(count += 1)}-`));
    await writeFile(crashFiles(run).kills, JSON.stringify(kills));
    return run;
  };
  const pass = (run: string, role: string, ...names: string[]): Promise<NodeJS.Signals | null> =>
    new Promise((resolve) => spawn(process.execPath, ['-e', passing, passagesFile, run, role, ...names]).once('exit', (_, signal) => resolve(signal)));

  it('is killed at the n-th passage of the run, once', async () => {
    const run = await newRun([{ id: 7, point: 'a before', nth: 3, targets: ['worker'] }]);
    expect(await pass(run, 'worker-1', 'a before', 'b before', 'a before')).toBeNull();
    expect(existsSync(crashFiles(run).struck(7))).toBe(false);
    expect(await pass(run, 'worker-1', 'a before', 'b before')).toBe('SIGKILL');
    expect(JSON.parse(await readFile(crashFiles(run).struck(7), 'utf8'))).toEqual({ by: 'worker-1', pids: [expect.any(Number)] });
    expect(await readFile(crashFiles(run).passed('worker-1'), 'utf8')).toBe('a before\nb before\na before\na before\n');
    expect(await pass(run, 'worker-2', 'a before', 'a before', 'a before')).toBeNull();
  });

  it('kills others, but nobody who only has the number of one that is gone', async () => {
    const run = await newRun([{ id: 0, point: 'a before', nth: 1, targets: ['server'] }, { id: 1, point: 'b before', nth: 1, targets: ['receiver', 'worker'] }]);
    const others = [0, 1].map(() => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']));
    const ended = others.map((child) => new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal))));
    await writeFile(crashFiles(run).pid('server'), `${others[0]!.pid} 1`);
    writePid(crashFiles(run).pid('receiver'), others[1]!.pid!);
    expect(readPid(crashFiles(run).pid('receiver'))).toEqual([others[1]!.pid]);
    expect(await pass(run, 'worker-1', 'a before', 'b before')).toBe('SIGKILL');
    expect(await ended[1]).toBe('SIGKILL');
    expect(others[0]!.signalCode).toBeNull();
    others[0]!.kill();
    expect(await ended[0]).toBe('SIGTERM');
  });
});

/** What a run leaves when nothing goes wrong: each document in a job of its own. */
function soundEvidence(seed: number): Evidence {
  const plan: CrashPlan = crashPlan(seed);
  const [batch] = plan.batches as [CrashPlan['batches'][number]];
  const originals = batch.documents.filter(({ path }) => !path.startsWith('zz-'));
  const rate = (path: string): number => creditsPerPage[path.split('/')[0] as keyof typeof creditsPerPage];
  const contents = new Map(originals.map((document) => [sha256(document.marker), { document, sizeBytes: document.sizeBytes, creditsPerPage: rate(document.path) }]));
  const jobs = originals.map(({ marker, path, pages }, index) => ({
    id: `job_${index}`, externalId: `batch/${batch.id}/job/${String(index + 1).padStart(5, '0')}`, status: 'completed', creditsDebited: pages * rate(path), creditsReserved: 0,
    callsAfterEnd: { getJobResult: 1 } as Record<string, number>, documents: [{ sha256: sha256(marker), included: true }],
  }));
  const credits = jobs.reduce((sum, { creditsDebited }) => sum + creditsDebited, 0);
  const counts = { processed: originals.length, duplicate: batch.documents.length - originals.length };
  const lines = batch.documents.map(({ path }) => ({ source: path, outcome: path.startsWith('zz-') ? 'duplicate' : 'processed' }));
  const summary = { batchId: batch.id, status: 'completed', documents: batch.documents.length, counts, credits, jobs: { planned: jobs.length } };
  const manifest = { status: 'completed', credits, counts: { documents: batch.documents.length, ...counts } };
  return {
    plan, batch, contents,
    records: { jobs, debits: Object.fromEntries(originals.map(({ marker, pages }) => [sha256(marker), Array<number>(pages).fill(1)])) },
    counters: { bytesReceived: originals.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), requests: {} },
    archived: [{ summary, manifest, lines, problems: [] }],
    leftOver: [],
  } as unknown as Evidence;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the invariants', () => {
  const withCopies = seeds.find((seed) => scenarioOf(seed) === 'signed' && crashPlan(seed).batches[0]!.documents.some(({ path }) => path.startsWith('zz-')))!;

  it('hold for what is sound', () => {
    expect(broken(soundEvidence(withCopies))).toEqual([]);
  });

  it.each<[string, (evidence: Evidence) => unknown, RegExp]>([
    ['a job too many', ({ records: { jobs } }) => jobs.push({ ...jobs[0]!, id: 'job_more', externalId: 'batch/crash-signed/job/00099', documents: [], creditsDebited: 0 }), /remote jobs: \d+ instead of \d+/],
    ['two jobs for one', ({ records: { jobs } }) => (jobs[1]!.externalId = jobs[0]!.externalId), /there is more than one remote job batch/],
    ['a job that was made anew', ({ records: { jobs } }) => (jobs[1]!.externalId += '.2'), /was made anew/],
    ['a job that never ended', ({ records: { jobs } }) => (jobs[0]!.status = 'uploading'), /job job_0 ended as uploading/],
    ['a content in two jobs', ({ records: { jobs } }) => jobs[1]!.documents.push(jobs[0]!.documents[0]!), /jobs with .*: 2 instead of 1/],
    ['a content in no job', ({ records: { jobs } }) => jobs[0]!.documents.pop(), /jobs with .*: 0 instead of 1/],
    ['a content that nobody gave', ({ records: { jobs } }) => (jobs[0]!.documents[0]!.sha256 = 'f'.repeat(64)), /content f+ is in a job and was never given/],
    ['a page that was paid twice', ({ records: { debits } }) => (Object.values(debits)[0]![0] = 2), /pages paid of .*: \[2,/],
    ['credits too many', ({ records: { jobs } }) => (jobs[0]!.creditsDebited += 1), /credits debited: /],
    ['a reservation that stays', ({ records: { jobs } }) => (jobs[0]!.creditsReserved = 5), /credits still reserved: 5 instead of 0/],
    ['an upload after the end', ({ records: { jobs } }) => (jobs[0]!.callsAfterEnd['putObject'] = 1), /1 calls of putObject after job job_0 had ended/],
    ['more completions than kills', ({ records: { jobs } }) => (jobs[0]!.callsAfterEnd['completeUploads'] = 9), /9 calls of completeUploads/],
    ['bytes that never came', ({ counters }) => (counters.bytesReceived = 1), /only 1 of \d+ bytes were received/],
    ['bytes that came too often', ({ counters }) => (counters.bytesReceived *= 1_000), /bytes were received again, at most/],
    ['a document without a line', ({ archived }) => archived[0]!.lines.pop(), /documents of the manifest/],
    ['a document with two lines', ({ archived }) => archived[0]!.lines.push(archived[0]!.lines[0]!), /documents of the manifest/],
    ['a document that failed', ({ archived }) => (archived[0]!.lines[0]!.outcome = 'failed'), /outcome of .*: \["failed"\] instead of \["processed"\]/],
    ['another status', ({ archived }) => (archived[0]!.summary.status = 'failed'), /ended as: "failed" instead of "completed"/],
    ['other counts', ({ archived }) => (archived[0]!.summary.counts = {}), /counts of the summary/],
    ['a damaged archive', ({ archived }) => archived[0]!.problems.push('hash jobs/00001/result.json is another one'), /verify of crash-signed: hash/],
    ['working files', ({ leftOver }) => leftOver.push('work/crash-signed/jobs/00001/intent.json'), /was left behind/],
  ])('notice %s', (_, tamper, problem) => {
    const evidence = soundEvidence(withCopies);
    tamper(evidence);
    expect(broken(evidence).join('\n')).toMatch(problem);
  });

  it('notice a second project', () => {
    const evidence = { ...soundEvidence(seeds.find((seed) => scenarioOf(seed) === 'project')!) };
    evidence.counters.requests['createProject'] = { 202: 2 };
    expect(broken(evidence)).toEqual(['crash-project: projects created: 2 instead of 1']);
  });
});

it('refuses what it does not understand', async () => {
  const crash = (...args: string[]): Promise<unknown> => promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'scripts/crash.ts'), ...args]);
  await expect(crash('--seed', 'x')).rejects.toMatchObject({ code: 1, stderr: 'error: --seed takes a whole number from 0 on\n' });
  await expect(crash('--point', 'x')).rejects.toMatchObject({ code: 1, stderr: 'error: there is no point "x"; --points lists them\n' });
});

it('adds up what several sessions have written', async () => {
  const file = join(folder, 'runs.jsonl');
  const [first, second] = [crashPlan(1), crashPlan(2)];
  const lines = [{ seed: 1, scenario: 'form', kills: first.kills, problems: [] }, { seed: 2, scenario: 'credits', kills: second.kills.slice(0, 1), problems: ['a page was paid twice'] }];
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const [runs, kills, left, failed] = await sumUp(file);
  const hit = new Set([...dealtPoints(1), dealtPoints(2)[0], ...first.kills.flatMap(({ at }) => ('point' in at ? [at.point] : []))]);
  expect([runs, failed]).toEqual(['2 runs, 1 failed', 'seed 2 (credits): a page was paid twice']);
  expect(kills).toMatch(new RegExp(`^${first.kills.length + 1} kills: worker \\d+, receiver \\d+, server \\d+; ${hit.size} of ${points.length} points hit$`));
  expect(left!.slice('not hit: '.length).split(', ')).toEqual(points.filter((point) => !hit.has(point)));
});
