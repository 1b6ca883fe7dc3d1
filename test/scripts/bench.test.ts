import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { counted, figure, median, quantile } from '../../scripts/bench/figures';
import { difference, parseActions, total } from '../../scripts/bench/counts';
import type { Report } from '../../scripts/bench/report';

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
    const names = ['plan', 'packing', 'upload', 'archive', 'verify'];
    const { code, stdout, stderr } = await bench('--smoke', ...names);
    const report = JSON.parse(stdout) as Report;
    expect({ code, errors: Object.values(report.benchmarks).map(({ error }) => error) }).toEqual({ code: 0, errors: names.map(() => null) });
    expect(report).toMatchObject({
      smoke: true,
      machine: { cpu: expect.any(String), cores: expect.any(Number), memoryBytes: expect.any(Number), node: process.version, platform: expect.any(String) },
      versions: { package: expect.any(String), temporalSdk: expect.stringMatching(/^\d+\.\d+\.\d+$/), temporalCli: null },
    });
    expect(Object.keys(report.benchmarks).sort()).toEqual([...names].sort());
    const figures = Object.entries(report.benchmarks).flatMap(([name, benchmark]) => Object.entries(benchmark.figures).map(([of, value]) => ({ name: `${name} ${of}`, ...value })));
    for (const { value, unit } of figures) expect([typeof unit, value === null || Number.isFinite(value)]).toEqual(['string', true]);
    // Times have no budget: they belong to the machine.
    const budgeted = figures.filter(({ budget }) => budget !== undefined);
    expect(budgeted.filter(({ ok }) => !ok)).toEqual([]);
    expect(new Set(budgeted.map(({ unit }) => unit))).toEqual(new Set(['jobs', 'bytes']));
    expect(stderr).toMatch(/^plan: planning$/m);
  });

  test('lists its benchmarks, explains itself, and refuses a name that it does not know', async () => {
    const [list, help, unknown] = await Promise.all([bench('--list'), bench('--help'), bench('fast')]);
    expect(list.stdout.split('\n').map((line) => line.trim().split(' ')[0])).toEqual(['actions', 'webhook', 'plan', 'packing', 'upload', 'archive', 'verify', '']);
    expect(help.stdout).toContain(list.stdout);
    expect(unknown).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no benchmark fast') });
  });
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
