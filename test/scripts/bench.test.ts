import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { counted, figure, median, quantile } from '../../scripts/bench/figures';
import { difference, parseActions, total } from '../../scripts/bench/counts';
import { topEntries } from '../../scripts/bench/profile';
import type { Report } from '../../scripts/bench/report';
import { usageOf } from '../../scripts/bench/usage';

const root = resolve(__dirname, '../..');

/** Runs the script as `npm run bench` does, on its own. */
async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'scripts/bench.ts'), ...args], { cwd: root })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('npm run bench', () => {
  test('measures, tells on stderr what it does, and prints one JSON document whose counts and memory keep their budgets', async () => {
    // The others measure times, or what end-to-end tests hold to the same budgets.
    const names = ['actions', 'plan', 'packing', 'hash', 'upload', 'resend', 'archive', 'manifest', 'verify', 'window'];
    const { code, stdout, stderr } = await bench('--smoke', ...names);
    const report = JSON.parse(stdout) as Report;
    expect({ code, errors: Object.values(report.benchmarks).map(({ error }) => error) }).toEqual({ code: 0, errors: names.map(() => null) });
    expect(report).toMatchObject({
      smoke: true,
      machine: { cpu: expect.any(String), cores: expect.any(Number), memoryBytes: expect.any(Number), node: process.version, platform: expect.any(String) },
      versions: { package: expect.any(String), temporalSdk: expect.stringMatching(/^\d+\.\d+\.\d+$/), temporalCli: expect.stringContaining('temporal version') },
    });
    expect(Object.keys(report.benchmarks).sort()).toEqual([...names].sort());
    const figures = Object.entries(report.benchmarks).flatMap(([name, benchmark]) => Object.entries(benchmark.figures).map(([of, value]) => ({ name: `${name} ${of}`, ...value })));
    for (const { value, unit } of figures) expect([typeof unit, value === null || Number.isFinite(value)]).toEqual(['string', true]);
    // Times have no budget: they belong to the machine.
    const budgeted = figures.filter(({ budget }) => budget !== undefined);
    expect(budgeted.filter(({ ok }) => !ok)).toEqual([]);
    expect(new Set(budgeted.map(({ unit }) => unit))).toEqual(new Set(['actions', 'bytes', 'events', 'files', 'jobs', 'ratio', 'requests']));
    expect(stderr).toMatch(/^plan: planning$/m);
  });

  test('lists its benchmarks, explains itself, and refuses a name that it does not know', async () => {
    const [list, help, unknown] = await Promise.all([bench('--list'), bench('--help'), bench('fast')]);
    expect(list.stdout.split('\n').map((line) => line.trim().split(' ')[0])).toEqual(['actions', 'webhook', 'plan', 'packing', 'hash', 'upload', 'resend', 'archive', 'manifest', 'verify', 'window', 'tuning', 'scale', 'start', 'workers', 'fairness', '']);
    expect(help.stdout).toContain(list.stdout);
    expect(unknown).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no benchmark fast') });
  });
});

describe('a CPU profile', () => {
  const frame = (functionName: string, url: string, lineNumber: number) => ({ functionName, url, lineNumber });
  const profile = (nodes: [number, ReturnType<typeof frame>][], samples: [number, number][]) =>
    JSON.stringify({ nodes: nodes.map(([id, callFrame]) => ({ id, callFrame })), samples: samples.map(([id]) => id), timeDeltas: samples.map(([, microseconds]) => microseconds) });

  test('is told as the functions that took the most time themselves, over all threads, without waiting', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'profile-'));
    const hash = frame('hash', 'file:///somewhere/lib/hashing/index.js', 9);
    try {
      await writeFile(join(folder, 'main'), profile([[1, frame('(root)', '', -1)], [2, frame('(idle)', '', -1)], [3, hash], [4, frame('', '/x/node_modules/zod/v4/core.cjs', 0)]], [[2, 9e6], [3, 1e6], [4, 5e5], [3, 1e6]]));
      await writeFile(join(folder, 'thread'), profile([[1, hash], [2, frame('open', '', -1)]], [[1, 5e5], [2, 25e4]]));
      expect(await topEntries(folder, 2)).toEqual({ entries: [{ name: 'hash lib/hashing/index.js:10', seconds: 2.5 }, { name: '(anonymous) zod/v4/core.cjs:1', seconds: 0.5 }], busySeconds: 3.25 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('usage of a process', () => {
  test('is what the kernel counts', () => {
    const used = usageOf(process.pid)!;
    const { user, system } = process.cpuUsage();
    expect(Math.abs(used.cpuSeconds - (user + system) / 1e6)).toBeLessThan(0.5);
    expect(used.peakBytes).toBeGreaterThanOrEqual(process.memoryUsage.rss() / 2);
  });

  test('is null where there is none', () => expect(usageOf(2 ** 30)).toBeNull());
});

describe('counts', () => {
  const page = `
# TYPE action counter
action{action_type="command_ScheduleActivityTask",namespace="default",operation="RespondWorkflowTaskCompleted",service_name="history"} 6
action{action_type="grpc_QueryWorkflow",namespace="default",operation="QueryWorkflow",service_name="frontend"} 2
action{action_type="grpc_QueryWorkflow",namespace="default",operation="QueryWorkflow",service_name="history"} 1
action{action_type="grpc_StartWorkflowExecution",namespace="temporal_system",operation="StartWorkflowExecution",service_name="frontend"} 9
action_other{action_type="grpc_QueryWorkflow",namespace="default"} 7
`;

  test("are those of Temporal's metric in the batch's namespace, summed by type", () => {
    expect(parseActions(page)).toEqual({ command_ScheduleActivityTask: 6, grpc_QueryWorkflow: 3 });
    expect(parseActions('')).toEqual({});
  });

  test('are subtracted by name, and what did not change is left out', () => {
    expect(difference({ a: 5, b: 2, c: 1 }, { a: 3, b: 2, d: 1 })).toEqual({ a: 2, c: 1, d: -1 });
    expect(total({ a: 5, b: 2 })).toBe(7);
  });
});

describe('figures', () => {
  test('keep their budget up to it, and not beyond or without a value', () => {
    expect(figure(12, 'actions', { budget: 12 })).toEqual({ value: 12, unit: 'actions', budget: 12, ok: true });
    expect(figure(13, 'actions', { budget: 12 })).toMatchObject({ ok: false });
    expect(figure(null, 'actions', { budget: 12, note: 'no server' })).toEqual({ value: null, unit: 'actions', budget: 12, ok: false, note: 'no server' });
    expect(figure(0.12345, 's')).toEqual({ value: 0.123, unit: 's' });
    expect(figure(1234.5, 'bytes/s')).toEqual({ value: 1235, unit: 'bytes/s' });
  });

  test('of parts have their names, in order', () => {
    expect(Object.entries(counted('job', { b: 1, a: 2 }, 'requests'))).toEqual([['job/a', figure(2, 'requests')], ['job/b', figure(1, 'requests')]]);
  });

  test('quantiles are numbers that were measured', () => {
    const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
    expect([0, 0.5, 0.99, 1].map((q) => quantile(hundred, q))).toEqual([1, 50, 99, 100]);
    expect(() => quantile([], 0.5)).toThrow('nothing');
  });

  test.each([[[3], 3], [[3, 1], 2], [[9, 1, 2], 2], [[4, 1, 3, 2], 2.5]])('the median of %j is %d', (numbers, middle) => expect(median(numbers)).toBe(middle));
});
