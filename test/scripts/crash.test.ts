import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { strikeAt } from '../../scripts/crash/moment';
import { crashPlan, momentText, type Moment } from '../../scripts/crash/plan';
import { startSimulator, type Simulator } from '../../src/simulator/server';

const root = resolve(__dirname, '../..');
const seeds = Array.from({ length: 300 }, (_, index) => index);

describe('the plan of a run', () => {
  it('follows from the seed alone', () => {
    const texts = (): string[] => seeds.map((seed) => JSON.stringify(crashPlan(seed)));
    expect(texts()).toEqual(texts());
    expect(new Set(seeds.map((seed) => JSON.stringify({ ...crashPlan(seed), seed: 0 }))).size).toBe(seeds.length);
  });

  it('is the same on every machine', () => {
    const { documents, kills, ...rest } = crashPlan(5);
    expect(rest).toEqual({ seed: 5, maxFiles: 9, maxConcurrentJobs: 3, upload: 'signed', partThreshold: 40_000, partBytes: expect.any(Number), jobMs: expect.any(Number) });
    expect(documents).toHaveLength(19);
    expect(kills.map(({ target, at }) => `${target} ${momentText(at)}`)).toEqual(['worker file /sent-parts/ 2', 'worker file /artifacts/ 4']);
  });

  it('has 10 to 40 documents, one to three kills of the worker and at most one of the server', () => {
    for (const { documents, kills } of seeds.map(crashPlan)) {
      const originals = documents.filter(({ path }) => !path.startsWith('zz-'));
      expect(originals.length).toBeGreaterThanOrEqual(10);
      expect(originals.length).toBeLessThanOrEqual(40);
      expect(new Set(documents.map(({ marker }) => marker)).size).toBe(originals.length);
      const workers = kills.filter(({ target }) => target === 'worker').length;
      expect(workers).toBeGreaterThanOrEqual(1);
      expect(workers).toBeLessThanOrEqual(3);
      expect(kills.length - workers).toBeLessThanOrEqual(1);
    }
  });

  it('comes to every kind of moment over some seeds', () => {
    const moments = seeds.flatMap((seed) => crashPlan(seed).kills.map(({ at }) => at));
    const operations = new Set(moments.flatMap((at) => (at.on === 'request' ? at.operation : [])));
    expect([...operations].sort()).toEqual(
      ['completeUploads', 'createJob', 'getJob', 'getJobArtifact', 'getJobResult', 'listProjects', 'putObject', 'putPart', 'registerUploads', 'uploadFiles'].sort(),
    );
    expect(new Set(moments.map(({ on }) => on))).toEqual(new Set(['request', 'file', 'bytes']));
    expect(new Set(moments.flatMap((at) => (at.on === 'request' ? at.phase : [])))).toEqual(new Set(['arrived', 'done', 'answered']));
  });
});

describe('a moment', () => {
  let simulator: Simulator;
  let archive: string;
  let off: AbortController;
  beforeEach(async () => {
    [simulator, archive] = await Promise.all([startSimulator(), mkdtemp(join(tmpdir(), 'moment-'))]);
    off = new AbortController();
  });
  afterEach(async () => {
    off.abort();
    await Promise.all([simulator.close(), rm(archive, { recursive: true, force: true })]);
  });

  const strike = jest.fn<void, []>();
  beforeEach(() => strike.mockReset());
  const lookOutFor = (moment: Moment): Promise<boolean> => strikeAt(moment, { simulator, archive }, strike, off.signal);
  const createJob = (externalId: string): Promise<number | null> =>
    fetch(`${simulator.apiUrl}/api/open/v1/projects/proj_quickstart/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${simulator.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ externalId }),
    }).then(({ status }) => status, () => null);

  it.each([
    ['arrived', [202, null, 202], 2],
    ['done', [202, null, 202], 3],
    ['answered', [202, 202, 202], 3],
  ] as const)('%s is the second request, and the one after it is left alone', async (phase, statuses, jobs) => {
    const struck = lookOutFor({ on: 'request', operation: 'createJob', nth: 2, phase });
    const answers = [await createJob('one')];
    expect(strike).not.toHaveBeenCalled();
    answers.push(await createJob('two'));
    expect(await struck).toBe(true);
    answers.push(await createJob('three'));
    expect(answers).toEqual(statuses);
    expect(simulator.state.jobs.size).toBe(jobs);
    expect(strike).toHaveBeenCalledTimes(1);
  });

  it('of a file counts those that appear from now on, and not while they are written', async () => {
    await mkdir(join(archive, 'sent'));
    await writeFile(join(archive, 'sent/1'), '');
    const struck = lookOutFor({ on: 'file', path: '/sent/', nth: 2 });
    const appear = async (name: string): Promise<void> => {
      await writeFile(join(archive, `sent/.tmp-${name}`), '');
      await rename(join(archive, `sent/.tmp-${name}`), join(archive, `sent/${name}`));
    };
    await appear('2');
    await writeFile(join(archive, 'sent/.tmp-3'), '');
    expect(strike).not.toHaveBeenCalled();
    await appear('3');
    expect(await struck).toBe(true);
    expect(strike).toHaveBeenCalledTimes(1);
  });

  it('of bytes counts what arrives from now on', async () => {
    simulator.state.counters.bytesReceived = 100;
    const struck = lookOutFor({ on: 'bytes', bytes: 50 });
    simulator.state.counters.bytesReceived = 150;
    expect(await struck).toBe(true);
  });

  it.each<Moment>([
    { on: 'request', operation: 'createJob', nth: 1, phase: 'answered' },
    { on: 'file', path: '/sent/', nth: 1 },
    { on: 'bytes', bytes: 1 },
  ])('that was called off does not strike', async (moment) => {
    const struck = lookOutFor(moment);
    off.abort();
    expect(await struck).toBe(false);
    expect(await createJob('one')).toBe(202);
    expect(strike).not.toHaveBeenCalled();
  });
});

it('refuses what it does not understand', async () => {
  const crash = promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'scripts/crash.ts'), '--seed', 'x']);
  await expect(crash).rejects.toMatchObject({ code: 1, stderr: 'error: --seed takes a whole number from 0 on\n' });
});
