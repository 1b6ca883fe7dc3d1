import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { CliError } from '../../src/cli/cli-error';
import type { Output } from '../../src/cli/output';
import * as schedule from '../../src/cli/schedule';
import { addScheduleFlags, type ScheduleFlags } from '../../src/cli/schedule-flags';
import { BatchClient, type BatchSchedule, type BatchSummary, type Triggered } from '../../src/client';
import { manifestLineSchema, type ManifestLine } from '../../src/contract/archive';
import { batchKeys } from '../../src/contract/keys';
import { cliEnvironment, runCli, type RunningCli } from '../support/cli';
import { listening } from '../support/cli-output';
import { startCliStack, type CliStack } from '../support/cli-stack';

let stack: CliStack;
let batches: BatchClient;
let nothing: string;

beforeAll(async () => {
  stack = await startCliStack();
  batches = new BatchClient({ client: stack.temporal.client });
  nothing = join(stack.folder, 'nothing');
  await mkdir(nothing);
  Object.assign(process.env, cliEnvironment(stack.env)); // for commands that run in this process; the test has an environment of its own
});
afterAll(() => stack.stop());

/** The flags of `schedule create`, read as the command line reads them. */
const flagsOf = (...args: string[]): ScheduleFlags => addScheduleFlags(new Command().exitOverride()).parse(args, { from: 'user' }).opts<ScheduleFlags>();

/** Runs a command in this process and gives its answer. */
async function answer<T>(command: (output: Output) => Promise<number>): Promise<T> {
  const { output, lines, stderr } = listening(true);
  expect({ code: await command(output), stderr: stderr() }).toEqual({ code: 0, stderr: '' });
  return lines()[0] as T;
}

describe('on the command line', () => {
  it('create shows the next times in the zone and in UTC', async () => {
    const { code, stdout } = await runCli(['schedule', 'create', 'early', nothing, '--cron', '0 4 * * *', '--time-zone', 'Asia/Kolkata', '--jitter', '5m', '--catchup-window', '2h', '--label', 'owner=ann'], stack.env);
    expect(code).toBe(0);
    expect(stdout).toContain('Created schedule early: 0 4 * * * Asia/Kolkata, up to 5 min 0 s later.');
    expect(stdout.match(/^ {2}\w{3} \d\d \w{3,4} \d{4} 04:0\d GMT\+5:30 {3}\d{4}-\d\d-\d\dT22:3\d:\d\dZ$/gm)).toHaveLength(3);
  });

  it('describe, pause, unpause and list show how it stands', async () => {
    expect(await answer<BatchSchedule>((output) => schedule.describe('early', output))).toMatchObject({
      scheduleId: 'early', jitterMs: 300_000, catchupWindowMs: 7_200_000, overlap: 'skip', paused: false,
      input: { project: 'Quickstart', source: { folder: nothing }, labels: { owner: 'ann' }, allowEmpty: true, skipProcessed: true },
    });
    expect(await answer((output) => schedule.pause('early', 'the share is being moved', output))).toMatchObject({ paused: true, note: 'the share is being moved' });
    expect(await answer((output) => schedule.unpause('early', undefined, output))).toMatchObject({ paused: false });
    const { schedules } = await answer<{ schedules: BatchSchedule[] }>(schedule.list);
    expect(schedules).toContainEqual(expect.objectContaining({ scheduleId: 'early', cron: ['0 4 * * *'], timeZone: 'Asia/Kolkata', paused: false, lastBatch: null }));
  });

  it.each<[string, string, string[], RegExp]>([
    ['bad/id', '', ['--cron', '0 4 *', '--time-zone', 'Europe/Nowhere', '--catchup-window', '1s', '--max-files', '101'], /^ID .*\n--max-files .*\n--cron .*\n--time-zone .*\n--catchup-window /],
    ['refused', '', ['--cron', '61 4 * * *'], /^--cron is refused by Temporal: .*Minute/],
    ['refused', '', ['--cron', '0 4 * * *', '--project', 'nothing near'], /nothing near/],
    ['refused', 'nowhere', ['--cron', '0 4 * * *'], /does not exist/],
    ['early', '', ['--cron', '0 5 * * *'], /early exists already/],
  ])('create %s over "%s" with %j is refused', async (id, below, args, message) => {
    const error: unknown = await schedule.create(id, join(nothing, below), flagsOf(...args), listening().output).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CliError);
    expect(error).toMatchObject({ exitCode: 1, message: expect.stringMatching(message) as string });
  });

  it('what was refused is not there, and an unknown id is told', async () => {
    await expect(schedule.describe('refused', listening().output)).rejects.toMatchObject({ code: 'schedule_not_found', exitCode: 1 });
    await expect(schedule.pause('never-was', undefined, listening().output)).rejects.toMatchObject({ code: 'schedule_not_found', exitCode: 1 });
    expect((await batches.schedules.describe('early')).cron).toEqual(['0 4 * * *']);
  });
});

describe('a sweep', () => {
  let worker: RunningCli;
  beforeAll(async () => {
    worker = await stack.startWorker();
  });

  /** Triggers the schedules at the same time and waits for their batches. */
  const sweep = (...ids: string[]): Promise<BatchSummary[]> =>
    Promise.all(
      ids.map(async (id) => {
        const { outcome, batchId } = await batches.schedules.trigger(id);
        expect(outcome).toBe('started');
        return batches.wait(batchId!);
      }),
    );
  const linesOf = async ({ batchId }: BatchSummary): Promise<ManifestLine[]> => {
    const text = await readFile(join(stack.archive, batchKeys(batchId).manifestLines), 'utf8');
    return text.split('\n').filter(Boolean).map((line) => manifestLineSchema.parse(JSON.parse(line)));
  };
  /** How often each content was sent. */
  const sent = (): number[] => {
    const times = new Map<string, number>();
    for (const { documents } of stack.simulator.state.jobs.values()) for (const { sha256 } of documents) times.set(sha256!, (times.get(sha256!) ?? 0) + 1);
    return [...times.values()];
  };
  const create = (id: string, folder: string) => batches.schedules.create(id, { project: 'Quickstart', source: { folder } }, { cron: '0 4 * * *' });

  it('over nothing ends well and quietly', async () => {
    const triggered = await answer<Triggered>((output) => schedule.trigger('early', output));
    expect(triggered).toMatchObject({ scheduleId: 'early', outcome: 'started' });
    const summary = await batches.wait(triggered.batchId!);
    expect(summary).toMatchObject({ status: 'completed', documents: 0, counts: {}, jobs: { planned: 0, done: 0 }, credits: 0, error: null });
    expect(stack.simulator.state.jobs.size).toBe(0);
    // Warnings and worse, beside the SDK's own remark on queues that have activities only.
    const loud = worker.output.stderr.split('\n').filter((line) => /"level":(40|50|60)/.test(line) && !line.includes('No workflows registered'));
    expect(loud).toEqual([]);
    expect((await batches.schedules.describe('early')).lastBatch).toMatchObject({ batchId: triggered.batchId, status: 'completed' });
    expect(await answer((output) => schedule.remove('early', output))).toEqual({ scheduleId: 'early', deleted: true, running: [] });
    await expect(batches.schedules.describe('early')).rejects.toThrow('early');
  });

  it('takes only what is new, and says where the rest was processed', async () => {
    const folder = await stack.documents('new', [1, 2]);
    await create('new', folder);
    const [first] = await sweep('new');
    expect(first).toMatchObject({ status: 'completed', documents: 2, counts: { processed: 2 } });
    const [second] = await sweep('new');
    expect(second).toMatchObject({ status: 'completed', documents: 2, counts: { skipped: 2 }, jobs: { planned: 0 }, credits: 0 });
    for (const { outcome, reason } of await linesOf(second!)) {
      expect({ outcome, code: reason?.code }).toEqual({ outcome: 'skipped', code: 'skipped' });
      expect(reason!.message).toContain(first!.batchId);
    }
    expect(sent()).toEqual([1, 1]);
  });

  it('beside another over the same folder sends no document twice', async () => {
    const folder = await stack.documents('shared', [1, 1, 1, 1, 1, 1]);
    await Promise.all([create('left', folder), create('right', folder)]);
    const before = sent().length;
    const both = await sweep('left', 'right');
    const total = (outcome: 'processed' | 'skipped') => both.reduce((sum, { counts }) => sum + (counts[outcome] ?? 0), 0);
    expect(both.map(({ status }) => status)).toEqual(['completed', 'completed']);
    expect({ processed: total('processed'), skipped: total('skipped') }).toEqual({ processed: 6, skipped: 6 });
    expect(sent()).toHaveLength(before + 6);
    expect(new Set(sent())).toEqual(new Set([1]));
  });
});
