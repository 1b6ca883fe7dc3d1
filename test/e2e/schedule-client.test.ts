import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { BatchClient, InvalidInputError, ScheduleIdInUseError, ScheduleNotFoundError, type BatchInputOptions, type ScheduleOptions } from '../../src/client';
import { fairnessKeyOf } from '../../src/client/start-options';
import { batchWorkflowId, isBatchId } from '../../src/contract/messages';
import { startLocalTemporal } from '../../scripts/local-temporal';

const input: BatchInputOptions = { project: 'Tower', source: { folder: '/data' }, labels: { owner: 'ann' }, priority: 2 };
const nightly: ScheduleOptions = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
const ownId = (): string => `schedule-${randomUUID()}`;

let env: TestWorkflowEnvironment;
let batches: BatchClient;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  env = await startLocalTemporal();
  batches = new BatchClient({ client: env.client });
});
afterAll(() => env.teardown());

/** A schedule that only triggers start. */
async function created(options: Partial<ScheduleOptions> = {}): Promise<string> {
  const id = ownId();
  await batches.schedules.create(id, input, { ...nightly, ...options });
  return id;
}

const handleOf = (batchId: string) => env.client.workflow.getHandle(batchWorkflowId(batchId));
const listed = async (): Promise<string[]> => (await batches.schedules.list()).map(({ scheduleId }) => scheduleId);

/** Looks until it holds: Temporal shows some things a moment later. The test's own time limit ends what never holds. */
async function until<T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
  }
}

describe('create', () => {
  it('keeps what it was told and shows when it is due', async () => {
    const id = ownId();
    const schedule = await batches.schedules.create(id, input, {
      cron: ['30 2 * * *', '*/15 8-18 1,15 JAN-MAR MON-FRI 2050', '5 0 4 * * * *', '@every 90m'],
      timeZone: 'Europe/Berlin', jitterMs: 300_000, overlap: 'buffer-one', catchupWindowMs: 7_200_000, paused: true, note: 'not yet', pauseOnFailure: true,
    });
    expect(schedule).toMatchObject({
      scheduleId: id, cron: ['30 2 * * *', '*/15 8-18 1,15 JAN-MAR MON-FRI 2050', '5 0 4 * * * *', '@every 90m'], timeZone: 'Europe/Berlin', jitterMs: 300_000,
      overlap: 'buffer-one', catchupWindowMs: 7_200_000, paused: true, note: 'not yet', pauseOnFailure: true,
      input: { ...input, allowEmpty: true, skipProcessed: true }, running: [], lastBatch: null, started: 0, skipped: 0, missed: 0,
    });
    expect(schedule.nextTimes).toHaveLength(10);
    expect(await batches.schedules.describe(id)).toMatchObject({ scheduleId: id, createdAt: schedule.createdAt });
  });

  it('means the clock of the time zone', async () => {
    const { nextTimes, catchupWindowMs, overlap } = await batches.schedules.create(ownId(), input, { cron: '0 12 * * *', timeZone: 'Asia/Kolkata' });
    expect(nextTimes.map((time) => time.slice(11))).toEqual(Array.from({ length: 10 }, () => '06:30:00.000Z'));
    expect({ catchupWindowMs, overlap }).toEqual({ catchupWindowMs: 3_600_000, overlap: 'skip' });
  });

  it('puts every time off by at most the jitter', async () => {
    const { nextTimes } = await batches.schedules.create(ownId(), input, { cron: '0 12 * * *', jitterMs: 600_000 });
    for (const time of nextTimes) expect(time).toMatch(/T12:0\d:/);
  });

  it.each([
    ['61 2 * * *', 'UTC', 'cron', /Minute is not in range/],
    ['0 0 * * L', 'UTC', 'cron', /DayOfWeek is not in range/],
    ['0 0 30 2 *', 'UTC', 'cron', /no time that will ever come/],
    ['0 0 1 1 * 2020', 'UTC', 'cron', /no time that will ever come/],
    // Known to Node.js, long gone from the lists of operating systems, and with them from the server.
    ['0 0 * * *', 'US/Pacific-New', 'timeZone', /time zone/],
  ])('refuses "%s" in %s and leaves nothing behind', async (cron, timeZone, field, message) => {
    const id = ownId();
    const error: unknown = await batches.schedules.create(id, input, { cron, timeZone }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).problems).toEqual([{ field, message: expect.stringMatching(message) as string }]);
    await expect(batches.schedules.describe(id)).rejects.toBeInstanceOf(ScheduleNotFoundError);
  });

  it('refuses an id that is taken, by anyone, and changes nothing', async () => {
    const id = await created();
    await expect(batches.schedules.create(id, input, { cron: '0 5 * * *' })).rejects.toBeInstanceOf(ScheduleIdInUseError);
    expect((await batches.schedules.describe(id)).cron).toEqual(['30 2 * * *']);
  });
});

test('summer time: a time in the hour that is left out does not come that day, one in the doubled hour comes once', async () => {
  const times = async (options: ScheduleOptions, from: string, to: string): Promise<string[]> => {
    const scheduleId = await created(options);
    const at = (iso: string) => ({ seconds: Date.parse(iso) / 1000 }) as never;
    const { startTime } = await env.client.workflowService.listScheduleMatchingTimes({ namespace: 'default', scheduleId, startTime: at(from), endTime: at(to) });
    return startTime!.map(({ seconds }) => new Date(Number(seconds) * 1000).toISOString().slice(5, 16));
  };
  const spring = (options: ScheduleOptions) => times(options, '2027-03-27T00:00:00Z', '2027-03-29T12:00:00Z');
  const autumn = (options: ScheduleOptions) => times(options, '2027-10-30T00:00:00Z', '2027-11-01T12:00:00Z');
  expect(await spring(nightly)).toEqual(['03-27T01:30', '03-29T00:30']);
  expect(await autumn(nightly)).toEqual(['10-30T00:30', '10-31T01:30', '11-01T01:30']);
  // What docs/schedules.md recommends: an hour that no zone's change touches, or UTC.
  const four = { cron: '0 4 * * *', timeZone: 'Europe/Berlin' };
  expect(await spring(four)).toEqual(['03-27T03:00', '03-28T02:00', '03-29T02:00']);
  expect(await autumn(four)).toEqual(['10-30T02:00', '10-31T03:00', '11-01T03:00']);
  // By the hour: the doubled hour leaves a gap of two; @every does not look at clocks.
  const night = (cron: string) => times({ cron, timeZone: 'Europe/Berlin' }, '2027-10-30T23:00:00Z', '2027-10-31T02:00:00Z');
  expect(await night('0 * * * *')).toEqual(['10-31T00:00', '10-31T02:00']);
  expect(await night('@every 1h')).toEqual(['10-31T00:00', '10-31T01:00', '10-31T02:00']);
});

describe('trigger', () => {
  it('starts a batch that is named, told and marked as every other', async () => {
    const id = await created();
    const { outcome, batchId } = await batches.schedules.trigger(id);
    expect(outcome).toBe('started');
    expect(batchId).toMatch(new RegExp(`^${id}-\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$`));
    expect(isBatchId(batchId!)).toBe(true);
    expect(await batches.input(batchId!)).toMatchObject({ ...input, allowEmpty: true, skipProcessed: true });
    const description = await handleOf(batchId!).describe();
    expect(description).toMatchObject({ type: 'batchWorkflow', taskQueue: 'plangrep-batch', priority: { priorityKey: 2, fairnessKey: fairnessKeyOf(id) } });
    expect(description.memo).toMatchObject({ labels: { owner: 'ann' }, scheduleId: id, inputSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(description.searchAttributes).toMatchObject({ BatchStatus: ['planning'], TemporalScheduledById: [id] });
    expect(await description.staticSummary()).toBe('/data → Tower');
    expect(await batches.status(batchId!, { ask: false })).toMatchObject({ batchId, status: 'planning' });
    expect(await batches.schedules.describe(id)).toMatchObject({ started: 1, lastBatch: { batchId, status: 'planning' }, running: [batchId] });
  });

  it('skips while one runs, and starts the next once that one has ended', async () => {
    const id = await created();
    const first = await batches.schedules.trigger(id);
    expect(await batches.schedules.trigger(id)).toEqual({ scheduleId: id, outcome: 'skipped', batchId: first.batchId });
    await handleOf(first.batchId!).terminate('an operator said so');
    await until(() => batches.schedules.describe(id), ({ running }) => running.length === 0);
    const second = await batches.schedules.trigger(id);
    expect(second.outcome).toBe('started');
    expect(second.batchId).not.toBe(first.batchId);
    expect(await batches.schedules.describe(id)).toMatchObject({ started: 2, skipped: 1, lastBatch: { batchId: second.batchId } });
  });

  it('lets one wait, or runs them side by side, where the policy says so', async () => {
    const [waiting, beside] = [await created({ overlap: 'buffer-one' }), await created({ overlap: 'allow-all' })];
    const first = await batches.schedules.trigger(waiting);
    expect(await batches.schedules.trigger(waiting)).toEqual({ scheduleId: waiting, outcome: 'buffered', batchId: first.batchId });
    const both = [await batches.schedules.trigger(beside), await batches.schedules.trigger(beside)];
    expect(both.map(({ outcome }) => outcome)).toEqual(['started', 'started']);
    expect(new Set(both.map(({ batchId }) => batchId)).size).toBe(2);
  });

  it('shows how the last batch ended', async () => {
    const id = await created();
    const { batchId } = await batches.schedules.trigger(id);
    await handleOf(batchId!).terminate('an operator said so');
    expect((await batches.schedules.describe(id)).lastBatch).toMatchObject({ batchId, status: 'failed' });
  });
});

test('pause and unpause, with a note, also twice; a paused one can be triggered', async () => {
  const id = await created();
  await batches.schedules.pause(id, 'the share is being moved');
  await batches.schedules.pause(id, 'the share is being moved');
  expect(await batches.schedules.describe(id)).toMatchObject({ paused: true, note: 'the share is being moved' });
  expect(await batches.schedules.trigger(id)).toMatchObject({ outcome: 'started' });
  await batches.schedules.unpause(id);
  expect(await batches.schedules.describe(id)).toMatchObject({ paused: false, note: 'unpaused' });
});

test('list shows the schedules of batches, by id, until they are deleted; a running batch outlives its schedule', async () => {
  const ids = [await created(), await created()].sort();
  const { batchId } = await batches.schedules.trigger(ids[0]!);
  expect((await until(listed, (seen) => ids.every((id) => seen.includes(id)))).filter((id) => ids.includes(id))).toEqual(ids);
  await batches.schedules.delete(ids[0]!);
  expect(await until(listed, (seen) => !seen.includes(ids[0]!))).toContain(ids[1]);
  await expect(batches.schedules.describe(ids[0]!)).rejects.toBeInstanceOf(ScheduleNotFoundError);
  expect(await batches.status(batchId!, { ask: false })).toMatchObject({ closedAt: null });
});

describe('what is no schedule of batches', () => {
  const calls = ['describe', 'pause', 'unpause', 'trigger', 'delete'] as const;

  it.each(calls)('%s says so of an unknown id', async (call) => {
    const error: unknown = await batches.schedules[call]('never-was').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ScheduleNotFoundError);
    expect((error as Error).message).toContain('never-was');
  });

  it.each(calls)('%s refuses what is no id', async (call) => expect(batches.schedules[call]('a/b')).rejects.toBeInstanceOf(InvalidInputError));

  it('is left alone when another program made it', async () => {
    const scheduleId = ownId();
    const foreign = await env.client.schedule.create({ scheduleId, spec: { intervals: [{ every: '1d' }] }, action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'q' } });
    for (const call of calls) await expect(batches.schedules[call](scheduleId)).rejects.toBeInstanceOf(ScheduleNotFoundError);
    await expect(batches.schedules.create(scheduleId, input, nightly)).rejects.toBeInstanceOf(ScheduleIdInUseError);
    expect((await foreign.describe()).state.paused).toBe(false);
  });
});
